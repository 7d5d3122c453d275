"""What the kernel tells of processes: with odd names, of others, and of none."""

import os

import pytest

from sweetspot import proc


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Return a function that has the kernel tell of process 77."""
    monkeypatch.setattr(proc, "PROC", tmp_path)
    for folder in ("77", "net"):
        (tmp_path / folder).mkdir()

    def tell(file, content):
        (tmp_path / "77" / file).write_bytes(content)

    return tell


def test_name_with_spaces_and_parentheses_shifts_nothing(told):
    told("stat", b"77 (a) Z 1 (\xff b) S 5 77 6 " + b"0 " * 15 + b"123 0 0\n")
    assert proc.stat(77)[proc.STATE] == "S"
    assert [proc.number(77, at) for at in (proc.PARENT, proc.SESSION, proc.START)] == [5, 6, 123]
    assert proc.pids() == [77]


def test_process_that_is_gone_has_nothing(told):
    assert (proc.stat(77), proc.number(77, proc.PARENT), proc.name(77)) == ([], None, "")
    assert proc.environment(77) is None


def test_environment_that_a_title_took_the_place_of_is_none(told):
    told("environ", b"VLLM::EngineCore\0\0")
    assert proc.environment(77) is None
    told("environ", b"A=1\0B=\0")
    assert proc.environment(77) == [b"A=1", b"B=", b""]


def test_this_process_is_told_of():
    assert proc.number(os.getpid(), proc.PARENT) == os.getppid()
    assert os.getpid() in proc.pids()
    assert b"=" in b"".join(proc.environment(os.getpid()))
