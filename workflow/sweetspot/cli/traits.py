"""Options that `predict` and `simulate` share: what engines do differently."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # it loads pydantic, which building the parser does without
    from sweetspot.config import Traits

AddArgument = Any  # a parser's or a group's add_argument


def add_traits(add: AddArgument) -> None:
    """Add them to a command."""
    add(
        "--sliding-windows",
        action="store_true",
        help="sliding layers attend to, and keep, their window only, as with vLLM; trtllm-bench"
        " sets no window. No matter for a model without such layers",
    )
    add(
        "--cuda-graphs",
        default="none",
        metavar="ENGINE",
        help="whose CUDA graphs pad steps to their captured sizes: `none` (the default), `vllm` or"
        " `tensorrt-llm` (its PyTorch backend)",
    )


def flags_of(traits: "Traits") -> list[str]:
    """Return the options with which a command simulates these."""
    windows = ["--sliding-windows"] if traits.sliding_windows else []
    graphs = [] if traits.cuda_graphs == "none" else ["--cuda-graphs", traits.cuda_graphs]
    return windows + graphs
