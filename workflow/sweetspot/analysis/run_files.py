"""What the workflow makes of a run's cells.csv: fits, and the paper beside them."""

from pathlib import Path

from sweetspot.analysis.batch_files import write_batch_fits
from sweetspot.analysis.batch_form import check_max_num_tokens
from sweetspot.analysis.comparison import compare, seen_by
from sweetspot.analysis.fit_files import read_fits, write_fits
from sweetspot.analysis.fits import fit_forms
from sweetspot.cells.read import read_cells
from sweetspot.config import FitWeights
from sweetspot.files import write_text_atomic


def analyse(
    cells_csv: Path,
    out_dir: Path,
    *,
    weights: FitWeights = "equal",
    max_num_tokens: int,
    comparison: Path | None = None,
) -> None:
    """Write the fits of the six forms to every load, and of the batch form to all loads at once.

    Args:
        cells_csv: the cells.
        out_dir: folder of the fits.
        weights: of the six forms.
        max_num_tokens: the limit that the cells were run with.
        comparison: where to write a row per published number that cells and fits can answer.

    Raises:
        InputError: the cells cannot be read or fitted, the files not written, or
            `max_num_tokens` is less than 1.
    """
    check_max_num_tokens(max_num_tokens)
    cells = read_cells(cells_csv)
    write_fits(cells, fit_forms(cells, weights=weights), out_dir)
    write_batch_fits(cells, out_dir, max_num_tokens=max_num_tokens)
    if comparison:
        # of the fits as their files have them, which is what anybody can compare
        table = compare(cells, read_fits(out_dir), seen=seen_by(cells))
        write_text_atomic(comparison, table.to_csv(index=False))
