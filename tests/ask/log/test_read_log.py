"""Logs of requests: what is read of each kind, in how much memory, refusals with file and line."""

import gzip
import json
from datetime import UTC, datetime
from itertools import islice

import pytest

from sweetspot.ask.log import read as reading
from sweetspot.ask.log.longest import Longest
from sweetspot.ask.log.read import RequestLog
from sweetspot.errors import InputError
from sweetspot.simulator.schedule.requests import Request

HEADER = "arrival_s,input_tokens,output_tokens\n"


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a log and returns its path."""

    def write(text, encoding="utf-8"):
        path = tmp_path / "log.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def read(path, max_seq_len=8192, columns=None):
    with RequestLog(path, max_seq_len=max_seq_len, columns=columns) as log:
        return list(log)


def lines(*objects):
    return "".join(json.dumps(each) + "\n" for each in objects)


def answered(created, prompt, completion):
    """Return a line as an OpenAI-style server answers."""
    usage = {
        "prompt_tokens": prompt,
        "total_tokens": prompt + completion,
        "completion_tokens": completion,
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
    return {"id": "cmpl-1", "created": created, "model": "m", "usage": usage}


KINDS = {
    "Azure": (
        "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        "2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:48.1805900,396,109\n"
    ),
    "Azure 2024": (
        "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        "2024-05-10 00:00:00.009930+00:00,374,44\n2024-05-10 00:00:01.509930+00:00,396,109\n"
    ),
    "BurstGPT": (
        "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
        "5,ChatGPT,374,44,418,Conversation log\n6.5,ChatGPT,396,109,505,Conversation log\n"
    ),
    "Mooncake": lines(
        {"timestamp": 27482, "input_length": 374, "output_length": 44, "hash_ids": [0, 1]},
        {"timestamp": 28982, "input_length": 396, "output_length": 109, "hash_ids": [0, 2]},
    ),
    "OpenAI": lines(answered(1700000000, 374, 44), answered(1700000001.5, 396, 109)),
    "batch API": lines(
        *(
            {"response": {"body": answered(at, i, o)}}
            for at, i, o in ((5, 374, 44), (6.5, 396, 109))
        )
    ),
    "ms": "arrival_ms,prompt_tokens,completion_tokens\n100,374,44\n1600,396,109\n",
    "ms since 1970": "time;isl;osl\n1700000000000;374;44\n1700000001500;396;109\n",
    "ns since 1970": "ts\tin\tout\n1700000000000000000\t374\t44\n1700000001500000000\t396\t109\n",
    "ISO 8601": (
        "created_at,input_tokens,output_tokens\n"
        "2024-05-10T02:00:00+02:00,374,44.0\n2024-05-10T00:00:01.500Z,396,109.0\n"
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_logs_are_read_as_they_lie(write, kind):
    first, second = read(write(KINDS[kind]))
    assert first == Request(0.0, 374, 44)
    assert second[1:3] == (396, 109)
    assert second.arrival_s == pytest.approx(1.5, abs=1e-6)


def test_log_without_times_comes_at_once_and_says_so(write):
    log = RequestLog(write("input,output\n1,2\n3,4\n"), max_seq_len=10)
    assert list(log) == [Request(0.0, 1, 2), Request(0.0, 3, 4)]
    assert "the log has no times: all requests come at once" in log.notes


def test_date_of_the_first_request_is_known_where_times_have_one(write):
    def begins(kind):
        return RequestLog(write(KINDS[kind]), max_seq_len=10**6).begins

    assert begins("Azure") == datetime(2023, 11, 16, 18, 15, 46, 680590, UTC)
    assert begins("ms since 1970") == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert begins("BurstGPT") is None


def test_columns_are_what_their_owner_says(write):
    path = write("t,a,b,timestamp\n0,7,8,9\n500,1,2,9\n")
    columns = {"arrival_ms": "t", "input_tokens": "b", "output_tokens": "a"}
    assert read(path, columns=columns) == [Request(0.0, 8, 7), Request(0.5, 2, 1)]


def test_packed_log_is_read(write):
    path = write(KINDS["BurstGPT"])
    packed = path.with_suffix(".csv.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read(packed) == read(path)
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"cannot read log .*log\.csv\.gz: "):
        read(packed)


def test_times_count_from_the_first_request(write):
    path = write(HEADER + "100.5,10,20\n100.5,1,2\n101,3,4\n")
    assert read(path) == [Request(0.0, 10, 20), Request(0.0, 1, 2), Request(0.5, 3, 4)]


@pytest.mark.parametrize(
    "text",
    [
        "output_tokens,user,arrival_s,input_tokens\n20,a,5,10\n",  # any order, other columns
        "\ufeff" + HEADER + "5,10,20\n",  # as Excel writes it
        (HEADER + "5,10,20\n").replace("\n", "\r\n"),
        HEADER + "\n-5, 10, 20\n\n",  # blank lines, any origin
        'arrival_s, input_tokens, output_tokens\n"5","10","20"',  # quotes, no last line end
    ],
)
def test_other_spellings_are_read(write, text):
    assert read(write(text)) == [Request(0.0, 10, 20)]


def test_log_is_read_as_it_is_asked_for(write, monkeypatch):
    monkeypatch.setattr(reading, "WINDOW", 10)
    path = write(HEADER + "0,1,1\n" * 1000 + "broken\n")
    with RequestLog(path, max_seq_len=9) as log:
        assert len(list(islice(log, 990))) == 990


def test_lines_a_little_out_of_order_are_put_in_order(write, monkeypatch):
    monkeypatch.setattr(reading, "WINDOW", 3)
    log = RequestLog(write(HEADER + "3,1,1\n1,2,2\n2,3,3\n9,4,4\n5,5,5\n"), max_seq_len=99)
    assert [(r.arrival_s, r.input_tokens) for r in log] == [(0, 2), (1, 3), (2, 1), (4, 5), (8, 4)]
    assert "put in order: 3 that stand below later ones" in log.notes
    with pytest.raises(InputError, match=r"line 7: it came 1 s before a request more than 3 lines"):
        read(write(HEADER + "3,1,1\n1,2,2\n2,3,3\n9,4,4\n9,4,4\n1,5,5\n"))


def test_what_cannot_be_simulated_is_counted_and_named(write):
    log = RequestLog(
        write(HEADER + "0,5,0\n0,0,5\n0,0,0\n0,8000,192\n1,8000,193\n2,9000,1\n"), max_seq_len=8192
    )
    assert list(log) == [Request(0.0, 8000, 192)]
    notes = " | ".join(log.notes)
    assert "left out: 2 without output tokens" in notes
    assert "left out: 1 without input tokens" in notes
    assert "left out: 2 of more than 8192 tokens" in notes
    assert "the longest has 9001 " in notes
    assert "line 7" in notes


def test_what_nothing_can_serve_is_left_out_and_counted(write):
    path = write(HEADER + "0,60,40\n0,60,41\n0,90,1\n0,95,40\n0,300,1\n")
    longest = [
        Longest(tokens=100, why="all that the KV cache holds"),
        Longest(tokens=80, of="with a prompt ", why="no prompt is cut"),
    ]
    log = RequestLog(path, max_seq_len=200, longest=longest)
    assert list(log) == [Request(0.0, 60, 40)]
    assert log.requests == 5
    assert [note for note in log.notes if note.startswith("left out")] == [
        "left out: 1 of more than 200 tokens (the model's context, or --max-seq-len); the longest"
        f" has 301 ({path}, line 6)",
        "left out: 2 of more than 100 tokens (all that the KV cache holds); the longest has 135"
        f" ({path}, line 5)",
        "left out: 1 with a prompt of more than 80 tokens (no prompt is cut); the longest has 90"
        f" ({path}, line 4)",
    ]


def hashed(*prompts):
    return lines(
        *(
            {"timestamp": 0, "input_length": i, "output_length": 1, "hash_ids": ids}
            for i, ids in prompts
        )
    )


def test_prefixes_are_read_where_they_are_asked_for(write):
    path = write(hashed((1000, [7, 8]), (1000, [7]), (1000, [7, 8, 9]), (10, None)))
    assert [request.prefix for request in read(path)] == [()] * 4
    log = RequestLog(path, max_seq_len=8192, prefix_cache=True)
    assert [request.prefix for request in log] == [(7, 8), (7,), (), ()]
    notes = "\n".join(log.notes)
    assert "begin with the same hash_ids are processed from there on" in notes
    assert "1 prompts are processed whole, as their hash_ids are not one for 512 tokens" in notes
    assert "not modelled" not in notes


def test_cached_tokens_are_read_where_no_blocks_are_named(write):
    path = write("in,out,cached_tokens\n1000,1,640\n1000,1,\n")
    log = RequestLog(path, max_seq_len=8192, prefix_cache=True)
    assert [request.cached_tokens for request in log] == [640, 0]
    assert "a prefix cache: cached_tokens of each prompt are not processed" in log.notes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + "0,1,1\n", "--prefix-cache: .* has neither hash_ids nor cached_tokens"),
        (hashed((10, ["a"])), r"line 1: hash_ids must be a list of whole numbers, not \['a'\]"),
        (hashed((10, 5)), "line 1: hash_ids must be a list of whole numbers, not 5"),
        ("in,out,hash_ids\n9,1,[1\n", r"hash_ids must be a list of whole numbers, not '\[1'"),
        ("in,out,cached_tokens\n9,1,-2\n", "cached_tokens must be a whole number, not '-2'"),
    ],
)
def test_prefixes_that_are_none_are_refused(write, text, message):
    with pytest.raises(InputError, match=message):
        list(RequestLog(write(text), max_seq_len=8192, prefix_cache=True))


def test_what_is_assumed_is_said(write):
    notes = "\n".join(RequestLog(write(KINDS["Mooncake"]), max_seq_len=10**6).notes)
    assert "'timestamp', in ms, as Mooncake's are; say arrival_ms or the like" in notes
    assert "hash_ids not modelled: every prompt is processed whole" in notes
    models = KINDS["BurstGPT"].replace("6.5,ChatGPT", "6.5,GPT-4")
    log = RequestLog(write(models), max_seq_len=10**6)
    list(log)
    assert "requests to several models (ChatGPT, GPT-4) are all taken as this one's" in log.notes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"log .*log\.csv is empty; it needs a header"),
        (HEADER, r"log .*log\.csv holds no requests, only a header"),
        (HEADER + "0,1,0\n", r"holds no requests that can be simulated: left out: 1 without out"),
        ("arrival_s,input_tokens\n", r"log\.csv has no column for output_tokens; found: arrival_s"),
        ("0,10,20\n", "no column for input_tokens and output_tokens; found: 0, 10, 20; accepted"),
        ("input,prompt,output\n", "'input' and 'prompt' may both be input_tokens; say which: colu"),
        ("[\n{}\n]\n", "line 1: a list in JSON; write an object a line"),
        (HEADER + "0,1,1\n0,5,10,20\n", "line 3: 4 columns, but 3 in the header"),
        ("input_tokens," + HEADER, r"log\.csv: column input_tokens stands twice"),
        (HEADER + "0,-3,1\n", "line 2: input_tokens -3 and output_tokens 1 must not be negative"),
        (HEADER + "0,1,1\nx,1,1\n", "line 3: arrival_s must be a time, not 'x'; it reads 'x,1,1'"),
        (HEADER + "nan,1,1\n", "line 2: arrival_s must be a time, not 'nan'"),
        (HEADER + "inf,1,1\n", "line 2: arrival_s must be a time, not 'inf'"),
        (
            "time,in,out\n2024-05-10,1,1\n7,1,1\n",
            "time must be a date as its first line's, not '7'",
        ),
        (HEADER + "0,1.5,1\n", "line 2: input_tokens must be a whole number, not '1.5'"),
        (HEADER + "0,1,nan\n", "line 2: output_tokens must be a whole number, not 'nan'"),
        (HEADER + "0,1,\n", "line 2: output_tokens must be a whole number, not ''"),
        (HEADER + "\n0,1\n", "line 3: no output_tokens; it reads '0,1'"),
        (HEADER + "0,1,1\n9e8,1,1\n", "line 3: arrival_s is 9e.08 s from the first line's, more"),
        (HEADER + "1.7e12,1,1\n", "a time of 1.7e.12 s lies beyond the year 5000; give its unit"),
        (
            '{"input": 1, "output": 2}\n{"input": 1}\n',
            "line 2: no output; it reads '{\"input\": 1}'",
        ),
        ('{"input": 1, "output": true}\n', "line 1: output must be a whole number, not True"),
        ('{"input": 1, "output": 2}\n{"inp\n', "line 2: not valid JSON; it reads '{\"inp'"),
    ],
)
def test_bad_log_is_refused_with_its_line(write, text, message):
    with pytest.raises(InputError, match=message) as caught:
        read(write(text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"arival": "x"}, "'arival' is nothing that a log says; did you mean 'arrival'"),
        ({"input_tokens": "x"}, "has no column 'x'; found: arrival_s, input_tokens"),
    ],
)
def test_bad_columns_are_refused(write, columns, message):
    with pytest.raises(InputError, match=message):
        read(write(HEADER + "0,1,1\n"), columns=columns)


def test_bad_line_is_quoted_by_its_beginning(write):
    path = write(HEADER + "0,1," + "x" * 100_000 + "\n")
    with pytest.raises(InputError, match="line 2: output_tokens must be") as caught:
        read(path)
    assert len(str(caught.value)) < 400


def test_file_that_is_not_text_is_refused(write):
    late = HEADER + "0,1,1\n" * 10_000 + "é,1,1\n"
    for path in (write(HEADER + "0,1,1\n", "utf-16"), write(late, "latin-1")):
        with pytest.raises(InputError, match=r"cannot read log .*log\.csv: .*utf-8"):
            read(path)


def test_missing_file_is_refused_before_the_first_request(tmp_path):
    with pytest.raises(InputError, match=r"cannot read log .*: No such file"):
        RequestLog(tmp_path / "none.csv", max_seq_len=10)
    with pytest.raises(InputError, match=r"cannot read log .*: Is a directory"):
        RequestLog(tmp_path, max_seq_len=10)
