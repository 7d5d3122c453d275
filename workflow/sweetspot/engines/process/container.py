"""Commands in a container that has the engine: the node's own, Apptainer's, or Docker's.

Source: `apptainer exec --help` (1.0 and later), `docker run --help` (28.2), and the Dockerfile of
TensorRT-LLM. Neither has been run with a GPU yet.
"""

import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from sweetspot.config import Container
from sweetspot.errors import InputError
from sweetspot.metering.processes import TOKEN

# NVIDIA's images set paths of their libraries in a file that only bash reads, where $BASH_ENV says.
# So all runs through bash, and without the images' own entry point, whose banner is in the way.
_SHELL = ("bash", "-c", 'exec "$@"', "bash", "env")


def in_container(
    container: Container,
    command: Sequence[str],
    *,
    folders: Sequence[Path],
    gpu_uuid: str,
    environment: Mapping[str, str] | None = None,
) -> list[str]:
    """Return the command line that runs `command` in a container.

    Folders, and the working directory, are at the same paths inside; stdin and stdout pass through;
    the one GPU is all that is seen. With the runtime "none" the command is returned as it is, and
    its environment is the caller's affair; elsewhere nothing of the host's environment gets in but
    `environment` and what marks the processes as this job's.

    Raises:
        InputError: a folder's name cannot be given to the container.
    """
    if container.runtime == "none":
        return list(command)
    here = Path.cwd()
    bound = list(dict.fromkeys(str(here / folder) for folder in (here, *folders)))
    for folder in bound:
        if set(folder) & set(",:"):
            raise InputError(f"a container cannot have {folder}: a name in it has ',' or ':'")
    inside = {
        "PYTHONUNBUFFERED": "1",
        "PYTHONNOUSERSITE": "1",  # of a home folder that is there, too
        TOKEN: os.environ.get(TOKEN, ""),
        **(environment or {}),
    }
    if container.runtime == "apptainer":
        start = _apptainer(bound, here)
        inside["CUDA_VISIBLE_DEVICES"] = gpu_uuid
        image = [container.image, *_SHELL]
    else:
        start = _docker(bound, here, gpu_uuid)
        inside.pop("CUDA_VISIBLE_DEVICES", None)  # there is only one
        inside |= {"HOME": "/tmp", "USER": "sweetspot"}  # noqa: S108 - the container's own
        image = ["--entrypoint", _SHELL[0], container.image, *_SHELL[1:]]
    return [*start, *image, *(f"{name}={value}" for name, value in inside.items()), *command]


def _apptainer(folders: Sequence[str], here: Path) -> list[str]:
    binds = [part for folder in folders for part in ("--bind", f"{folder}:{folder}")]
    return ["apptainer", "exec", "--nv", "--cleanenv", *binds, "--pwd", str(here)]


def _docker(folders: Sequence[str], here: Path, gpu_uuid: str) -> list[str]:
    """Return the beginning of the command line; by its --name the guard ends the container."""
    mounts = [
        part for folder in folders for part in ("--mount", f"type=bind,src={folder},dst={folder}")
    ]
    return [
        *("docker", "run", "--rm", "--init", "--interactive", "--pull", "never"),
        *("--name", f"sweetspot-{uuid.uuid4().hex}"),
        *("--gpus", f"device={gpu_uuid}"),
        # what NVIDIA asks for in its images: TensorRT and NCCL use shared and locked memory
        *("--ipc", "host", "--ulimit", "memlock=-1", "--ulimit", "stack=67108864"),
        *("--user", f"{os.getuid()}:{os.getgid()}"),
        *(*mounts, "--workdir", str(here)),
    ]
