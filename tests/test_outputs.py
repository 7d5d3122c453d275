"""Which tables and figures an experiment's cells can give."""

from itertools import product

import pytest

from sweetspot.cells.cell import Cell
from sweetspot.config import Experiment
from sweetspot.energy_models import FORMS
from sweetspot.figures.by_name import FIGURES, FIT_FIGURES
from sweetspot.outputs import (
    FIGURES_OF_FITS,
    FIT_CELLS,
    FIT_LENGTHS,
    LEAST_OUTPUT_LENGTHS,
    TABLES_OF_BATCH,
    TABLES_OF_FITS,
    can_fit,
    can_fit_all,
    can_fit_batch,
    figures_of,
    tables_of,
)
from sweetspot.plan.plan import plan

SURFACE = ["figure3_surface", "figure3_heatmap"]


def cells_of(
    inputs=(64,), outputs=(64,), *, requests=(10,), batches=(1024,), models=("a",), repeats=(0,)
):
    axes = product(models, batches, requests, inputs, outputs, repeats)
    return [
        Cell(
            model=model,
            engine="simulator",
            max_batch_size=batch,
            requests=n,
            input_tokens=i,
            output_tokens=o,
            repeat=repeat,
        )
        for model, batch, n, i, o, repeat in axes
    ]


def test_papers_cells_give_every_table_and_figure():
    cells = list(plan(Experiment()).cells)
    assert set(figures_of(cells)) == {*FIGURES, *FIT_FIGURES}
    expected = ["table1_forms", "table2_models", *TABLES_OF_FITS, *TABLES_OF_BATCH]
    assert tables_of(cells) == expected
    assert figures_of(reversed(cells)) == figures_of(cells)


def test_grid_with_gaps_has_a_heat_map_and_no_surface():
    cells = cells_of((64, 128, 256), (64, 128, 256))
    assert set(SURFACE) <= set(figures_of(cells))
    assert [name for name in figures_of(cells[1:]) if name in SURFACE] == ["figure3_heatmap"]


@pytest.mark.parametrize(
    ("cells", "fits", "figures"),
    [
        (cells_of(), False, []),
        (cells_of(repeats=(0, 1, 2)), False, []),
        (cells_of((64, 128)), False, []),
        (cells_of((64,), (8, 16)), False, ["figure2_output_length"]),
        (cells_of((64, 128), (8, 16)), False, ["figure2_output_length", SURFACE[1]]),
        (cells_of((64, 128), (8, 16, 32, 64)), False, ["figure2_output_length", SURFACE[1]]),
        (
            cells_of((64, 128, 256), (8, 16, 32)),
            True,
            ["figure2_output_length", *SURFACE, *FIGURES_OF_FITS],
        ),
        # seven cells, but never of one load
        (
            cells_of((64, 128), (8, 16), requests=(1, 2)),
            False,
            ["figure1_requests", "figure2_output_length", SURFACE[1]],
        ),
        (cells_of(batches=(8, 16)), False, ["figure4_batch"]),
        # the shortest input decides: at 64 tokens only one batch size was run
        (cells_of() + cells_of((128,), batches=(8, 16)), False, []),
        # two lengths of each kind, but never at one load, or never of one model
        (
            cells_of((64, 128)) + cells_of((64,), (8, 16), requests=(9,)),
            False,
            ["figure2_output_length"],
        ),
        (cells_of((64,)) + cells_of((128,), (8,), models=("b",)), False, []),
    ],
    ids=range(12),
)
def test_outputs_follow_from_what_varies_at_one_load(cells, fits, figures):
    assert can_fit_all(cells) is fits
    assert figures_of(cells) == figures
    assert (len(tables_of(cells)) > 3) is fits
    # Baseline 1, a mean, takes two lengths at one load, which Figure 2 draws
    assert can_fit(cells) == ("table3_mape" in tables_of(cells))
    assert can_fit(cells) == ("figure2_output_length" in figures)


def test_fits_are_planned_where_the_form_with_most_terms_can_be_fitted():
    assert max(form.min_cells for form in FORMS) == FIT_CELLS
    assert max(max(form.input_lengths, form.output_lengths) for form in FORMS) == FIT_LENGTHS
    assert min(form.min_cells for form in FORMS) == LEAST_OUTPUT_LENGTHS


def test_no_cells_give_no_figures():
    assert figures_of([]) == []
    assert tables_of([]) == ["table1_forms", "table2_models"]


@pytest.mark.parametrize(
    ("loads", "carried"),
    [
        ({"requests": (10, 100)}, True),
        ({"requests": (1000,), "batches": (8, 16)}, True),
        ({"requests": (8,), "batches": (8, 16)}, False),  # no more than N are in flight: one load
        ({"requests": (10,)}, False),
    ],
)
def test_batch_form_needs_cells_of_several_loads(loads, carried):
    assert can_fit_batch(cells_of((64, 128), (8, 16, 32, 64), **loads)) is carried
    assert not can_fit_batch(cells_of((64,), (8, 16, 32), **loads))
