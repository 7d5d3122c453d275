"""A finished run, to change."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def run(small_run: Path, tmp_path: Path) -> Path:
    """Return a copy of it, to change."""
    return Path(shutil.copytree(small_run, tmp_path / "small"))
