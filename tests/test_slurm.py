"""What is said before anything is submitted; SLURM's commands are scripts."""

import shlex
from dataclasses import replace

import pytest

from sweetspot.errors import InputError
from sweetspot.slurm import JobRequest, Partition, gpu_type, partition, require_slurm

JOB = JobRequest(name="measure of m/b8", partition="gpu", account="", runtime_min=90)
SINFO = """\
gpu|1-00:00:00|gpu:h100:4(S:0-1),shard:8
gpu|1-00:00:00|gpu:a100:8
short|1:30:00|gpu:2
long|infinite|(null)"""
PROGRAMS = ("sbatch", "squeue", "scancel", "scontrol", "sinfo", "sacct", "sacctmgr")


@pytest.fixture
def says(tmp_path, monkeypatch):
    """Put SLURM's commands on PATH, alone; return a function that sets what one of them says."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def set_answer(program, answer, code=0):
        script = folder / program
        script.write_text(f"#!/bin/sh\nprintf '%s\\n' {shlex.quote(answer)}\nexit {code}\n")
        script.chmod(0o755)

    for program in PROGRAMS:
        set_answer(program, "")
    set_answer("sinfo", SINFO)
    set_answer("scontrol", "MinJobAge = 300 sec\nAccountingStorageType = accounting_storage/none")
    set_answer("squeue", f"7|(null)|{tmp_path}\n8|rule_measure_wildcards_m/b8|{tmp_path / 'other'}")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.chdir(tmp_path)
    set_answer.folder = folder
    return set_answer


def refusal(tmp_path, job=JOB, status_command="squeue"):
    with pytest.raises(InputError) as error:
        require_slurm([job], status_command, tmp_path)
    return str(error.value)


@pytest.mark.parametrize(
    "job",
    [JOB, replace(JOB, partition="short"), replace(JOB, partition="short,long", runtime_min=10**6)],
)
def test_cluster_that_has_all_is_accepted(job, says, tmp_path):
    require_slurm([job], "squeue", tmp_path)


@pytest.mark.parametrize("program", ["sbatch", "sacct"])
def test_missing_program_is_named(program, says, tmp_path):
    (says.folder / program).unlink()
    assert f"cannot submit to SLURM: {program} not on PATH" in refusal(tmp_path)


def test_account_needs_sacctmgr_not_sacct(says, tmp_path):
    (says.folder / "sacct").unlink()
    with_account = replace(JOB, account="lab")
    require_slurm([with_account], "squeue", tmp_path)
    (says.folder / "sacctmgr").unlink()
    assert "sacctmgr not on PATH" in refusal(tmp_path, with_account)


def test_unset_partition_is_said_with_those_that_there_are(says, tmp_path):
    said = refusal(tmp_path, replace(JOB, partition=""))
    assert "no partition is set" in said
    assert "slurm_account" in said
    assert said.endswith("SLURM has: gpu, short, long")


def test_unknown_partition_is_said(says, tmp_path):
    assert "there is no partition 'gpus'" in refusal(tmp_path, replace(JOB, partition="gpus"))


def test_job_beyond_the_partitions_limit_is_said(says, tmp_path):
    said = refusal(tmp_path, replace(JOB, partition="short", runtime_min=91))
    assert "measure of m/b8 asks for 91 minutes, and partition short ends jobs after 90" in said
    assert "set the job's runtime" in said


@pytest.mark.parametrize(
    ("names", "limit_min", "gpu_types"),
    [
        ("gpu", 1440, {"h100", "a100"}),
        ("short", 90, set()),
        ("gpu,long", float("inf"), {"h100", "a100"}),
    ],
)
def test_partition_has_a_limit_and_types_of_gpu(names, limit_min, gpu_types, says):
    assert partition(names) == Partition(limit_min, frozenset(gpu_types))


def test_nothing_is_known_of_a_partition_where_slurm_does_not_say(says):
    assert partition("gpus") is None
    assert partition("") is None
    says("sinfo", "", code=1)
    assert partition("gpu") is None
    (says.folder / "sinfo").unlink()
    assert partition("gpu") is None


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        (["h100", "a100"], "h100"),
        (["nvidia_h100_80gb_hbm3"], "nvidia_h100_80gb_hbm3"),
        (["H100"], "H100"),
        (["a10", "h200", "hopper", "h1"], ""),
        (["h100", "nvidia_h100"], ""),
        (["h100-80gb"], ""),
    ],
)
def test_type_of_gpu_is_asked_for_where_one_fits_its_name(types, expected):
    assert gpu_type("NVIDIA H100 80GB HBM3", Partition(60, frozenset(types))) == expected


def test_squeue_is_refused_where_jobs_are_forgotten_before_it_is_asked(says, tmp_path):
    says("scontrol", "MinJobAge = 180 sec\nAccountingStorageType = accounting_storage/slurmdbd")
    assert "slurm-status-command: sacct" in refusal(tmp_path)
    require_slurm([JOB], "sacct", tmp_path)


def test_sacct_is_refused_without_accounting(says, tmp_path):
    assert "slurm-status-command: squeue" in refusal(tmp_path, status_command="sacct")


def test_jobs_of_an_earlier_command_are_named(says, tmp_path):
    says("squeue", f"8|rule_measure_wildcards_m/b8|{tmp_path}\n11|rule_measure|{tmp_path}")
    said = refusal(tmp_path)
    assert "2 jobs of an earlier command" in said
    assert "`scancel 8 11`" in said


def test_controller_that_does_not_answer_is_one_line(says, tmp_path):
    says("scontrol", "", code=1)
    assert "SLURM does not answer `scontrol show config`" in refusal(tmp_path)
