"""The explorer of a run: its cells, simulated grids of its models beside, the paper's surfaces."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from sweetspot.cells.read import read_cells
from sweetspot.config import Experiment
from sweetspot.explorer.data import cell_rows, page_data
from sweetspot.explorer.grid import Axes, at_once
from sweetspot.explorer.page import write_page
from sweetspot.plan.block import Block
from sweetspot.plan.plan import plan

# A page is made with each run, so it takes seconds: what is simulated for it is bounded. A search
# takes as long as some fifty cells.
CELLS, SEARCHES = 1200, 14
MOST_INPUTS, FEWEST_OUTPUTS, MOST_OUTPUTS = 7, 8, 25
FIRST_INPUT = 512
"""That the page opens on, or the nearest: where sweet spots are looked for first."""
MOST_MODELS = CELLS // FEWEST_OUTPUTS

_OF_RUN = (
    "Grids are simulated, with the end of a benchmark's window, as cells are measured: one for each"
    " model, with the requests and max_batch_size that most of its cells have."
)


def write_run_page(cells: Path, experiment: Experiment, out: Path) -> None:
    """Write the explorer of a run.

    Args:
        cells: the run's cells.csv.
        experiment: that it is of.
        out: the page.

    Raises:
        InputError: cells cannot be read, the experiment makes no sense, or the page cannot be
            written.
    """
    table = read_cells(cells)
    blocks = _largest(plan(experiment).blocks)
    notes = [_OF_RUN]
    if len(blocks) > MOST_MODELS:
        notes.append(f"Of {len(blocks)} models the first {MOST_MODELS} have a grid.")
        blocks = blocks[:MOST_MODELS]
    axes = _axes(blocks)
    searches = SEARCHES // len(blocks)
    grids = [
        at_once(
            block.settings.deployment,
            _most_common(each.requests for each in block.cells),
            axes,
            searched=_nearest(axes.input_tokens, FIRST_INPUT)[:searches],
            as_measured=True,
        )
        for block in blocks
    ]
    if experiment.engine == "simulator":  # cells and grids are of whose habits it has
        table["engine"] = blocks[0].settings.deployment.calibration.engine
    kind = "Simulated" if experiment.engine == "simulator" else "Measured"
    data = page_data(
        f"{kind}: {experiment.run}",
        [block.settings.deployment for block in blocks],
        axes,
        grids,
        cell_rows(table),
        notes,
    )
    write_page(data, out)


def _largest(blocks: Iterable[Block]) -> list[Block]:
    """Return the block of each model with the most cells, in the order of the models."""
    found: dict[str, Block] = {}
    for block in blocks:
        model = block.settings.model.id
        if model not in found or len(block.cells) > len(found[model].cells):
            found[model] = block
    return list(found.values())


def _axes(blocks: Sequence[Block]) -> Axes:
    """Return the lengths of cells in these blocks, of output lengths those in between, too.

    The more models there are, the fewer.
    """
    cells = [cell for block in blocks for cell in block.cells]
    most = CELLS // len(blocks)
    inputs = _spread(
        sorted({cell.input_tokens for cell in cells}), min(MOST_INPUTS, most // FEWEST_OUTPUTS)
    )
    outputs = sorted({cell.output_tokens for cell in cells})
    between = _rising(outputs[0], outputs[-1], min(MOST_OUTPUTS, most // len(inputs)))
    return Axes(tuple(inputs), tuple(between))


def _rising(low: int, high: int, count: int) -> list[int]:
    """Return at most so many lengths from one to another, apart on a logarithmic axis."""
    if count < 2 or low == high:
        return [low]
    return sorted({round(low * (high / low) ** (at / (count - 1))) for at in range(count)})


def _spread(values: Sequence[int], most: int) -> list[int]:
    """Return at most so many of some values, the first and the last among them if there is room."""
    if most >= len(values):
        return list(values)
    if most < 2:
        return list(values[:1])
    return [values[round(at * (len(values) - 1) / (most - 1))] for at in range(most)]


def _nearest(lengths: Iterable[int], to: int) -> list[int]:
    """Return lengths in the order of how near they are, as a ratio."""
    return sorted(lengths, key=lambda each: max(each / to, to / each))


def _most_common(values: Iterable[int]) -> int:
    ((value, _),) = Counter(values).most_common(1)
    return value
