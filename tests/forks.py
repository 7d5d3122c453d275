"""Snakemake for many runs: imported once, which is most of what a start takes, and forked for each.

An order is a line of JSON on stdin: arguments, environment, the folder to run in, and the files
that stdout and stderr go to. The answer is a line with the process id, and one with the exit code.
"""

import json
import os
import sys

import smart_open  # noqa: F401 - what every run imports
import snakemake.cli

snakemake.cli.get_argument_parser()  # imports all plugins

for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if not child:
        os.setsid()  # a group of its own, as a shell gives each command
        for number, path in enumerate((os.devnull, *order["outputs"])):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
        os.chdir(order["folder"])
        os.environ.clear()
        os.environ |= order["environment"]
        # where an interpreter that is started with it has it
        sys.path[1:1] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
        sys.argv = ["snakemake", *order["arguments"]]
        snakemake.cli.main()  # exits
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
