"""The simulator's constants in the files that ship, as a page."""

from collections.abc import Iterable, Mapping

from sweetspot.catalog import gpu
from sweetspot.markdown import table
from sweetspot.reference.words import notice
from sweetspot.simulator.constants.calibration_file import (
    CalibrationFile,
    shipped_boards,
    shipped_engines,
)
from sweetspot.simulator.constants.constants import (
    METADATA,
    OTHER_BYTE_ENERGY_J,
    REFERENCE_GPU,
    scales,
    stated_on,
)
from sweetspot.simulator.cost.clocks import voltage_squared


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
            f" {OTHER_BYTE_ENERGY_J:.2g} J per byte, which lies between what was found of an H100"
            " and of an H200, and all others as they are. That byte, `voltage_share` and"
            " `on_die_share` were chosen with the cells of data/h200-vllm in sight; tests on these"
            " cells are made without them ([accuracy.md](accuracy.md)).",
            "",
            "**Known to be off: boards of one die.** What a FLOP takes at a clock is the die's,"
            " whatever the limit, but the ratio above follows the limit. Against an H100 SXM at the"
            f" same clock {_of_one_die('h100-pcie')} and {_of_one_die('h100-nvl')}: long prompts"
            " come out at too high a clock, too fast and with too little energy. (64 requests of"
            " 4096 + 16 tokens of Llama 3.1 8B on an `h100-pcie`: 1504 MHz and 3.21 J per token,"
            f" by the die's joules 1359 MHz and 3.50 J.) {_of_one_die('h200-nvl')}. The limit"
            " of a `gh200` is its module's, CPU included, so its waiting power and its joules"
            f" come out too high: {_of_one_die('gh200')}.",
            "",
            "## Boards",
            *_parts(shipped_boards(), "board"),
            "",
            "## Engines",
            *_parts(shipped_engines(), "engine"),
            "",
        ]
    )


def _of_one_die(gpu_id: str) -> str:
    """Return how far a board's joules per FLOP are from the reference's at the same clock."""
    board, reference = gpu(gpu_id), gpu(REFERENCE_GPU)
    share = board.max_clock_mhz / reference.max_clock_mhz
    of_die = voltage_squared(stated_on(reference).board, share)
    percent = 100 * (scales(board)["flop_energy_j"] / of_die - 1)
    return f"`{gpu_id}` has {abs(percent):.0f} % {'more' if percent > 0 else 'less'} per FLOP"


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
