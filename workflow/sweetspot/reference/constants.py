"""The simulator's constants in the calibrations that ship, as a page."""

from collections.abc import Iterable
from dataclasses import fields

from sweetspot.markdown import table
from sweetspot.reference.words import notice
from sweetspot.simulator.constants.calibration_file import CalibrationFile, shipped_calibrations
from sweetspot.simulator.constants.constants import Constants


def constants_page() -> str:
    """Return docs/simulator-constants.md."""
    return "\n".join(
        [
            notice("simulator/constants/constants.py"),
            "# Constants of the simulator",
            "",
            "What they do: [simulator.md](simulator.md). A fit holds every constant between its"
            " bounds; one that it pushed to a bound is marked with \\*, and its value says little.",
            *(line for found in shipped_calibrations().values() for line in _calibration(found)),
            "",
        ]
    )


def _calibration(found: CalibrationFile) -> Iterable[str]:
    rows = (
        (
            f"`{f.name}`" + (r"\*" if f.name in found.at_bound else ""),
            f"{found.constants[f.name]:.5g}",
            f.metadata["unit"],
            f"{f.metadata['low']:g} … {f.metadata['high']:g}",
            f.metadata["meaning"],
            f.metadata["source"],
        )
        for f in fields(Constants)
    )
    yield from (
        "",
        f"## {found.name}",
        "",
        f"For `{found.gpu}` with {found.engine}; level: {found.level}. Fitted to:"
        f" {', '.join(f'`{name}`' for name in found.seen)}. Mean error on what it was fitted"
        " to, which is not evidence for anything else:",
        "",
        *(f"- `{name}`: {percent:.2f} %" for name, percent in found.errors_percent.items()),
        "",
        table(("constant", "value", "unit", "bounds", "meaning", "source of the bounds"), rows),
    )
