"""What was found of a board's sensor once, by whichever campaign beside this one."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from sweetspot.campaign.sensor.square_wave import FACTS, SAMPLES
from sweetspot.catalog import Gpu
from sweetspot.errors import InputError, MeterError
from sweetspot.files import write_bytes_atomic
from sweetspot.metering.nvml import Board, allowed_boards
from sweetspot.reading import read_json

SAME = ("gpu_uuid", "driver")


def take_up_sensor(folder: Path, wanted: Gpu, campaign: Path) -> Path | None:
    """Copy what another campaign found of this node's board and driver; return that folder.

    Campaigns beside this one are looked into, and their parts: None where none has it.

    Args:
        folder: of the part that wants it; of one part alone that is `campaign`.
        wanted: the GPU of the campaign.
        campaign: its folder.
    """
    here = _boards(wanted)
    for other in _others(folder, campaign.resolve().parent):
        found = _board_of(other / FACTS)
        if found and found in here and (other / SAMPLES).is_file():
            try:
                content = {name: (other / name).read_bytes() for name in (SAMPLES, FACTS)}
            except OSError:  # somebody else's
                continue
            folder.mkdir(parents=True, exist_ok=True)
            for name, data in content.items():  # the facts last: where they are, all is
                write_bytes_atomic(folder / name, data)
            return other
    return None


def _others(folder: Path, campaigns: Path) -> Iterator[Path]:
    """Yield the other folders of campaigns and of parts that hold facts of a sensor."""
    here = folder.resolve()
    for depth in ("*", "*/*"):
        for path in sorted(campaigns.glob(f"{depth}/{FACTS}")):
            if path.parent != here:
                yield path.parent


def _boards(wanted: Gpu) -> list[tuple[str, ...]]:
    """Return board and driver of what could be measured on."""
    found = []
    with suppress(MeterError):
        for uuid, name in allowed_boards().items():
            if wanted.is_called(name):
                with Board(uuid) as board:
                    found.append(_same(board.facts()))
    return found


def _board_of(path: Path) -> tuple[str, ...] | None:
    with suppress(InputError, KeyError, TypeError):
        return _same(read_json(path, "sensor facts")["gpu"])
    return None


def _same(facts: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(facts[name] for name in SAME)
