"""The simulator's constants in the files that ship, as a page."""

from collections.abc import Iterable, Mapping

from sweetspot.markdown import table
from sweetspot.reference.words import notice
from sweetspot.simulator.constants.calibration_file import (
    CalibrationFile,
    shipped_boards,
    shipped_engines,
)
from sweetspot.simulator.constants.constants import METADATA


def constants_page() -> str:
    """Return docs/simulator-constants.md."""
    return "\n".join(
        [
            notice("simulator/constants/constants.py"),
            "# Constants of the simulator",
            "",
            "What they do: [simulator.md](simulator.md). A prediction takes a board's constants and"
            " an engine's; what kernels reach of a board's peaks is in [kernels.md](kernels.md)."
            " Those in bold were fitted, each between its bounds; the others are held at what their"
            " source states. A GPU without a file has the constants of `h100-sxm`: powers in the"
            " ratio of the power limits, joules per FLOP in that of power limit over peak FLOP/s,"
            " all others as they are.",
            "",
            "## Boards",
            *_parts(shipped_boards(), "board"),
            "",
            "## Engines",
            *_parts(shipped_engines(), "engine"),
            "",
        ]
    )


def _parts(files: Mapping[str, CalibrationFile], which: str) -> Iterable[str]:
    for name, found in files.items():
        part = found.board if which == "board" else found.engine
        assert part is not None  # noqa: S101 - a board's file has a board, an engine's an engine
        seen = ", ".join(f"`{each}`" for each in found.seen) or "nothing"
        yield from ("", f"### {name}", "", f"Level: {found.level}; fitted to: {seen}.")
        if found.errors_percent:
            yield from (
                "",
                "Mean error of that fit, which is not evidence for anything else:",
                "",
                *(f"- `{each}`: {error:.2f} %" for each, error in found.errors_percent.items()),
            )
        yield from ("", _table(found, part.constants))


def _table(found: CalibrationFile, constants: Mapping[str, float]) -> str:
    header = ("constant", "value", "unit", "bounds", "meaning", "source of the bounds")
    rows = []
    for name, value in constants.items():
        meta = METADATA[name]
        rows.append(
            (
                f"**`{name}`**" if name in found.fitted else f"`{name}`",
                f"{value:.5g}",
                meta["unit"],
                f"{meta['low']:g} … {meta['high']:g}",
                meta["meaning"],
                meta["source"],
            )
        )
    return table(header, rows)
