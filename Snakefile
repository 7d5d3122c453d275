"""sweetspot: from an experiment (config.yaml) to the paper's tables, figures and report.

    snakemake --cores all                                          measure on this machine's GPU
    snakemake --cores 2 --config engine=simulator run=simulated    simulate, no GPU needed
    snakemake -n                                                   say what would be done; -p: how

A file given with --configfile is the whole experiment; keys that it leaves out have the paper's
values. Everything a run makes lies in results/<run>/.
"""

import atexit
import gc
import json
import logging
import math
import os
import re
import shlex
import sys
import time
from base64 import urlsafe_b64encode
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

from snakemake.logging import LogEvent, logger
from snakemake.settings.enums import Quietness
from snakemake.utils import min_version

min_version("9.22")

# As of our own commands (cli/command_line.py): Snakemake's objects take a quarter of a second.
atexit.register(gc.freeze)


include: "workflow/rules/common.smk"
include: "workflow/rules/hold.smk"
include: "workflow/rules/copied.smk"


report: "workflow/report/workflow.rst"


# Seconds each: on a cluster, only measuring is worth a job.
localrules:
    all,
    cells,
    analyse,
    tables,
    figures,
    fit_figures,
    page,
    explorer,
    manifest,


wildcard_constraints:
    # One pattern for all: as many names would be looked through for each of as many files.
    block=r"[^/]+/b\d+(/n\d+_i\d+(_o\d+_r\d+)?)?",


include: "workflow/rules/measure.smk"
include: "workflow/rules/analysis.smk"
include: "workflow/rules/publish.smk"
include: "workflow/rules/progress.smk"


rule all:
    """Everything that this experiment's cells can give."""
    default_target: True
    input:
        # All of its files, too: Snakemake would not miss one that is only on the way to a target.
        rules.manifest.input,
        rules.manifest.output,


onstart:
    if workflow.local_exec:
        # It holds back more than a hundred jobs a second; cores do here. For it Snakemake has a timer
        # run with each job, and ends only when the last has: a second after the last job.
        workflow.scheduler.job_rate_limiter = None
    check_before_jobs()
    PROGRESS.follow()


onerror:
    DISPLAY.say(f"Finished cells are kept in {RUN}/records; the same command goes on from there.")
