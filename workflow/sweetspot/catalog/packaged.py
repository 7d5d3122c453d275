"""Data files that ship with the catalog."""

from pathlib import Path
from typing import Any

import yaml

# The C loader is ten times as fast; PyYAML may be built without it. It is for our own files only:
# others may be nested so deeply that it ends the process.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_packaged(name: str) -> dict[str, Any]:
    """Return the mapping in the YAML file `name` of this folder."""
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    data: dict[str, Any] = yaml.load(text, Loader=_LOADER)  # noqa: S506  a safe loader, in C
    return data
