"""The generated reference pages, and the schema that editors check experiments with."""

from pathlib import Path

import jsonschema
import pytest
import yaml

from sweetspot.cli import main
from sweetspot.config import Experiment, parse_experiment
from sweetspot.reference import experiment_schema, pages

ROOT = Path(__file__).parent.parent


def validator():
    schema = experiment_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("name", list(pages()))
def test_committed_page_is_the_generated_one(name):
    path = ROOT / "docs" / name
    committed = path.read_text(encoding="utf-8") if path.exists() else None
    assert committed == pages()[name], f"docs/{name} has drifted from the code: run `make docs`"


def test_every_key_of_the_configuration_has_its_row():
    page = pages()["configuration.md"]

    def names(prefix, schema):
        for name, part in schema["properties"].items():
            yield f"{prefix}{name}"
            if "$ref" in part:
                yield from names(f"{prefix}{name}.", definition(part["$ref"]))

    def definition(reference):
        return experiment_schema()["$defs"][reference.rpartition("/")[2]]

    keys = [*names("", experiment_schema()), *names("sweeps.<name>.", definition("/Sweep"))]
    assert "limits.max_seq_len" in keys
    assert [key for key in keys if f"| `{key}` |" not in page] == []


def test_sweeps_that_the_page_prints_are_the_default():
    printed = pages()["configuration.md"].split("```yaml\n")[1].split("```")[0]
    assert parse_experiment(yaml.safe_load(printed)) == Experiment()


def test_config_yaml_satisfies_the_schema():
    experiment = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    validator().validate(experiment)


@pytest.mark.parametrize(
    ("experiment", "named"),
    [
        ({"modles": ["opt-1.3b"]}, "modles"),
        ({"limits": {"max_seq_length": 8192}}, "max_seq_length"),
        ({"sweeps": {"mine": {"outputs": [64]}}}, "outputs"),
        ({"sweeps": {"two words": {}}}, "two words"),
        ({"sweeps": {"mine": {"requests": [0]}}}, "0"),
        ({"engine": "simulater"}, "simulater"),
    ],
)
def test_what_the_workflow_refuses_fails_the_schema(experiment, named):
    with pytest.raises(jsonschema.ValidationError, match=named):
        validator().validate(experiment)


def test_command_writes_every_page_and_names_it(tmp_path, capsys):
    assert main(["reference", "--out-dir", str(tmp_path)]) == 0
    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == pages()
    assert capsys.readouterr().out.split() == [str(tmp_path / name) for name in pages()]


def test_command_says_in_one_line_that_a_folder_cannot_be_written_to(tmp_path, capsys):
    (tmp_path / "docs").write_text("a file", encoding="utf-8")
    assert main(["reference", "--out-dir", str(tmp_path / "docs")]) == 2
    assert capsys.readouterr().err.startswith("sweetspot: error: cannot write")
