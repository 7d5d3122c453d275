"""Atomic files: whole or not there."""

import errno
import os

import pytest

from sweetspot.errors import InputError
from sweetspot.files import atomic_writer, write_bytes_atomic, write_text_atomic


def test_text_is_written_as_utf8_in_new_folders(tmp_path):
    path = tmp_path / "a" / "b" / "note.txt"
    write_text_atomic(path, "α = 1\n")
    assert path.read_bytes() == "α = 1\n".encode()
    assert list(path.parent.iterdir()) == [path]


def test_write_replaces_the_old_content(tmp_path):
    path = tmp_path / "x"
    write_bytes_atomic(path, b"a longer old content")
    write_bytes_atomic(path, b"new")
    assert path.read_bytes() == b"new"


def write_half_and(stop, path):
    with atomic_writer(path) as file:
        file.write(b"half")
        raise stop


@pytest.mark.parametrize("stop", [RuntimeError, KeyboardInterrupt])
def test_interrupted_write_keeps_what_was_there(tmp_path, stop):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with pytest.raises(stop):
        write_half_and(stop, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_parent_that_is_a_file_is_an_input_error(tmp_path):
    (tmp_path / "results").write_text("not a folder")
    with pytest.raises(InputError, match=r"cannot write .*results/x: .+; choose a folder"):
        write_text_atomic(tmp_path / "results" / "x", "")


def test_full_disk_is_an_input_error(tmp_path):
    with (
        pytest.raises(InputError, match="No space left on device"),
        atomic_writer(tmp_path / "x"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list(tmp_path.iterdir()) == []
