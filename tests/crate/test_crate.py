"""Crates are what their profiles ask for, and hold what was made, each file as it is."""

import hashlib
import json
import os
import shutil
import zipfile
from importlib.resources import files
from pathlib import Path

import pytest

from sweetspot.campaign.compact import read_manifest
from sweetspot.cli import main
from sweetspot.crate import made
from sweetspot.crate.crate import Publishing
from sweetspot.crate.write import write_crate
from sweetspot.errors import InputError
from sweetspot.verify.verify import verify

CAMPAIGN = Path(__file__).parents[2] / "data" / "h200-vllm"
RUN_PROFILE, CAMPAIGN_PROFILE = "workflow-run-crate-0.5", "process-run-crate-0.5"


@pytest.fixture(scope="module")
def run_crate(tmp_path_factory, small_run):
    """The folder of the small run's crate; shared, so only to be read."""
    out = tmp_path_factory.mktemp("crates") / "run"
    write_crate(small_run, out, Publishing(agent="Jane Doe"))
    return out


@pytest.fixture(scope="module")
def campaign_crate(tmp_path_factory):
    out = tmp_path_factory.mktemp("crates") / "campaign"
    write_crate(CAMPAIGN, out, Publishing())
    return out


@pytest.fixture
def broken_musts(monkeypatch):
    """Return a function that says which MUSTs of a profile, and of RO-Crate, a crate breaks."""
    import requests
    from rocrate_validator import services

    # as RO-Crate 1.1 has these two; the package has the context of a later version
    context = (files("rocrate") / "data/ro-crate.jsonld").read_bytes()
    context = context.replace(b"bioschemas.org/terms/", b"bioschemas.org/")
    terms = b'{"@context": {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}}'

    def send(session, request, **options):
        answer = requests.Response()
        answer.status_code, answer.url, answer.request = 200, request.url, request
        answer.headers["Content-Type"] = "application/ld+json"
        answer._content = terms if "workflow-run" in request.url else context
        return answer

    monkeypatch.setattr(requests.Session, "send", send)

    def broken(crate, profile):
        settings = services.ValidationSettings(
            rocrate_uri=crate, profile_identifier=profile, no_cache=True
        )
        return [issue.message for issue in services.validate(settings).get_issues()]

    return broken


def entities(crate):
    graph = json.loads((crate / "ro-crate-metadata.json").read_text())["@graph"]
    return {entity["@id"]: entity for entity in graph}


def names(reference):
    several = reference if isinstance(reference, list) else [reference]
    return {each["@id"] for each in several}


@pytest.mark.slow(reason="the shapes of three profiles are matched against two whole graphs")
@pytest.mark.filterwarnings("ignore")  # of the validator's own use of rdflib
def test_crates_break_no_must_of_their_profiles(run_crate, campaign_crate, broken_musts):
    assert broken_musts(run_crate, RUN_PROFILE) == []
    assert broken_musts(campaign_crate, CAMPAIGN_PROFILE) == []
    assert broken_musts(campaign_crate, RUN_PROFILE) != []  # no workflow ran


def test_every_file_is_described_as_it_is(run_crate, campaign_crate):
    for crate in (run_crate, campaign_crate):
        described = entities(crate)
        there = {path.relative_to(crate).as_posix() for path in crate.rglob("*") if path.is_file()}
        of_files = {name for name, each in described.items() if "File" in each["@type"]}
        assert of_files | {"ro-crate-metadata.json"} == there
        for name in of_files:
            content = (crate / name).read_bytes()
            assert described[name]["contentSize"] == str(len(content))
            assert described[name]["sha256"] == hashlib.sha256(content).hexdigest()


def test_rocrate_reads_what_was_run_on_what_and_when(run_crate):
    from rocrate.rocrate import ROCrate

    crate = ROCrate(run_crate)
    workflow, run = crate.mainEntity, crate.dereference("#run")
    assert workflow["programmingLanguage"]["name"] == "Snakemake"
    assert {part.id for part in workflow["hasPart"]} >= {"workflow/rules/measure.smk"}
    assert run["instrument"] == workflow
    assert run["agent"]["name"] == "Jane Doe"
    assert run["startTime"] <= run["endTime"] == crate.root_dataset["datePublished"]
    assert run["object"].id == "experiment.json"
    results = {each.id for each in run["result"]}
    assert results >= {"cells.csv", "comparison.csv", "tables/table3_mape.csv", "manifest.json"}
    assert "arxiv.org" in crate.root_dataset["citation"].id
    assert "spdx.org" in crate.root_dataset["license"].id
    assert crate.dereference("#numpy")["softwareVersion"]


def test_words_say_of_each_cell_whether_it_was_simulated_or_measured(run_crate, campaign_crate):
    of_run, of_campaign = entities(run_crate), entities(campaign_crate)
    records = [name for name in of_run if name.startswith("records/") and name.endswith(".json")]
    assert len(records) == 9
    for name in records:
        assert ", ok: simulated by " in of_run[name]["description"]
        assert name.startswith(f"records/{of_run[name]['description'].split()[2][:-1]}.")
    assert "9 cells simulated by" in of_run["./"]["description"]
    assert "42 cells measured on NVIDIA H200 with vllm 0.24.0" in of_campaign["./"]["description"]
    assert of_campaign["#vllm"]["softwareVersion"] == "0.24.0"


def test_unpacked_crate_is_verified_as_the_run_is(run_crate, campaign_crate):
    assert verify(run_crate).differences == ()
    assert read_manifest(campaign_crate).cells["ok"] == 42


def test_same_run_gives_the_same_zip(small_run, run_crate, tmp_path, capsys):
    for name in ("a.zip", "b.zip"):
        main(["crate", str(small_run), "--out", str(tmp_path / name), "--agent", "Jane Doe"])
    assert capsys.readouterr().out.startswith(f"{tmp_path / 'a.zip'}: ")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    assert held == {
        path.relative_to(run_crate).as_posix(): path.read_bytes()
        for path in run_crate.rglob("*")
        if path.is_file()
    }


def test_run_that_is_not_as_it_was_made_gives_no_crate(run_crate, tmp_path):
    run = shutil.copytree(run_crate, tmp_path / "run")
    changed = run / "tables/table3_mape.csv"
    changed.write_text(changed.read_text().replace("1", "2", 1))
    with pytest.raises(InputError, match=r"table3_mape.csv: its SHA-256 .*sweetspot verify"):
        write_crate(run, tmp_path / "out.zip", Publishing())
    shutil.copy(run_crate / "tables/table3_mape.csv", changed)
    trace = next((run / "records").rglob("*.trace.csv.gz"))
    (tmp_path / "mine").write_text("a private file")
    trace.unlink()
    trace.symlink_to(tmp_path / "mine")
    with pytest.raises(InputError, match=r"file 'records/.* is not in"):
        write_crate(run, tmp_path / "out.zip", Publishing())
    next((run / "records").rglob("*.json")).unlink()
    with pytest.raises(InputError, match=r"is not as it was made: .*No such file"):
        write_crate(run, tmp_path / "out.zip", Publishing())
    assert not (tmp_path / "out.zip").exists()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [("calls", [], "has no cells yet"), ("provenance", {}, "lacks started_utc")],
)
def test_campaign_whose_manifest_was_edited_gives_no_crate(key, value, message, tmp_path):
    data = shutil.copytree(CAMPAIGN, tmp_path / "data")
    manifest = json.loads((data / "manifest.json").read_text())
    (data / "manifest.json").write_text(json.dumps(manifest | {key: value}))
    with pytest.raises(InputError, match=message):
        write_crate(data, tmp_path / "out.zip", Publishing())


@pytest.mark.parametrize("name", ["run", "run.zip"])
def test_crate_that_cannot_be_made_says_why_and_leaves_nothing(
    name, small_run, tmp_path, monkeypatch
):
    out = tmp_path / name
    with pytest.raises(InputError, match=r"is .* the folder of a finished run, or a campaign's"):
        write_crate(tmp_path, out, Publishing())
    monkeypatch.setattr(made, "CLONE", tmp_path)
    with pytest.raises(InputError, match=r"there is no Snakefile in .*a clone"):
        write_crate(small_run, out, Publishing())
    assert not out.exists()


@pytest.mark.parametrize("said", [{"agent": "\udcff"}, {"licence": ""}, {"licence": "not one"}])
def test_what_cannot_stand_in_a_crate_is_refused(said):
    with pytest.raises(InputError, match=rf"^{next(iter(said))} must be"):
        Publishing(**said)


def test_other_archive_than_a_zip_is_refused(small_run, tmp_path):
    with pytest.raises(InputError, match=r"a crate is a folder or a \.zip"):
        write_crate(small_run, tmp_path / "out.tar.gz", Publishing())
    assert not list(tmp_path.iterdir())


def test_folder_with_something_in_it_is_not_written_over(small_run, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="is there already"):
        write_crate(small_run, tmp_path, Publishing())
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_command_without_a_umask_leaves_nothing_that_others_may_write(tmp_path, writable_by_others):
    before = os.umask(0)
    try:
        for name in ("as_folder", "as_file.zip"):
            assert main(["crate", str(CAMPAIGN), "--out", str(tmp_path / "new" / name)]) == 0
    finally:
        os.umask(before)
    assert writable_by_others(tmp_path) == []


def test_snakemake_s_own_report_is_put_in_where_it_was_made(small_run, tmp_path):
    run = shutil.copytree(small_run, tmp_path / "small")
    (run / "snakemake-report.html").write_text("<p>how each file was made")
    names = [part.id for part in made.made_in(run).results]
    assert names.count("snakemake-report.html") == 1
