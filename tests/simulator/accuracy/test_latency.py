"""Latencies of a served load against published ones: held to what they reach today."""

import pytest

from sweetspot.simulator.accuracy.evaluation import Evaluation
from sweetspot.simulator.accuracy.latency import latency_errors, served_latency


@pytest.fixture(scope="module")
def errors():
    return latency_errors()


def test_published_latencies_and_throughput_agree_by_littles_law(errors):
    """What is compared here is compared by that law: the published rows have to obey it."""
    in_flight = errors["throughput_tokens_per_s"] * errors["end_to_end_ms"] / 1e3
    assert (in_flight / errors["output_tokens"]).tolist() == pytest.approx(
        errors["concurrency"].tolist(), rel=0.03
    )


def test_steps_and_requests_are_within_nine_percent(errors):
    for name in ("itl_ms", "end_to_end_ms"):
        assert errors[f"ratio_{name}"].between(0.91, 1.09).all(), errors


def test_row_of_the_page_says_the_worst_of_each_quantity():
    row = served_latency(Evaluation())
    assert row.predicted
    names = [figure.name for figure in row.figures]
    assert names[:2] == ["time between tokens, mean", "time between tokens, worst (clients: 1)"]
    assert row.figures[2].value < 4
