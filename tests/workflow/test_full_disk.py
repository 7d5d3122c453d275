"""Results on a disk that is full, or read-only."""

import subprocess

import pytest

CELLS = "results/small/cells.csv"


def mount(*arguments):
    return subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def small_disk():
    """Return a function that puts a file system of some size over a folder."""
    folders = []

    def put(folder, size):
        folder.mkdir(exist_ok=True)
        made = mount("-t", "tmpfs", "-o", f"size={size}", "none", folder)
        if made.returncode:
            pytest.skip(f"a small file system is mounted, which needs root: {made.stderr.strip()}")
        folders.append(folder)
        return folder

    yield put
    for folder in folders:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.slow(reason="three runs of Snakemake")
def test_full_disk_and_read_only_results_cost_a_line_and_the_same_command(project, small_disk):
    project.write(models=["models/mine"])
    disk = small_disk(project.folder / "results", "48k")
    outcome = project.snakemake(CELLS)
    assert outcome.code == 1
    assert "sweetspot: error: cannot write results/small/records/mine/b1024/" in outcome.text
    assert "No space left on device; choose a folder" in outcome.text
    assert "Traceback" not in outcome.text
    done = project.records()
    assert 0 < len(done) < 9

    mount("-o", "remount,size=8m,ro", disk)
    outcome = project.snakemake(CELLS)
    assert outcome.code == 2
    [line] = outcome.errors
    assert "cannot write results/small: Read-only file system" in line
    assert "Traceback" not in outcome.text

    mount("-o", "remount,rw", disk)
    outcome = project.snakemake(CELLS)
    assert outcome.code == 0, outcome.text
    assert f"mine/b1024: 9 cells, {len(done)} of them reused" in outcome.text
    assert project.records().items() >= done.items()


@pytest.mark.slow(reason="a run of Snakemake")
def test_disk_without_room_for_snakemakes_own_files_is_one_line(project, small_disk):
    disk = small_disk(project.folder, "64k")
    project.add_model("mine")
    project.write(models=["models/mine"])
    (disk / "filler").write_bytes(bytes(32 * 1024))
    outcome = project.snakemake(CELLS)
    assert outcome.code == 2
    [line] = outcome.errors
    assert "No space left on device; choose a folder" in line
    assert "Traceback" not in outcome.text
    assert not project.records()
