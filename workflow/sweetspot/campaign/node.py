"""The engines of a campaign on this node, and the data sets that they read."""

from collections.abc import Callable
from pathlib import Path

from sweetspot.config import Experiment
from sweetspot.engines import engine
from sweetspot.engines.base import Engine, Node
from sweetspot.engines.packages import packages_of
from sweetspot.engines.preflight import require, require_models
from sweetspot.engines.weights.checkpoint import checkpoint_folder
from sweetspot.plan.block import Block


def require_node(experiment: Experiment, blocks: tuple[Block, ...]) -> None:
    """Check that this node can measure these blocks.

    Raises:
        EngineError: something is missing; the message names it.
        InputError: the engine does not have a model.
    """
    require_models(experiment, blocks)
    node = experiment.node
    checkpoints = [_checkpoint(experiment, block) for block in blocks]
    require(
        experiment.engine,
        experiment.gpu,
        node.python,
        node.container,
        [folder for folder in checkpoints if folder],
        packages_of(experiment.engine_section),
    )


def engines_here(experiment: Experiment, folder: Path) -> Callable[[Block, float], Engine]:
    """Return what makes the engine of a block, with its logs and data sets in `folder`.

    The second argument is how long a load or a run may take, in s.
    """
    given = experiment.node

    def engine_of(block: Block, timeout_s: float) -> Engine:
        node = Node(
            checkpoint=_checkpoint(experiment, block),
            model_reference=block.model_reference,
            workspace=given.workspace,
            datasets=folder / "datasets",
            reports=folder / "engine",
            timeout_s=timeout_s,
            python=given.python,
            container=given.container,
            opt_examples=given.opt_examples,
        )
        return engine(block.settings, node)

    return engine_of


def _checkpoint(experiment: Experiment, block: Block) -> Path | None:
    """Return the folder of a block's weights; None where they are drawn at random."""
    if getattr(experiment.engine_section, "weights", "checkpoint") != "checkpoint":
        return None
    return checkpoint_folder(block.model_reference, experiment.node.checkpoints)
