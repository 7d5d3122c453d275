"""Options that say what is deployed, as the sections of the configuration describe them."""

import argparse
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweetspot.config import Section
    from sweetspot.simulator.deployment.deployment import Deployment

ALSO = {
    "tensor_parallel": ("--tp",),
    "power_limit_w": ("--power-limit",),
    "clock_mhz": ("--clock",),
}
"""Short forms of options, by key."""
_OF_THE_QUESTION = {
    "max_seq_len": "what the model can hold, at least 8192",
    "max_num_tokens": "8192, or max_batch_size if that is more",
}
"""Defaults that are not those of the configuration."""
_NUMBERS: dict[Any, tuple[type, str]] = {int: (int, "N"), float: (float, "X")}


def add_what(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Add the options that say which model, or which of several, is served by what."""
    add = parser.add_argument
    if several:
        add(
            *("--model", "--models"),
            required=True,
            nargs="+",
            action="extend",
            metavar="NAME|PATH",
            help="ids, or paths of folders",
        )
    else:
        add("--model", required=True, metavar="NAME|PATH", help="its id, or a path of its folder")
    add(
        "--gpu",
        required=True,
        metavar="NAME|FILE",
        help="one of `sweetspot models`, or a file of one's own: my-gpu.yaml",
    )
    add(
        "--engine",
        metavar="NAME",
        help="whose habits and overheads: tensorrt-llm (the paper's, the default), vllm,"
        " vllm-uncompiled or transformers",
    )
    add(
        "--calibration",
        type=Path,
        metavar="FILE",
        help="the simulator's constants; one of an engine brings its engine",
    )


def add_how(parser: argparse.ArgumentParser) -> None:
    """Add an option for each key of these sections, in groups of their own."""
    from sweetspot.config import ChosenTraits, GpuSettings, Limits, Precision

    for title, section in (
        ("GPU settings", GpuSettings),
        ("engine limits", Limits),
        ("precision", Precision),
        ("what engines do differently", ChosenTraits),
    ):
        _add_section(parser.add_argument_group(title), section)


def given(arguments: argparse.Namespace, *sections: "type[Section]") -> dict[str, Any]:
    """Return the keys of these sections that a command line sets."""
    values = vars(arguments)
    return {
        name: values[name]
        for section in sections
        for name in (key.name for key in fields(section))
        if values.get(name) is not None
    }


def print_note(note: str) -> None:
    """Print what a user should know; a warning says itself that it is one."""
    print(note if note.startswith("Warning: ") else f"note: {note}")


def print_origin(deployment: "Deployment") -> None:
    """Print what simulated numbers rest on: the engine, the constants, and what nobody measured."""
    found = deployment.calibration
    engine = f"{found.engine} {found.engine_version}".rstrip()
    print(f"simulated; engine: {engine}; constants: {found.name} ({found.level})")
    known = deployment.intervals
    print(f"interval of energy: {known.energy.rests_on}")
    print(f"interval of throughput: {known.throughput.rests_on}")
    if deployment.gpu.settings:
        print(
            f"note: no measurement stands behind {deployment.gpu.settings}: boards ran at their"
            " full limit, where clocks fell to about 0.75 of the highest by themselves"
        )


def _add_section(group: Any, section: "type[Section]") -> None:
    """Add an option for each key; what is refused later is worded by its section."""
    from sweetspot.schema.keys import keys_of

    for key in keys_of(section):
        name, kind = key.name, key.plain_kind
        if name == "pipeline_parallel":  # a key that may have one value only
            continue
        options = (_option(name), *ALSO.get(name, ()))
        about = key.description.replace("%", "%%")
        if key.default is not None:
            about += f" Default: {_OF_THE_QUESTION.get(name, key.default)}"
        if kind is bool:
            group.add_argument(
                *options, dest=name, action=argparse.BooleanOptionalAction, help=about
            )
        else:
            parse, metavar = _NUMBERS.get(kind, (str, "NAME"))
            group.add_argument(
                *options,
                dest=name,
                type=parse,
                metavar=metavar,
                help=about,
            )


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
