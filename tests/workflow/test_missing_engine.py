"""The measuring engine on a machine that cannot measure: it stops, and never simulates."""

import re

from sweetspot import estimate

# No GPU and no engine, wherever these tests run.
NOTHING_HERE = {"CUDA_VISIBLE_DEVICES": "99", "PATH": "/usr/bin:/bin"}


def test_measuring_without_gpu_stops_before_any_job(project, monkeypatch):
    project.write(engine="tensorrt-llm")
    outcome = project.snakemake(environment=NOTHING_HERE)
    assert outcome.code == 2
    [line] = outcome.errors
    assert "cannot measure with tensorrt-llm" in line
    assert "on a node with an NVIDIA H100" in line
    assert "--config engine=simulator" in line
    assert "Traceback" not in outcome.text
    assert "Finished jobid" not in outcome.text
    assert [path.name for path in project.results.rglob("*") if path.is_file()] == [".lock"]

    assert not list(project.folder.glob(".snakemake/locks/*"))
    outcome = project.plan(environment=NOTHING_HERE)
    assert outcome.code == 0
    assert outcome.jobs["measure"] == 2
    monkeypatch.chdir(project.folder)
    hours = re.findall(r"expected_gpu_hours=([\d.]+)", outcome.text)
    shares = [share.gpu_hours.expected for share in estimate("experiment.yaml").models]
    assert sorted(hours) == sorted(f"{share:.2f}" for share in shares)
