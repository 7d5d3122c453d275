"""What must be so before jobs are submitted to SLURM: each of these would show hours later."""

import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sweetspot.errors import InputError

# The executor looks at the queue ever more rarely while no job ends, up to this.
LONGEST_PAUSE_S = 180
ANSWER_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """What one job will ask for; "" where the profile names no partition or account."""

    name: str
    partition: str
    account: str
    runtime_min: int


@dataclass(frozen=True, slots=True)
class Partition:
    """How long a job may run at most, and the types of GPU, as SLURM names them (GRES)."""

    limit_min: float
    gpu_types: frozenset[str]


def partition(names: str) -> Partition | None:
    """Return what SLURM says of a partition, or of all that are named, with commas between.

    None where there is no SLURM that answers, or one of the names is not known to it.
    """
    if not names or not shutil.which("sinfo"):
        return None
    try:
        found = _partitions()
    except InputError:
        return None
    if not set(names.split(",")) <= found.keys():
        return None
    several = [found[name] for name in names.split(",")]
    return Partition(
        max(each.limit_min for each in several),  # SLURM takes one whose limit is long enough
        frozenset().union(*(each.gpu_types for each in several)),
    )


def gpu_type(board: str, partition: Partition) -> str:
    """Return which of a partition's types a board is, by the name that NVML gives it.

    "" where none or several fit: a site may call its boards as it likes. What SLURM finds by itself
    it calls as NVML does, or by a part of that.

    Source: gres.conf of SLURM, AutoDetect and Type.
    """
    words = f"_{board.replace(' ', '_').lower()}_"
    fitting = [each for each in partition.gpu_types if f"_{each.lower()}_" in words]
    # the executor takes no other characters
    return fitting[0] if len(fitting) == 1 and re.fullmatch(r"[A-Za-z0-9_.]+", fitting[0]) else ""


def require_slurm(jobs: Iterable[JobRequest], status_command: str, folder: Path) -> None:
    """Check that this machine can submit such jobs from `folder`, and will see them end.

    `status_command` is what the executor asks for their state: `squeue` or `sacct`.

    Raises:
        InputError: it cannot; the message says what is missing and what to do.
    """
    jobs = list(jobs)
    _require_programs(jobs)
    configuration = _configuration()
    partitions = _partitions()
    for job in jobs:
        _require_partition(job, partitions)
    _require_status(status_command, configuration)
    left = _jobs_of(folder)
    if left:
        raise InputError(
            f"SLURM still has {len(left)} jobs of an earlier command in this folder, which would"
            f" measure the same cells: wait until they end, or `scancel {' '.join(left)}`, then"
            " the same command"
        )


def _require_programs(jobs: Iterable[JobRequest]) -> None:
    """Snakemake's executor calls all of these, the last to find or check an account."""
    of_accounts = {"sacctmgr" if job.account else "sacct" for job in jobs}
    wanted = ("sbatch", "squeue", "scancel", "scontrol", "sinfo", *sorted(of_accounts))
    missing = [name for name in wanted if not shutil.which(name)]
    if missing:
        raise InputError(
            f"cannot submit to SLURM: {', '.join(missing)} not on PATH; run this on a login node of"
            " the cluster (`module load slurm` on some), or without --workflow-profile on a GPU"
            " node"
        )


def _configuration() -> Mapping[str, str]:
    """Return what SLURM says of itself, by its names."""
    lines = _answer("scontrol", "show", "config").splitlines()
    pairs = (line.partition("=") for line in lines)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _partitions() -> Mapping[str, Partition]:
    """Return what SLURM has, by name; nodes of one partition may differ in their GPUs."""
    found: dict[str, Partition] = {}
    for line in _answer("sinfo", "-h", "-o", "%R|%l|%G").splitlines():
        name, limit, gres = line.split("|")
        types = frozenset(re.findall(r"gpu:([^:,()]+):\d", gres))
        before = found.get(name)
        found[name] = Partition(_minutes(limit), types | (before.gpu_types if before else types))
    return found


def _minutes(limit: str) -> float:
    """Return [days-][[hours:]minutes:]seconds in minutes."""
    if not re.fullmatch(r"(\d+-)?[\d:]+", limit):
        return float("inf")  # infinite, n/a
    days, _, clock = limit.rpartition("-")
    seconds = 0
    for part in clock.split(":"):
        seconds = 60 * seconds + int(part)
    return 24 * 60 * int(days or 0) + seconds / 60


def _require_partition(job: JobRequest, partitions: Mapping[str, Partition]) -> None:
    names = job.partition.split(",")  # of several, SLURM takes the first that is free
    if not job.partition or not set(names) <= partitions.keys():
        what = (
            f"there is no partition {job.partition!r}" if job.partition else "no partition is set"
        )
        raise InputError(
            f"cannot submit to SLURM: {what}; write the one whose nodes have your GPUs to"
            " default-resources, slurm_partition, of the profile"
            f" (and slurm_account, where jobs are charged); SLURM has: {', '.join(partitions)}"
        )
    limit_min = max(partitions[name].limit_min for name in names)
    if job.runtime_min > limit_min:
        raise InputError(
            f"{job.name} asks for {job.runtime_min} minutes, and partition {job.partition} ends"
            f" jobs after {limit_min:g}: name another partition, or set the job's runtime in the"
            " profile (set-resources); blocks are split where that helps, but no cell is"
        )


def _require_status(status_command: str, configuration: Mapping[str, str]) -> None:
    """Jobs whose end nobody says would be waited for for ever."""
    kept_s = int(configuration.get("MinJobAge", "0").split()[0])  # "300 sec"
    if status_command == "squeue" and kept_s <= LONGEST_PAUSE_S:
        raise InputError(
            f"SLURM forgets a job {kept_s} s after its end (MinJobAge), and squeue is asked every"
            f" {LONGEST_PAUSE_S} s at most; set slurm-status-command: sacct in the profile, and"
            " where that has no accounting, ask for a longer MinJobAge"
        )
    if status_command == "sacct":
        accounting = configuration.get("AccountingStorageType", "")
        if accounting.endswith("/none"):
            raise InputError(
                "this SLURM keeps no accounts, so that sacct knows no job; set"
                " slurm-status-command: squeue in the profile"
            )


def _jobs_of(folder: Path) -> list[str]:
    """Return the ids of this user's jobs that Snakemake submitted from `folder`."""
    rows = _answer("squeue", "-h", "--me", "-o", "%A|%k|%Z").splitlines()
    found = (row.split("|", 2) for row in rows)
    return [
        job
        for job, comment, place in found
        if comment.startswith("rule_") and Path(place) == folder.absolute()
    ]


def _answer(*command: str) -> str:
    """Return what a command of SLURM says."""
    try:
        return subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=ANSWER_S
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        said = str(getattr(error, "stderr", "") or error).strip()
        raise InputError(
            f"SLURM does not answer `{' '.join(command)}`: {said}; try it by hand, and ask those"
            " who run the cluster"
        ) from error
