"""Models and files with names that a shell or Snakemake could take for something else."""

import pytest

from sweetspot.verify.verify import verify

SHELL = "$(touch PWNED)`touch PWNED`;touch PWNED;'\"&|>PWNED #\n*"
SNAKEMAKE = "{table} {{x}} {wildcards.block} {input:q} %s"
ONE_CELL = {"input_tokens": [64], "output_tokens": [64], "requests": [10]}


@pytest.mark.slow(reason="a whole run, of four models")
def test_run_of_models_with_hostile_names_does_what_any_run_does(project, monkeypatch):
    project.add_model(SHELL)
    project.add_model(SNAKEMAKE)
    project.add_model("../--fits")  # beside models/: named as an option is
    project.add_model("e\u0301\u202eexe.")
    names = [f"models/{SHELL}", f"models/{SNAKEMAKE}", "--fits", "models/e\u0301\u202eexe."]
    node = {"python": f"python3 {SNAKEMAKE} '$(touch PWNED)'", "checkpoints": f"{SNAKEMAKE}\n"}
    before = set(project.folder.rglob("*"))
    project.write(models=names, sweeps={"one": ONE_CELL}, node=node)
    outcome = project.snakemake()
    assert outcome.code == 0, outcome.text

    cells = project.cells()
    assert [(row["status"], row["model"]) for row in cells] == [
        ("ok", "touch-pwned-touch-pwned-touch-pwned-pwned"),
        ("ok", "table-x-wildcards.block-input-q-s"),
        ("ok", "fits"),
        ("ok", "e-exe"),
    ]
    made = set(project.folder.rglob("*")) - before
    elsewhere = {path.relative_to(project.folder).parts[0] for path in made}
    assert elsewhere == {"results", ".snakemake"}
    monkeypatch.chdir(project.folder)
    assert verify(project.results).differences == ()
