"""Which of a node's GPUs a job may use, as CUDA and Slurm say it in the environment."""

from collections.abc import Mapping, Sequence

from sweetspot.catalog import Gpu, gpu, gpu_ids
from sweetspot.errors import MeterError

CUDA = "CUDA_VISIBLE_DEVICES"
SLURM = ("SLURM_STEP_GPUS", "SLURM_JOB_GPUS")


def allowed(environment: Mapping[str, str], uuids: Sequence[str]) -> list[str]:
    """Return which of the GPUs `uuids` (in NVML's order) a job may use, in the order it prefers.

    CUDA_VISIBLE_DEVICES decides where it is set: indexes, UUIDs, or beginnings of UUIDs that fit
    one GPU only. NVML's indexes are in PCI order, which is CUDA's order too wherever the node's
    GPUs are alike or CUDA_DEVICE_ORDER=PCI_BUS_ID is set. Without it Slurm's list of this step or
    job decides, where NVML sees more GPUs than are in it: elsewhere Slurm hides the others, and its
    indexes, which are the whole node's, mean nothing here. Without either, all are allowed.

    Raises:
        MeterError: none is allowed, one is not there, or only a slice of one (MIG) is allowed,
            whose power no board reports.
    """
    if CUDA in environment:
        chosen = [_named(entry, CUDA, uuids) for entry in _visible(environment[CUDA])]
    else:
        chosen = _of_slurm(environment, uuids)
    if not chosen:
        raise MeterError("NVML finds no GPU on this node")
    return list(dict.fromkeys(chosen))


def why_none_is(wanted: Gpu, boards: Mapping[str, str], environment: Mapping[str, str]) -> str:
    """Return why none of these boards (names by UUID) is the wanted one; "" if one is."""
    if any(map(wanted.is_called, boards.values())):
        return ""
    found = " and ".join(repr(name) for name in dict.fromkeys(boards.values()))
    if not wanted.nvml_name:
        return f"the file of {wanted.id} has no nvml_name, by which the GPU here, {found}, is known"
    they_are = "the GPU is" if len(boards) == 1 else "the GPUs are"
    reason = f"{they_are} {found}, not {wanted.id} ({wanted.nvml_name!r})"
    if chosen := environment.get(CUDA):
        meant = ", ".join(f"{uuid} ({name})" for uuid, name in boards.items())
        reason += f"; {CUDA}={chosen} is {meant}"
        if any(entry.strip().isdecimal() for entry in chosen.split(",")):
            reason += " in NVML's order, which need not be CUDA's: name UUIDs (nvidia-smi -L)"
    same = next((each for each in gpu_ids() if any(map(gpu(each).is_called, boards.values()))), "")
    return f"{reason}; to use what is here, name {same}" if same else reason


def _visible(value: str) -> list[str]:
    """Return the entries that CUDA reads: those before the first -1."""
    entries = [entry.strip() for entry in value.split(",")]
    entries = entries[: entries.index("-1")] if "-1" in entries else entries
    if not any(entries):
        raise MeterError(f"{CUDA} is {value!r}, which hides every GPU; name one, or unset it")
    return entries


def _of_slurm(environment: Mapping[str, str], uuids: Sequence[str]) -> list[str]:
    for variable in SLURM:
        entries = [entry.strip() for entry in environment.get(variable, "").split(",")]
        if any(entries):
            confined = len(uuids) <= len(entries)
            return list(uuids) if confined else [_named(e, variable, uuids) for e in entries]
    return list(uuids)


def _named(entry: str, variable: str, uuids: Sequence[str]) -> str:
    """Return the GPU that one entry names."""
    if entry.startswith("MIG-"):
        raise MeterError(
            f"{variable} names a MIG slice ({entry}); power is known only for whole GPUs: ask for"
            " one"
        )
    if entry.isdecimal():
        found = list(uuids[int(entry) : int(entry) + 1])
    else:
        found = [uuid for uuid in uuids if entry and uuid.startswith(entry)]
    if len(found) != 1:
        what = f"fits {len(found)} GPUs" if found else "is not there"
        raise MeterError(f"GPU {entry!r} of {variable} {what}; NVML sees {', '.join(uuids)}")
    return found[0]
