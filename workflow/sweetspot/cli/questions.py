"""Commands that people ask: predict, models, reference."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweetspot.cells.sure import digits
from sweetspot.cli.commands import Commands
from sweetspot.cli.deployment import add_how, add_what, given, print_origin
from sweetspot.cli.fitting import add_columns, columns_of

if TYPE_CHECKING:  # it loads numpy, which other commands do without
    from sweetspot.ask.predict import Prediction

_PREDICT = """\
Simulate N identical requests, sent at once to TensorRT-LLM's in-flight batching or to another
engine's, and print what they cost. The model is a catalog id (see `sweetspot models`) or the path
of a Hugging Face config.json; its weights are not needed. Every number printed is simulated."""

_EXAMPLES = """\
examples:
  sweetspot predict --model llama-3.1-8b --gpu h100-sxm --input 512 --output 256
  sweetspot predict --model ./my-model/config.json --gpu a100-80gb --input 2048 --output 128 --json
  sweetspot predict --model ./llama-70b --gpu h100-sxm --input 512 --output 256 --tp 2 \\
    --weights fp8 --kv-cache fp8
  sweetspot predict --model llama-3.1-8b --gpu h200 --input 512 --output 256 --engine vllm \\
    --power-limit 500
  sweetspot predict --model llama-3.1-8b --gpu h100-sxm --input 512 --output 256 --sweet-spot
"""

_MODELS = """\
List the models and GPUs of the catalog. A model can be named by its id, in the first column, or by
its name on Hugging Face, in the last; a GPU by its id, by what nvidia-smi calls it, in the last, or
by how an id begins, as in b300. h100 means h100-sxm, and h200 means h200-sxm. Both can be files of
one's own (docs/models.md)."""

# How the printed answer names and rounds each attribute of a prediction.
_LINES = (
    ("energy_per_token_j", "J per output token", ".4g"),
    ("tokens_per_j", "output tokens per J", ".4g"),
    ("throughput_tokens_per_s", "output tokens per s", ".5g"),
    ("duration_s", "s for all requests", ".4g"),
    ("mean_power_w", "W", ".4g"),
    ("mean_clock_mhz", "MHz", ".4g"),
    ("host_bound_share", "of the time the GPU waits for the host", ".2g"),
)


def add_commands(commands: Commands) -> None:
    """Add the commands that answer a question."""
    predict = commands.add_parser(
        "predict",
        help="energy, power and throughput of a workload that nobody measured",
        description=_PREDICT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_what(predict)
    add = predict.add_argument
    add(
        *("--input-tokens", "--input"),
        type=int,
        required=True,
        metavar="I",
        help="prompt tokens of each request",
    )
    add(
        *("--output-tokens", "--output"),
        type=int,
        required=True,
        metavar="O",
        help="generated tokens of each request",
    )
    add("--requests", type=int, default=1000, metavar="N", help="default: %(default)s")
    if commands.is_complete("predict"):
        add_how(predict)
    predict.add_argument(
        "--sweet-spot",
        action="store_true",
        help="also look for the output length with the most tokens per J, and the range around it",
    )
    predict.add_argument(
        "--cells",
        metavar="FILE",
        help="measured cells of this board and engine, of this model or others, as `sweetspot fit`"
        " takes them: what they say of the simulator's error",
    )
    add_columns(predict)
    predict.add_argument("--json", action="store_true", help="print one JSON object")
    predict.set_defaults(run=_predict)

    models = commands.add_parser(
        "models", help="list the models and GPUs of the catalog", description=_MODELS
    )
    models.set_defaults(run=_models)

    reference = commands.add_parser(
        "reference",
        help="write the reference pages of docs/",
        description=_reference.__doc__,
    )
    reference.add_argument("--out-dir", type=Path, required=True, help="folder of the pages")
    reference.set_defaults(run=_reference)


def _predict(arguments: argparse.Namespace) -> None:
    from sweetspot.ask.predict import predict
    from sweetspot.config import ChosenTraits, GpuSettings, Limits, Precision

    answer = predict(
        arguments.model,
        arguments.gpu,
        arguments.input_tokens,
        arguments.output_tokens,
        arguments.requests,
        engine=arguments.engine,
        calibration=arguments.calibration,
        **given(arguments, GpuSettings, Limits, Precision, ChosenTraits),
    )
    by_cells = None
    if arguments.cells is not None:
        from sweetspot.ask.corrected import LEVEL, corrected

        by_cells = corrected(answer, arguments.cells, columns=columns_of(arguments.columns))
    if arguments.json:
        values = answer.values() | (_sweet_spot(answer) if arguments.sweet_spot else {})
        print(json.dumps(values | ({"corrected": asdict(by_cells)} if by_cells else {})))
        return
    print(
        f"{answer.model} on {answer.gpu}: {answer.requests} requests of {answer.input_tokens} input"
        f" and {answer.output_tokens} output tokens, max_batch_size {answer.max_batch_size}"
    )
    deployment = answer.workload.deployment
    if deployment.words:
        print(f"  {deployment.words}")
    for name, unit, spec in _LINES:
        _print_line(answer, name, getattr(answer, name), unit, spec)
    at_most = f"requests in flight at most{_bound(answer)}"
    _print_line(answer, "max_concurrency", answer.max_concurrency, at_most, "d")
    if arguments.sweet_spot:
        _print_sweet_spot(answer)
    if by_cells is not None:
        from sweetspot.simulator.constants.intervals import ends

        low_j, high_j = by_cells.energy_per_token_low_j, by_cells.energy_per_token_high_j
        print(
            f"  corrected by your cells   {by_cells.energy_per_token_j:>12.4g}  J per output token"
            f" ({ends(low_j, high_j)}, {100 * LEVEL:.0f} %)"
        )
    print_origin(deployment)
    if by_cells is not None:
        print(f"corrected: {by_cells.words}")
        for note in by_cells.notes:
            print(f"note: {note}")
    if answer.energy_per_token_in_windows_j is not None:
        print(
            "note: this engine ignores the model's sliding windows; with --sliding-windows it is"
            f" {answer.energy_per_token_in_windows_j:.4g} J per output token"
        )
    if answer.tensor_parallel > 1:
        print("note: energy and power are those of all GPUs")
    if answer.beyond_native_context:
        print("note: I + O is beyond the context this model was published for")
    for note in answer.sweet_spot.notes if arguments.sweet_spot else ():
        print(f"note: {note}")


def _bound(answer: "Prediction") -> str:
    """Return what bounds the batch, in words."""
    if answer.bounded_by == "requests":
        return "; no more are sent"
    if answer.bounded_by == "KV cache":
        return f", by the KV cache: max_batch_size {answer.max_batch_size} never binds"
    return f", by {answer.bounded_by}"


def _print_line(answer: "Prediction", name: str, value: float, unit: str, spec: str) -> None:
    print(f"  {name:<26}{digits(value, spec):>12}  {unit}{answer.beside(name, value)}")


def _print_sweet_spot(answer: "Prediction") -> None:
    spot = answer.sweet_spot
    near = f"output tokens, recommended: {spot.range2_low} to {spot.range2_high} are within 2 %"
    _print_line(answer, "sweet_spot_output_tokens", spot.output_tokens, near, "d")
    there = "output tokens per J there"
    _print_line(answer, "sweet_spot_tokens_per_j", spot.tokens_per_j, there, ".4g")
    if spot.eq6_tokens is not None:
        by = "output tokens by Eq. 6, of Eq. 5 fitted to what is simulated"
        _print_line(answer, "sweet_spot_eq6_tokens", spot.eq6_tokens, by, ".0f")


def _sweet_spot(answer: "Prediction") -> dict[str, Any]:
    """Return all that is known of it, by names that stand beside those of the answer."""
    spot = answer.sweet_spot
    known = asdict(spot) | {"notes": spot.notes}
    return {f"sweet_spot_{name}": value for name, value in known.items()}


def _models(arguments: argparse.Namespace) -> None:
    from sweetspot.catalog import catalog_entry, gpu, gpu_ids, model_ids

    print("models")
    for model_id in model_ids():
        entry = catalog_entry(model_id)
        print(
            f"  {model_id:<14}{entry.name:<18}{entry.architecture.parameters / 1e9:5.2f} B"
            f"  {entry.hub_id}"
        )
    print("GPUs")
    for gpu_id in gpu_ids():
        board = gpu(gpu_id)
        print(f"  {gpu_id:<16}{board.name:<38}{board.power_limit_w:5.0f} W  {board.nvml_name}")


def _reference(arguments: argparse.Namespace) -> None:
    """Write the pages that are generated from the code: configuration, cells.csv, constants."""
    from sweetspot.reference import write_pages

    for path in write_pages(arguments.out_dir):
        print(path)
