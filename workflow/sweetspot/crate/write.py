"""A crate as a folder, or as one .zip; the same run gives the same bytes."""

import tempfile
import zipfile
from pathlib import Path

from sweetspot.crate.crate import Publishing, metadata_of
from sweetspot.crate.entities import METADATA, Part
from sweetspot.crate.made import made_in
from sweetspot.errors import InputError
from sweetspot.files import atomic_writer, make_folder

ZIP = ".zip"
OTHER_ARCHIVES = (".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zst")
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The first time that a .zip can say; when files were made, the metadata say."""
MODE = 0o644


def write_crate(folder: Path, out: Path, publishing: Publishing) -> int:
    """Write the crate of a finished run or of a campaign's data, and return how many files it has.

    Args:
        folder: of the run, or of the data.
        out: a file that ends in .zip, or a folder that is not there yet or empty.
        publishing: what the manifest does not say.

    Raises:
        InputError: the folder holds neither, or `out` cannot be written, has something in it, or is
            called as another kind of archive.
    """
    if out.suffix.lower() in OTHER_ARCHIVES:
        raise InputError(f"{out}: a crate is a folder or a {ZIP}; name one of these")
    made = made_in(folder)
    text = metadata_of(made, publishing).encode()
    about = Part(METADATA, text, "What this crate holds.")
    parts = {part.name: part for part in (*made.parts, about)}
    if len(parts) != len(made.parts) + 1:
        raise InputError(f"{folder}: the experiment names a file that is called as one of its run")
    if out.suffix.lower() == ZIP:
        _write_zip(out, list(parts.values()))
    else:
        _write_folder(out, list(parts.values()))
    return len(parts)


def _write_zip(out: Path, parts: list[Part]) -> None:
    with atomic_writer(out) as file, zipfile.ZipFile(file, "w") as archive:
        for part in sorted(parts, key=lambda each: each.name):
            entry = zipfile.ZipInfo(part.name, EPOCH)
            entry.external_attr = MODE << 16
            archive.writestr(entry, part.content(), zipfile.ZIP_DEFLATED)


def _write_folder(out: Path, parts: list[Part]) -> None:
    """Write a folder that is whole or not there."""
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise InputError(f"{out} is there already; name a folder that is empty or not there")
    make_folder(out.parent)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as temporary:
        whole = Path(temporary) / "crate"
        for part in parts:
            path = whole / part.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(part.content())
        whole.replace(out)
