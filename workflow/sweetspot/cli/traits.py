"""Options that `predict` and `simulate` share: what engines do differently."""

from typing import Any

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
