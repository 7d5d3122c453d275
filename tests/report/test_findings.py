"""Three sentences of a page: planted numbers come out, and what is not known is said."""

import pandas as pd
import pytest

from sweetspot.analysis.sweet_spots import SWEET_SPOTS
from sweetspot.report.findings import best_cells, findings

LENGTHS = (64, 256, 1024)
NO_SPOTS = pd.DataFrame(columns=SWEET_SPOTS)


def cells_of(energies_j, **columns):
    """Return a cell for each model and output length, of so many J per token."""
    rows = [
        {
            "cell": f"{model}/{output}",
            "model": model,
            "engine": "vllm",
            "gpu": "h200-sxm",
            "requests": 8,
            "max_batch_size": 64,
            "input_tokens": 32,
            "output_tokens": output,
            "status": "ok",
            "reason": "",
            "simulated": False,
            "energy_per_token_j": energy_j,
        }
        for model, of_model in energies_j.items()
        for output, energy_j in zip(LENGTHS, of_model, strict=True)
    ]
    return pd.DataFrame(rows).assign(**columns)


def spot(model, length, low, high):
    values = {"requests": 8, "max_batch_size": 64, "input_tokens": 32, "range2_low": 180.0}
    values |= {"model": model, "estimated_output_tokens": length, "range2_high": 330.0}
    return values | {"estimated_low": low, "estimated_high": high}


TWO = {"a": (0.2, 0.1, 0.3), "b": (0.5, 0.4, 0.6)}


def test_best_and_worst_model_stand_with_their_intervals():
    first, *_ = findings(cells_of(TWO), NO_SPOTS)
    assert first == (
        "With 8 requests at once, the most efficient of 2 models is a with 10 (9.52 to 10.5) tokens"
        " per joule, at 32 input and 256 output tokens; the least efficient is b, whose best cell"
        " gives 2.5 (2.38 to 2.63), 4 times less."
    )


def test_lengths_are_the_fits_or_what_was_observed():
    spots = pd.DataFrame([spot("a", 250.0, 200.0, 300.0), spot("b", 400.0, 310.0, 500.0)])
    *_, lengths, _ = findings(cells_of(TWO), spots)
    costs = (
        "; 64 output tokens cost 1.25 to 2 times the best length's energy per token, 1024 output"
        " tokens cost 1.5 to 3 times."
    )
    assert lengths == (
        "At 32 input tokens the best output length lies between 250 (200 to 300) for a and 400 (310"
        f" to 500) for b{costs}"
    )
    assert (
        "which their intervals cannot tell apart"
        in findings(cells_of(TWO), spots.assign(estimated_high=320.0))[1]
    )
    assert findings(cells_of(TWO), NO_SPOTS)[1] == (
        f"At 32 input tokens the least energy per token was found with 256 output tokens{costs}"
    )


def test_best_length_is_not_compared_with_itself():
    *_, lengths, _ = findings(cells_of({"a": (0.1, 0.2, 0.3)}), NO_SPOTS)
    assert lengths == (
        "At 32 input tokens the least energy per token was found with 64 output tokens; 1024 output"
        " tokens cost 3 times the best length's energy per token."
    )
    *_, lengths, _ = findings(cells_of({"a": (0.1, 0.1, 0.1)}), NO_SPOTS)
    assert lengths.endswith("with 64 output tokens.")


def test_one_model_has_its_range():
    cells = cells_of({"a": TWO["a"]})
    spots = pd.DataFrame([spot("a", 250.0, 200.0, 300.0)])
    efficiency, lengths, sure = findings(cells, spots)
    assert "a is most efficient at 32 input and 256 output tokens" in efficiency
    assert "3 times what its least efficient cell gives" in efficiency
    assert "least with 250 (200 to 300) output tokens" in lengths
    assert "at most 2 % above that from 180 to 330; 64 output tokens cost 2 times" in lengths
    assert sure.endswith(
        ", a difference of less than a factor of 1.07 from another model, board or setting that is"
        " known as well proves nothing."
    )


@pytest.mark.parametrize(("energy_j", "said"), [(0.107, "a and b."), (0.108, "are told apart.")])
def test_neighbours_within_the_sensor_s_error_are_not_told_apart(energy_j, said):
    *_, apart = findings(cells_of({"a": TWO["a"], "b": (0.5, energy_j, 0.6)}), NO_SPOTS)
    assert apart.startswith("By ±5 %, which is what boards' sensors are good to (each cell was")
    assert apart.endswith(said)


def repeated(energies_j, *, scatter=0.01, **columns):
    """Return each cell three times, the repeats apart by so much."""
    cells = cells_of(energies_j, **columns)
    energy_j = cells["energy_per_token_j"]
    return pd.concat(
        cells.assign(energy_per_token_j=energy_j * (1 + share * scatter)) for share in (-1, 0, 1)
    )


@pytest.mark.parametrize(
    ("energy_j", "said"), [(0.1017, "told apart: a and b."), (0.1019, "are told apart.")]
)
def test_neighbours_that_one_board_measured_differ_where_their_repeats_do(energy_j, said):
    """1 % scatter, 12 degrees of freedom, 3 repeats each: exp(2.179 · 0.01 · √(2/3)) = 1.018."""
    ratio = {"a": TWO["a"], "b": (0.5, energy_j, 0.6)}
    *_, apart = findings(repeated(ratio, gpu_uuid="GPU-1"), NO_SPOTS)
    assert apart.startswith(
        "On one board, whose sensor's error (±5 %) is in all cells alike, by how repeats"
        " scatter (1 %), "
    )
    assert apart.endswith(said)


def test_the_sensor_s_error_counts_between_boards_and_where_none_is_known():
    pair = {"a": TWO["a"], "b": (0.5, 0.104, 0.6)}
    cells = repeated(pair)
    for boards in (cells["model"].map({"a": "GPU-1", "b": "GPU-2"}), ""):
        *_, apart = findings(cells.assign(gpu_uuid=boards), NO_SPOTS)
        assert apart.startswith("By ±5 %, which is what boards' sensors are good to, 1 of 1 pair")
    of_three = repeated(pair | {"c": (0.5, 0.11, 0.6)})
    boards = of_three["model"].map({"a": "GPU-1", "b": "GPU-1", "c": "GPU-2"})
    *_, apart = findings(of_three.assign(gpu_uuid=boards), NO_SPOTS)
    assert "between boards, and on one by how repeats scatter (1 %), 1 of 2 pairs" in apart
    assert apart.endswith("b and c.")


@pytest.mark.parametrize(("energy_j", "said"), [(0.1057, "a and b."), (0.1058, "are told apart.")])
def test_cells_that_a_board_measured_once_are_allowed_the_scatter_that_planning_assumes(
    energy_j, said
):
    """exp(1.96 · 0.02 · √2) = 1.057."""
    pair = {"a": TWO["a"], "b": (0.5, energy_j, 0.6)}
    *_, apart = findings(cells_of(pair, gpu_uuid="GPU-1"), NO_SPOTS)
    assert "by a scatter of 2 % that is assumed, as too few cells were repeated, " in apart
    assert apart.endswith(said)
    *_, alone = findings(cells_of({"a": TWO["a"]}, gpu_uuid="GPU-1"), NO_SPOTS)
    assert "of less than a factor of 1.07 from another board" in alone
    assert "on this one, of less than 1.06 from another model or setting" in alone


def test_intervals_of_simulated_cells_are_their_own():
    known = cells_of(TWO, simulated=True, interval_level=0.9, interval_models=13)
    known = known.assign(
        energy_per_token_low_j=known["energy_per_token_j"] / 3,
        energy_per_token_high_j=known["energy_per_token_j"] * 3,
    )
    *_, apart = findings(known, NO_SPOTS)
    assert "hold 90 % of the cells of a new model (judged by 13 models)" in apart
    assert "1 of 1 pair of neighbours" in apart
    assert best_cells(known)["a", 8, 64].tokens_per_j == "10 (3.33 to 30)"
    *_, apart = findings(known.assign(interval_rests_on="7 cells of 2 models: a board"), NO_SPOTS)
    assert "(judged by 7 cells of 2 models: a board), 1 of 1 pair" in apart
    assumed = known.assign(interval_rests_on="±40 % until more is measured; 7 cells of 2 models")
    *_, apart = findings(assumed, NO_SPOTS)
    assert apart.startswith(
        "By an assumption (±40 % until more is measured; 7 cells of 2 models), 1 of 1 pair"
    )


def test_sentences_are_of_the_load_with_most_cells_the_larger_of_equal_ones():
    cells = cells_of(TWO)
    both = pd.concat([cells, cells.assign(requests=100)])
    assert findings(both, NO_SPOTS)[0].startswith("With 100 requests at once,")
    assert findings(both[:-1], NO_SPOTS)[0].startswith("With 8 requests at once,")


def test_only_four_of_many_pairs_are_named():
    many = {f"m{place:02d}": (0.5, 0.1 + 0.001 * place, 0.6) for place in range(30)}
    *_, apart = findings(cells_of(many), NO_SPOTS)
    assert "29 of 29 pairs" in apart
    assert apart.endswith("m03 and m04; 25 more.")


def test_cells_without_a_number_are_said():
    assert findings(cells_of(TWO, status="failed"), NO_SPOTS) == [
        "None of 6 cells has a number: see the reasons below."
    ]
