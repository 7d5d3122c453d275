"""How sure simulated cells are, in the words of captions."""

import pandas as pd

from sweetspot.cells.intervals import interval_in_words, widest_interval
from sweetspot.cells.sure import assumption

CELLS = pd.DataFrame(
    {
        "energy_per_token_low_j": [0.1, 0.1, None],
        "energy_per_token_high_j": [0.121, 0.196, None],
        "interval_level": [0.9, 0.5, None],
        "interval_models": [13, 1, None],
    }
)


def test_the_widest_interval_speaks_for_all_cells():
    assert interval_in_words(CELLS[:1]) == "energy within a factor of 1.10 (90 %, 13 models)"
    assert interval_in_words(CELLS) == "energy within a factor of 1.40 (50 %, 1 model)"


def test_interval_that_no_measurement_made_is_assumed_and_judged_by_no_model():
    judged = "13 cells of 3 models: a board"
    cells = CELLS.assign(interval_rests_on=[judged, f"{assumption(1.4)}; {judged}", None])
    assert interval_in_words(cells[:1]) == "energy within a factor of 1.10 (90 %, 13 models)"
    assert interval_in_words(cells) == "energy within a factor of 1.40 (assumed)"
    found = widest_interval(cells)
    assert (found.assumed, found.rests_on) == (True, f"±40 % until more is measured; {judged}")


def test_cells_without_an_interval_have_no_words():
    assert interval_in_words(CELLS[2:]) == ""  # measured
    assert interval_in_words(CELLS[["interval_level"]]) == ""  # from before there were any
