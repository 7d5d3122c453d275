"""Trace files: what is read, in how much memory, and refusals that name file and line."""

from itertools import islice

import pytest

from sweetspot.errors import InputError
from sweetspot.simulator.schedule.request_trace import read_trace
from sweetspot.simulator.schedule.requests import Request

HEADER = "arrival_s,input_tokens,output_tokens\n"


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a trace and returns its path."""

    def write(text, encoding="utf-8"):
        path = tmp_path / "trace.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def read(path, max_seq_len=8192):
    return list(read_trace(path, max_seq_len=max_seq_len))


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


def test_trace_is_read_as_it_is_asked_for(write):
    path = write(HEADER + "0,1,1\n" * 1000 + "broken\n")
    assert len(list(islice(read_trace(path, max_seq_len=9), 1000))) == 1000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"trace .*trace\.csv is empty; it needs the header arrival_s,"),
        (HEADER, r"trace .*trace\.csv holds no requests"),
        ("arrival_s,input_tokens\n", r"trace\.csv, line 1: no column output_tokens in"),
        ("0,10,20\n", "line 1: no column arrival_s or input_tokens or output_tokens"),
        (HEADER + "0,1,1\n2,1,1\n1,1,1\n", r"trace\.csv, line 4: arrival_s 1 is before the 2"),
        (HEADER + "0,1,1\n0,5,10,20\n", "line 3: 4 columns, but 3 in the header"),
        ("arrival_s," + HEADER, r"trace\.csv, line 1: column arrival_s stands twice"),
        (HEADER + "0,-3,1\n", "line 2: input_tokens -3 and output_tokens 1 must both be at least"),
        (HEADER + "0,1,0\n", "line 2: input_tokens 1 and output_tokens 0 must both be at least"),
        (HEADER + "0,1,1\nx,1,1\n", "line 3: arrival_s must be a finite number .*, not 'x'"),
        (HEADER + "nan,1,1\n", "line 2: arrival_s must be a finite number .*, not 'nan'"),
        (HEADER + "inf,1,1\n", "line 2: arrival_s must be a finite number .*, not 'inf'"),
        (HEADER + "0,1.5,1\n", "line 2: input_tokens must be a whole number, not '1.5'"),
        (HEADER + "0,1,nan\n", "line 2: output_tokens must be a whole number, not 'nan'"),
        (HEADER + "0,1,\n", "line 2: output_tokens must be a whole number, not ''"),
        (HEADER + "\n0,1\n", "line 3: no output_tokens; the line has 2 columns only"),
        (HEADER + "0,8000,193\n", r"line 2: 8000 \+ 193 tokens are more than max_seq_len 8192"),
    ],
)
def test_bad_trace_is_refused_with_its_line(write, text, message):
    with pytest.raises(InputError, match=message) as caught:
        read(write(text))
    assert "\n" not in str(caught.value)


def test_longest_sequence_is_accepted(write):
    assert read(write(HEADER + "0,8000,192\n")) == [Request(0.0, 8000, 192)]


def test_file_that_is_not_text_is_refused(write):
    late = HEADER + "0,1,1\n" * 10_000 + "é,1,1\n"
    for path in (write(HEADER + "0,1,1\n", "utf-16"), write(late, "latin-1")):
        with pytest.raises(InputError, match=r"cannot read trace .*trace\.csv: .*utf-8"):
            read(path)


def test_missing_file_is_refused_before_the_first_request(tmp_path):
    with pytest.raises(InputError, match=r"cannot read trace .*: No such file"):
        read_trace(tmp_path / "none.csv", max_seq_len=10)
    with pytest.raises(InputError, match=r"cannot read trace .*: Is a directory"):
        read_trace(tmp_path, max_seq_len=10)
