"""The reference pages that are generated from code, so that the two cannot differ.

docs/configuration.md and docs/config.schema.json from the experiment's classes, docs/cells.md from
the cell record's, docs/simulator-constants.md from the constants and the calibrations that ship.
`make docs` writes them; a test fails when a committed page is not what this package gives.
"""

import json
from pathlib import Path

from sweetspot.files import write_text_atomic
from sweetspot.reference.cells import cells_page
from sweetspot.reference.configuration import configuration_page, experiment_schema
from sweetspot.reference.constants import constants_page

__all__ = ["experiment_schema", "pages", "write_pages"]


def pages() -> dict[str, str]:
    """Return the text of every generated file, by its name in docs/."""
    return {
        "configuration.md": configuration_page(),
        "config.schema.json": json.dumps(experiment_schema(), indent=2, ensure_ascii=False) + "\n",
        "cells.md": cells_page(),
        "simulator-constants.md": constants_page(),
    }


def write_pages(folder: Path) -> list[Path]:
    """Write all pages and return their paths.

    Raises:
        InputError: the folder cannot be written to.
    """
    written = []
    for name, text in pages().items():
        write_text_atomic(folder / name, text)
        written.append(folder / name)
    return written
