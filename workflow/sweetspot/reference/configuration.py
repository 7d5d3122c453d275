"""The experiment's keys, as a page and as a JSON schema."""

import json
from collections.abc import Iterator

import yaml

from sweetspot.config import Experiment, paper_sweeps
from sweetspot.markdown import table
from sweetspot.reference.words import notice, type_in_words
from sweetspot.schema.describing import JsonSchema, json_schema
from sweetspot.schema.writing import plain


def experiment_schema() -> JsonSchema:
    """Return the JSON schema (draft 2020-12) of an experiment's file."""
    return {"title": "sweetspot experiment", **json_schema(Experiment)}


def configuration_page() -> str:
    """Return docs/configuration.md."""
    schema = experiment_schema()
    sections = [("sweeps.<name>", "Sweep"), *_sections("", schema["properties"], schema["$defs"])]
    return "\n".join(
        [
            notice("config/"),
            "# Configuration",
            "",
            f"{schema['description']} `config.yaml` holds the paper's experiment. A file given with"
            " `--configfile` is the whole experiment: it replaces `config.yaml`, and a key that it"
            " leaves out has the default below, which is the paper's. `--config` changes `run`,"
            " `engine`, `gpu` and `models` on top; what is inside a section belongs in a file, as"
            " Snakemake hands such numbers over as text. Unknown keys are refused.",
            "",
            "[config.schema.json](config.schema.json) is the same as a JSON schema, for editors"
            " that check and complete YAML. Rules that tie keys together are checked when the"
            " workflow starts: I + O of every cell is at most `limits.max_seq_len`, no list names"
            " a value twice, `limits.max_num_tokens` is at least every `max_batch_size` and at"
            " least `limits.tokens_per_block`.",
            "",
            _keys("", schema["properties"]),
            "",
            "Without `sweeps`, an experiment has the paper's (sections 6.3, 6.2 and 8.2):",
            "",
            "```yaml",
            _paper_sweeps_yaml(),
            "```",
            *(
                line
                for path, name in sections
                for line in (
                    "",
                    f"## `{path}`",
                    "",
                    schema["$defs"][name]["description"],
                    "",
                    _keys(f"{path}.", schema["$defs"][name]["properties"]),
                )
            ),
            "",
        ]
    )


def _sections(
    prefix: str, properties: JsonSchema, definitions: JsonSchema
) -> Iterator[tuple[str, str]]:
    """Yield each section's path and definition, those inside of others behind them."""
    for name, part in properties.items():
        of_each = part.get("items", {})
        if "$ref" in part or "$ref" in of_each:
            definition = (part | of_each)["$ref"].rpartition("/")[2]
            yield prefix + name, definition
            inside = definitions[definition]["properties"]
            yield from _sections(f"{prefix}{name}.", inside, definitions)


def _keys(prefix: str, properties: JsonSchema) -> str:
    rows = (
        (f"`{prefix}{name}`", type_in_words(part), _default(part), part["description"])
        for name, part in properties.items()
    )
    return table(("key", "type", "default", "meaning"), rows)


def _default(part: JsonSchema) -> str:
    if "$ref" in part or "patternProperties" in part:
        return "see below"
    if "default" not in part:
        return "none: to be given"
    if part["default"] is None:
        return "left out"
    return f"`{json.dumps(part['default'], ensure_ascii=False)}`"


def _paper_sweeps_yaml() -> str:
    sweeps = {name: plain(sweep, without_none=True) for name, sweep in paper_sweeps().items()}
    text: str = yaml.safe_dump({"sweeps": sweeps}, sort_keys=False, default_flow_style=None)
    return text.rstrip()
