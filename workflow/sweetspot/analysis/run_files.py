"""What the steps of the workflow make of a run's cells.csv: fits, and the paper beside them."""

from pathlib import Path

from sweetspot.analysis.batch_files import write_batch_fits
from sweetspot.analysis.batch_form import check_max_num_tokens
from sweetspot.analysis.comparison import compare, seen_by
from sweetspot.analysis.fit_files import fit_file, read_fits
from sweetspot.cells.read import read_cells
from sweetspot.config import FitWeights
from sweetspot.files import write_text_atomic


def analyse(
    cells_csv: Path, out_dir: Path, *, weights: FitWeights = "equal", max_num_tokens: int
) -> None:
    """Write the fits of the six forms to every load, and of the batch form to all loads at once.

    Raises:
        InputError: the cells cannot be read or fitted, the folder not written, or
            `max_num_tokens` is less than 1.
    """
    check_max_num_tokens(max_num_tokens)
    fit_file(cells_csv, out_dir, weights=weights)
    write_batch_fits(read_cells(cells_csv), out_dir, max_num_tokens=max_num_tokens)


def write_comparison(cells_csv: Path, fits: Path, out: Path) -> None:
    """Write a row per published number that the cells and the fits in a folder can answer.

    Raises:
        InputError: cells or fits cannot be read, or the file not written.
    """
    cells = read_cells(cells_csv)
    table = compare(cells, read_fits(fits), seen=seen_by(cells))
    write_text_atomic(out, table.to_csv(index=False))
