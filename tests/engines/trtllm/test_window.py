"""The window of a run, by stamps, by the requests' own times, and by lines of the log."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.cells.cell import Cell
from sweetspot.engines.trtllm.report import Report
from sweetspot.engines.trtllm.window import (
    END_LINE,
    MAX_GAP_SHARE,
    START_LINE,
    BenchWindow,
    logged_window,
    requested_window,
    require_latency,
    stamped_window,
)
from sweetspot.errors import EngineError
from sweetspot.schema.reading import converted

CELL = Cell(
    model="m", engine="tensorrt-llm", max_batch_size=8, requests=3, input_tokens=5, output_tokens=7
)


def report_of(latency_ms):
    return converted(
        Report,
        {
            "engine": {"backend": "TRT"},
            "world_info": {"max_batch_size": 8, "max_num_tokens": 64},
            "request_info": {"num_requests": 3, "avg_input_length": 5, "avg_output_length": 7},
            "performance": {"total_latency_ms": latency_ms},
        },
    )


def stamp(start_ns, end_ns, **changes):
    done = {"requests": 3, "input_tokens": 15, "output_tokens": 21}
    return {"start_ns": start_ns, "end_ns": end_ns} | done | changes


def written(tmp_path, content):
    path = tmp_path / "times.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_stamped_window_reaches_from_the_first_pass_to_the_last(tmp_path):
    passes = [stamp(1_500_000_000, 2_500_000_000), stamp(2_510_000_000, 3_500_000_000)]
    window = stamped_window(written(tmp_path, {"passes": passes}), CELL)
    assert (window.start_s, window.end_s, len(window.passes)) == (1.5, 3.5, 2)
    assert window.untrusted == ""


@pytest.mark.parametrize("read", [lambda path: stamped_window(path, CELL), requested_window])
def test_no_file_is_not_a_window(tmp_path, read):
    assert read(tmp_path / "nothing") is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "cannot be used"),
        ({"passes": []}, "cannot be used: passes"),
        ({"passes": [{"start_ns": 1}]}, r"cannot be used: passes\.0\.end_ns is missing"),
        ({"passes": [stamp(2, 2)]}, r"cannot be used: passes\.0: a pass of 2 to 2 ns"),
        (
            {"passes": [stamp(1, 2), stamp(3, 4, requests=2)]},
            r"pass 2 of 2 did \(2, 15, 21\) instead of \(3, 15, 21\) requests",
        ),
        ({"passes": [stamp(1, 2, output_tokens=20)]}, r"\(3, 15, 20\) instead of \(3, 15, 21\)"),
    ],
)
def test_stamps_that_cannot_be_are_an_engine_error(tmp_path, content, message):
    with pytest.raises(EngineError, match=message):
        stamped_window(written(tmp_path, content), CELL)


@given(lengths=st.lists(st.tuples(st.floats(0.01, 10), st.floats(0, 1)), min_size=1, max_size=20))
def test_window_is_trusted_if_the_engine_hardly_waited_in_it(lengths):
    now_s, passes = 0.0, []
    for run_s, gap_s in lengths:
        passes.append((now_s, now_s + run_s))
        now_s += run_s + gap_s
    idle_s = sum(gap_s for _, gap_s in lengths[:-1])
    window = BenchWindow(passes=tuple(passes), source="stamps")
    share = idle_s / (window.end_s - window.start_s)
    if abs(share - MAX_GAP_SHARE) > 1e-9:
        assert bool(window.untrusted) == (share > MAX_GAP_SHARE)


def test_window_of_requests_reaches_from_first_start_to_last_end(tmp_path):
    records = [
        {"id": 2, "start_timestamp": 4_000_000_000, "end_timestamp": 6_000_000_000, "output": ""},
        {"id": 1, "start_timestamp": 3_000_000_000, "end_timestamp": 5_000_000_000, "output": ""},
    ]
    window = requested_window(written(tmp_path, records))
    assert window.passes == ((3.0, 6.0),)
    assert "one pass only" in window.remarks[0]


@pytest.mark.parametrize("content", ["[", "[]", '[{"id": 1}]', "{}"])
def test_request_times_that_say_nothing_are_an_engine_error(tmp_path, content):
    with pytest.raises(EngineError, match="times of requests "):
        requested_window(written(tmp_path, content))


@pytest.mark.parametrize(("warmup", "earlier"), [(0, []), (2, [1.0])])
def test_logged_window_is_as_long_as_the_report_says_not_as_the_log(warmup, earlier):
    stamps_s = {START_LINE: [*earlier, 5.0], END_LINE: [*earlier, 9.0]}
    window = logged_window(stamps_s, report_of(3000), warmup)
    assert window.passes == ((5.0, 8.0),)  # "complete" comes up to 1 s after the last response


@pytest.mark.parametrize(
    ("starts_s", "ends_s", "latency_ms", "message"),
    [
        ([], [], 3000, r"logged 0 times 'Starting benchmark\.\.\.' and 0 times"),
        ([1.0], [2.0], 1000, "instead of 2"),
        ([1.0, 5.0], [2.0], 1000, "instead of 2"),
        ([1.0, 5.0], [2.0, 8.0], 3600, r"reports 3\.600 s, but its log shows a pass of 3\.000 s"),
    ],
)
def test_log_that_contradicts_is_an_engine_error(starts_s, ends_s, latency_ms, message):
    stamps_s = {START_LINE: starts_s, END_LINE: ends_s}
    with pytest.raises(EngineError, match=message):
        logged_window(stamps_s, report_of(latency_ms), warmup=2)


def test_report_covers_the_last_pass():
    window = BenchWindow(passes=((0.0, 2.0), (2.0, 5.0)), source="stamps")
    require_latency(window, report_of(3000))
    with pytest.raises(EngineError, match=r"took 3\.000 s by its requests, and 2\.000 s by the"):
        require_latency(window, report_of(2000))
