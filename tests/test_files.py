"""Atomic files: whole or not there."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from sweetspot.errors import InputError
from sweetspot.files import (
    atomic_writer,
    make_folder_of,
    write_bytes_atomic,
    write_text_atomic,
    write_together,
)


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


def test_link_stays_and_what_it_leads_to_is_replaced(tmp_path):
    link, target = tmp_path / "link", tmp_path / "new" / "target"
    link.symlink_to(target)
    for text in ("first", "second"):
        write_text_atomic(link, text)
        assert link.is_symlink()
        assert target.read_text() == text
    assert list(target.parent.iterdir()) == [target]


def test_fifo_is_written_to(tmp_path):
    fifo, read = tmp_path / "fifo", []
    os.mkfifo(fifo)
    reader = Thread(target=lambda: read.append(fifo.read_text()), daemon=True)
    reader.start()
    make_folder_of(fifo)
    write_text_atomic(fifo, "whole\n")
    reader.join(60)
    assert read == ["whole\n"]
    assert fifo.is_fifo()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_device_is_written_to_and_stays(tmp_path):
    link = tmp_path / "full"  # where the device itself were replaced, this would be instead
    link.symlink_to("/dev/full")
    with pytest.raises(InputError, match="No space left on device"):
        write_text_atomic(link, "text")
    assert link.is_char_device()


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="needs /dev/stdout")
def test_standard_output_goes_on_in_its_file(tmp_path):
    out = tmp_path / "out.txt"
    out.write_text("before\n")
    program = (
        "from pathlib import Path; from sweetspot.files import write_text_atomic; print('one');"
        " write_text_atomic(Path('/dev/stdout'), 'two\\n'); print('three')"
    )
    with out.open("a") as file:
        subprocess.run([sys.executable, "-c", program], stdout=file, check=True)
    assert out.read_text() == "before\none\ntwo\nthree\n"


@pytest.mark.parametrize("write", [make_folder_of, lambda path: write_text_atomic(path, "")])
def test_folder_in_place_of_the_file_is_an_input_error(tmp_path, write):
    with pytest.raises(InputError, match=r"cannot write .*: Is a directory"):
        write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def write_one(path, text):
    write_bytes_atomic(path, text)


def write_some(path, text):
    write_together([(path, text), (path.with_name("other"), text)])


@pytest.mark.parametrize("write", [write_one, write_some])
def test_writers_of_one_file_with_the_same_process_id_leave_it_whole(tmp_path, monkeypatch, write):
    monkeypatch.setattr(os, "getpid", lambda: 1)  # as in two containers that share a folder
    path, synced = tmp_path / "x", os.fsync

    def late(descriptor):  # the other one begins and ends while this one waits for the disk
        monkeypatch.setattr(os, "fsync", synced)
        write(path, b"the other's, which is longer")
        assert path.read_bytes() == b"the other's, which is longer"
        synced(descriptor)

    monkeypatch.setattr(os, "fsync", late)
    write(path, b"this one's")
    assert path.read_bytes() == b"this one's"
    assert not [each for each in tmp_path.iterdir() if each.name not in ("x", "other")]


def test_file_has_the_mode_that_the_umask_gives(tmp_path):
    before = os.umask(0o027)
    try:
        write_one(tmp_path / "x", b"")
        write_some(tmp_path / "y", b"")
    finally:
        os.umask(before)
    assert [stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()] == [0o640] * 3


def test_files_that_are_written_together_replace_the_old_ones(tmp_path):
    (tmp_path / "a").write_bytes(b"old and longer")
    write_together([(tmp_path / "a", b"new")], [(tmp_path / "folder" / "b", b"")])
    assert (tmp_path / "a").read_bytes() == b"new"
    assert (tmp_path / "folder" / "b").read_bytes() == b""
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a", "folder"]


def test_disk_that_fails_one_of_several_leaves_all_as_they_were(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left on device"):
        write_together([(tmp_path / "a", b"new"), (tmp_path / "b", b"new")])
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_nothing_is_written_of_no_files():
    write_together([], [])
