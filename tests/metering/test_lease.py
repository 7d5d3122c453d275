"""Who may measure on a board, and for how long."""

import errno
import os
import stat
import subprocess
import sys
from contextlib import ExitStack
from itertools import permutations
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest

from sweetspot.catalog import gpu
from sweetspot.errors import MeterError
from sweetspot.metering import lease
from sweetspot.metering.lease import FOLDER, leased_board
from sweetspot.metering.processes import TOKEN

# Says which board it holds, and keeps it until its standard input ends.
HOLDER = (
    "import sys; from sweetspot.metering.lease import leased_board\n"
    "with leased_board() as board: print(board.uuid(), flush=True); sys.stdin.read()"
)


@pytest.fixture(autouse=True)
def quick_retry(monkeypatch):
    monkeypatch.setattr(lease, "RETRY_S", 0.01)


@pytest.fixture
def holders():
    """Return a function that starts a job which holds a board; each is killed with the test."""
    started = []

    def start():
        command = [sys.executable, "-c", HOLDER]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))
        return started[-1]

    yield start
    for each in started:
        with each:
            each.kill()


def test_first_free_board_is_taken(fake_nvml):
    fake_nvml({}, {}, {})
    with leased_board() as first, leased_board() as second:
        assert (first.uuid(), second.uuid()) == ("GPU-0", "GPU-1")
        with leased_board(environment={"CUDA_VISIBLE_DEVICES": "0,2"}) as third:
            assert third.uuid() == "GPU-2"
    with leased_board() as again:
        assert again.uuid() == "GPU-0"


T4, VARIANT, WANTED = {"name": "Tesla_T4"}, {"name": "NVIDIA_H100_NVL"}, {}


@pytest.mark.parametrize("boards", list(permutations((T4, VARIANT, WANTED))))
def test_busy_board_is_waited_for_though_another_kind_is_free(fake_nvml, monkeypatch, boards):
    fake_nvml(*boards)
    with ExitStack() as busy:
        held = busy.enter_context(leased_board(gpu("h100-sxm")))
        monkeypatch.setattr("time.sleep", lambda _: busy.close())
        with leased_board(gpu("h100-sxm")) as board:
            assert (held.uuid(), board.uuid()) == (f"GPU-{boards.index(WANTED)}",) * 2
            assert gpu("h100-sxm").is_called(board.name())


def test_node_without_the_wanted_board_is_a_meter_error_that_says_what_is_there(fake_nvml):
    fake_nvml(T4, VARIANT, WANTED)
    environment = {"CUDA_VISIBLE_DEVICES": "0,1"}
    with pytest.raises(MeterError) as caught, leased_board(gpu("h100-sxm"), environment):
        pass
    assert str(caught.value) == (
        "the GPUs are 'Tesla T4' and 'NVIDIA H100 NVL', not h100-sxm ('NVIDIA H100 80GB HBM3');"
        " CUDA_VISIBLE_DEVICES=0,1 is GPU-0 (Tesla T4), GPU-1 (NVIDIA H100 NVL) in NVML's order,"
        " which need not be CUDA's: name UUIDs (nvidia-smi -L); to use what is here, name h100-nvl"
    )


def test_second_job_waits_until_the_first_is_done(fake_nvml, caplog, wait_until):
    caplog.set_level("INFO")
    fake_nvml({})
    order = []

    def second():
        with leased_board():
            order.append("second")

    with leased_board():
        thread = Thread(target=second)
        thread.start()
        wait_until(lambda: "waiting for a GPU" in caplog.text)
        order.append("first")
    thread.join(60)
    assert order == ["first", "second"]
    assert caplog.text.count("waiting for a GPU: other jobs measure on GPU-0") == 1


def test_four_jobs_hold_four_gpus_alone_and_a_fifth_takes_that_of_one_that_was_killed(
    fake_nvml, holders
):
    fake_nvml({}, {}, {}, {})
    jobs = [holders() for _ in range(4)]
    held = [job.stdout.readline().strip() for job in jobs]
    assert sorted(held) == ["GPU-0", "GPU-1", "GPU-2", "GPU-3"]
    fifth = holders()
    jobs[2].kill()
    assert fifth.stdout.readline().strip() == held[2]


def test_lease_is_not_inherited_by_what_the_job_starts(fake_nvml):
    fake_nvml({})
    with leased_board():
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False)
    with child, leased_board():
        child.stdin.close()


def test_processes_started_under_a_lease_carry_its_token(fake_nvml, monkeypatch):
    monkeypatch.delenv(TOKEN, raising=False)
    fake_nvml({})
    with leased_board():
        assert os.environ[TOKEN]
    assert TOKEN not in os.environ


def test_lock_can_be_read_by_other_users_whatever_the_umask(fake_nvml):
    fake_nvml({})
    before = os.umask(0o077)
    try:
        with leased_board():
            mode = (Path(os.environ[FOLDER]) / "sweetspot-GPU-0.lock").stat().st_mode
    finally:
        os.umask(before)
    assert stat.S_IMODE(mode) == 0o644


def test_lock_that_another_user_made_is_enough(fake_nvml):
    fake_nvml({})
    path = f"{os.environ[FOLDER]}/sweetspot-GPU-0.lock"
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT, 0o444))
    with leased_board():
        pass


def test_folder_without_a_place_for_the_lock_is_a_meter_error(fake_nvml, monkeypatch):
    fake_nvml({})
    monkeypatch.setenv(FOLDER, "/proc/no-such-folder")
    with (
        pytest.raises(MeterError, match=r"GPU by .*GPU-0\.lock: No such file.*; SWEETSPOT_LOCKS"),
        leased_board(),
    ):
        pass


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """The places of a machine, of which nobody named one: root's, one that is not there, all's."""
    monkeypatch.delenv(FOLDER, raising=False)
    folders = [tmp_path / name for name in ("root", "missing", "everybody")]
    for folder, mode in ((folders[0], 0o755), (folders[2], 0o1777)):
        folder.mkdir()
        folder.chmod(mode)
    monkeypatch.setattr(lease, "FOLDERS", folders)
    return folders


def test_place_that_cannot_be_written_to_is_passed_over(machine, monkeypatch):
    """As of a container's image, whose root is mounted read-only, whatever its folders' modes."""
    machine[0].chmod(0o1777)
    real = os.statvfs
    is_root = {machine[0]: SimpleNamespace(f_flag=os.ST_RDONLY)}
    monkeypatch.setattr(os, "statvfs", lambda path: is_root.get(path) or real(path))
    with lease._held(["GPU-0"]):
        assert [each.name for each in machine[2].iterdir()] == ["sweetspot-GPU-0.lock"]


def test_job_with_a_temporary_folder_of_its_own_waits_like_any(machine, monkeypatch, tmp_path):
    with lease._held(["GPU-0"]):
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        monkeypatch.setattr("tempfile.tempdir", None)
        assert lease._first_free(["GPU-0"]) is None
    assert [each.name for each in machine[2].iterdir()] == ["sweetspot-GPU-0.lock"]


def test_machine_without_a_place_that_is_everybodys_is_a_meter_error(machine):
    machine[2].chmod(0o755)
    with pytest.raises(MeterError, match=r"none of .*root, .*that everybody.* SWEETSPOT_LOCKS"):
        lease._first_free(["GPU-0"])


def test_two_jobs_that_make_the_lock_at_once_lock_the_same_file(machine, monkeypatch):
    path, opened = machine[2] / "sweetspot-GPU-0.lock", os.open

    def late(*args):  # another user's is made between this one's look and its own try
        if args[1] & os.O_CREAT:
            os.close(opened(path, os.O_RDONLY | os.O_CREAT))
            if not args[1] & os.O_EXCL:  # as fs.protected_regular has it in everybody's folders
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return opened(*args)

    monkeypatch.setattr(os, "open", late)
    with lease._held(["GPU-0"]):
        assert lease._first_free(["GPU-0"]) is None


def test_link_in_place_of_the_lock_is_not_followed(machine, tmp_path):
    (machine[2] / "sweetspot-GPU-0.lock").symlink_to(tmp_path / "victim")
    with pytest.raises(MeterError, match="Too many levels of symbolic links"):
        lease._first_free(["GPU-0"])
    assert not (tmp_path / "victim").exists()


@pytest.mark.parametrize("visible", ["", "-1", "9", "MIG-1"])
def test_job_without_a_board_is_a_meter_error(fake_nvml, visible):
    fake_nvml({})
    with (
        pytest.raises(MeterError, match="CUDA_VISIBLE_DEVICES"),
        leased_board(environment={"CUDA_VISIBLE_DEVICES": visible}),
    ):
        pass
