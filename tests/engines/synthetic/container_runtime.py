"""Synthetic apptainer and docker, which run the command right here.

They refuse unknown options and missing folders, and clear the environment. Options are those of
`apptainer exec --help` (1.4) and `docker run --help` (28.2), as far as they are used. The image's
own settings are $IMAGE_ENV, a file that bash reads first, as NVIDIA's images have it.
"""

import json
import os
import pathlib
import sys

FLAGS = {
    "apptainer": {"--nv": 0, "--cleanenv": 0, "--bind": 1, "--pwd": 1},
    "docker": dict.fromkeys(("--rm", "--init", "--interactive"), 0)
    | dict.fromkeys(("--pull", "--name", "--gpus", "--ipc", "--ulimit", "--user", "--mount"), 1)
    | dict.fromkeys(("--workdir", "--entrypoint"), 1),
}

runtime = pathlib.Path(sys.argv[0]).name
action, rest = sys.argv[1], sys.argv[2:]
assert action == {"apptainer": "exec", "docker": "run"}[runtime]
options = []
while rest[0].startswith("-"):
    flag = rest.pop(0)
    values = [rest.pop(0) for _ in range(FLAGS[runtime][flag])]
    options.append([flag, *values])
image, command = rest[0], rest[1:]
for flag, *values in options:
    if flag == "--bind":
        source, target = values[0].split(":")
    elif flag == "--mount":
        kind, source, target = (part.partition("=")[2] for part in values[0].split(","))
        assert kind == "bind"
    else:
        continue
    assert source == target
    assert pathlib.Path(source).is_dir(), f"bind source path does not exist: {source}"
named = {flag: values[0] for flag, *values in options if values}
if "--entrypoint" in named:
    command = [named["--entrypoint"], *command]
pathlib.Path(os.environ["SEEN"]).write_text(json.dumps({"options": options, "image": image}))
os.chdir(named.get("--pwd") or named["--workdir"])
keep = {"PATH": os.environ["PATH"], "BASH_ENV": os.environ.get("IMAGE_ENV", "")}
os.execvpe(command[0], command, keep)  # noqa: S606
