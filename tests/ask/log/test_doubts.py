"""Warnings of a log: units that cannot be right, with the value met; none for what is usual."""

from itertools import chain

import pytest

import sweetspot

ANSWERED_BY = ("llama-3.1-8b", "h100-sxm")


@pytest.fixture
def warnings(tmp_path):
    """Return a function that writes a log and returns the warnings of what it costs."""

    def warnings(header, rows, **options):
        path = tmp_path / "log.csv"
        path.write_text("\n".join([header, *rows]) + "\n")
        found = sweetspot.cost(path, *ANSWERED_BY, **options)
        return [note for note in found.notes if note.startswith("Warning: ")]

    return warnings


def every(gap, lengths="512,100", count=20, begin=0):
    """Return lines at equal gaps, in whatever unit the log has."""
    return [f"{begin + gap * n:.9f},{lengths}" for n in range(count)]


TIMES = "time,input_tokens,output_tokens"


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        (TIMES, every(0.1)),
        (TIMES, every(50)),
        ("arrival_ms,input_tokens,output_tokens", every(200)),
        ("arrival_s,input_tokens,output_tokens", every(300)),  # seldom, but its unit is said
        (TIMES, every(1e6, count=5)),  # few requests say nothing of a rate
        ("input_tokens,output_tokens", ["512,100"] * 20),
    ],
)
def test_usual_log_raises_none(warnings, header, rows):
    found = warnings(header, rows)
    assert not [each for each in found if "hardly" in each or "same" in each]


@pytest.mark.parametrize(
    ("header", "rows", "says"),
    [
        (
            TIMES,
            every(300),  # ms
            "a request in 300 s on average can hardly be; in ms it would be 3.33 requests/s:"
            " --columns arrival_ms=time",
        ),
        (TIMES, every(3e5), "in us it would be 3.33 requests/s: --columns arrival_us=time"),
        (
            "arrival_us,input_tokens,output_tokens",
            every(0.3),  # s
            "3.33e+06 requests/s on average can hardly be; in s it would be 3.33 requests/s:"
            " --columns arrival_s=arrival_us",
        ),
        (
            "date,input_tokens,output_tokens",
            [f"2023-05-{day:02d},512,100" for day in range(1, 28, 2)],
            "a request in 1.73e+05 s on average can hardly be; look at 'date', or name another",
        ),
        (TIMES, every(0.0), "all 20 requests have the same time, so that they come at once"),
    ],
)
def test_rate_that_can_hardly_be_is_told_with_the_unit_that_could(warnings, header, rows, says):
    assert says in "\n".join(warnings(header, rows))


def test_lengths_that_are_no_tokens_are_told(warnings):
    header, rows = "time,prompt_chars,answer", every(1, "2000,400")
    (found,) = warnings(
        header, rows, columns={"input_tokens": "prompt_chars", "output_tokens": "answer"}
    )
    assert "'prompt_chars' is read as tokens" in found


def test_many_requests_beyond_the_context_are_told(warnings):
    rows = list(chain(every(1), every(1, "400000,100", 15, begin=20)))
    (found,) = warnings(TIMES, rows)
    assert "43 % of the requests are too long and left out" in found


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (every(40, "50,5"), "J per output token is beyond what is usual, 0.001 to 30 J: 99."),
        (every(1, "30000,1"), "30000 input tokens come with each of them"),
    ],
)
def test_energy_beyond_what_is_usual_is_told_with_its_reason(warnings, rows, says):
    assert says in "\n".join(warnings(TIMES, rows))


def test_rates_in_another_unit_are_told(warnings):
    found = warnings(TIMES, every(1), gco2_per_kwh=0.38, pue=12)
    assert "0.38 g of CO2 equivalents per kWh are of no grid" in found[0]
    assert "a PUE of 12 is beyond that of any site" in found[1]
    assert warnings(TIMES, every(1), gco2_per_kwh=0.0, price_per_kwh=30, pue=1.1) == []
