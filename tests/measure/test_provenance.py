"""Provenance: the code that runs, this machine, now."""

import platform
import re
import subprocess
from datetime import UTC, datetime

import pytest

import sweetspot
from sweetspot.measure.provenance import COMMIT, git_commit, package_versions, provenance


@pytest.fixture
def fresh():
    """Forget the commit that another test has read, before and after."""
    git_commit.cache_clear()
    yield
    git_commit.cache_clear()


def test_facts_are_text_and_of_this_process():
    before = datetime.now(UTC).replace(microsecond=0)
    facts = provenance()
    assert all(isinstance(value, str) for value in facts.values())
    assert facts["sweetspot"] == sweetspot.__version__
    assert facts["python"] == platform.python_version()
    assert before <= datetime.fromisoformat(facts["started_utc"]) <= datetime.now(UTC)


def test_package_that_is_not_installed_has_no_version():
    assert package_versions(["pytest", "no-such-package"]) == {
        "pytest": pytest.__version__,
        "no-such-package": "",
    }


@pytest.mark.usefixtures("fresh")
def test_commit_is_a_hash_or_nothing():
    assert re.fullmatch(r"([0-9a-f]{40}(\+changes)?)?", git_commit())


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError("git"),
        subprocess.CalledProcessError(128, "git"),
        subprocess.TimeoutExpired("git", 10),
    ],
)
def test_commit_is_empty_without_git(monkeypatch, error):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(subprocess, "run", fail)
    monkeypatch.delenv(COMMIT, raising=False)
    assert git_commit() == ""


@pytest.mark.usefixtures("fresh")
def test_commit_of_a_copy_outside_of_git_is_the_one_it_is_said_to_be(monkeypatch):
    monkeypatch.setenv(COMMIT, "c0ffee")
    monkeypatch.setenv("PATH", "")
    assert git_commit() == "c0ffee"
