"""Options that say what is deployed, as the sections of the configuration describe them."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweetspot.config import Section

ALSO = {"tensor_parallel": ("--tp",)}
"""Short forms of options, by key."""
_OF_THE_QUESTION = {
    "max_seq_len": "what the model can hold, at least 8192",
    "max_num_tokens": "8192, or max_batch_size if that is more",
}
"""Defaults that are not those of the configuration."""
_NUMBERS: dict[Any, tuple[type, str]] = {int: (int, "N"), float: (float, "X")}


def add_what(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which model is served by what."""
    add = parser.add_argument
    add("--model", required=True, metavar="NAME|PATH", help="its id, or a path of its folder")
    add(
        "--gpu",
        required=True,
        metavar="NAME|FILE",
        help="one of `sweetspot models`, or a file of one's own: my-gpu.yaml",
    )
    add("--calibration", type=Path, metavar="FILE", help="the simulator's constants")


def add_how(parser: argparse.ArgumentParser) -> None:
    """Add an option for each key of limits, precision and traits, in groups of their own."""
    from sweetspot.config import Limits, Precision, Traits

    for title, section in (
        ("engine limits", Limits),
        ("precision", Precision),
        ("what engines do differently", Traits),
    ):
        _add_section(parser.add_argument_group(title), section)


def given(arguments: argparse.Namespace, *sections: "type[Section]") -> dict[str, Any]:
    """Return the keys of these sections that a command line sets."""
    values = vars(arguments)
    return {
        name: values[name]
        for section in sections
        for name in section.model_fields
        if values.get(name) is not None
    }


def _add_section(group: Any, section: "type[Section]") -> None:
    """Add an option for each key; what pydantic refuses later is worded by its section."""
    for name, key in section.model_fields.items():
        kind = key.annotation
        if name == "pipeline_parallel":  # a key that may have one value only
            continue
        options = (_option(name), *ALSO.get(name, ()))
        about = str(key.description).replace("%", "%%")
        if kind is bool:
            group.add_argument(*options, action="store_true", default=None, help=about)
        else:
            parse, metavar = _NUMBERS.get(kind, (str, "NAME"))
            group.add_argument(
                *options,
                dest=name,
                type=parse,
                metavar=metavar,
                help=f"{about} Default: {_OF_THE_QUESTION.get(name, key.default)}",
            )


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
