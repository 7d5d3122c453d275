"""Lists of windows, read or refused in one line."""

import pytest

from sweetspot.errors import InputError
from sweetspot.telemetry.cluster.windows import read_windows

HEADER = "model,input_tokens,output_tokens,requests,start_utc,end_utc,gpu,host,passes"


def written(tmp_path, *lines, header=HEADER):
    path = tmp_path / "windows.csv"
    path.write_text("\n".join((header, *lines, "")))
    return path


def test_times_are_iso_or_numbers_since_1970(tmp_path):
    path = written(
        tmp_path,
        "tiny,16,8,10,2026-09-21T14:13:20Z,1790000020.5,gpu_0,node-1,4",
        "tiny,16,8,10,2026-09-21T16:13:20+02:00,1790000020500,,node-1,",
    )
    first, second = read_windows(path)
    assert first.start_ns == second.start_ns == 1_790_000_000 * 10**9
    assert first.end_ns == second.end_ns == 1_790_000_020_500_000_000
    assert (first.source.gpu_uuid, first.source.host, first.passes) == ("gpu_0", "node-1", 4)
    assert (second.source.gpu_uuid, second.passes, second.max_batch_size) == ("", 1, 10)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("tiny,16,8,ten,1,2,gpu_0,,", "line 2: invalid literal"),
        ("tiny,16,8,10,yesterday,2,gpu_0,,", "line 2: .*'yesterday'"),
        ("tiny,16,8,10,5,5,gpu_0,,", "line 2: it ends at '5', and begins at '5'"),
        ("tiny,16,8,10,5,6,,,", "names no gpu and no host"),
        (",16,8,10,5,6,gpu_0,,", "line 2 has no model"),
        ("tiny,16,8,10,,6,gpu_0,,", "line 2 has no start_utc"),
        ("tiny,16,,10,5,6,gpu_0,,", "line 2 has no output_tokens"),
        ("", "has no window"),
    ],
)
def test_line_that_is_no_window_is_refused(tmp_path, line, message):
    with pytest.raises(InputError, match=message):
        read_windows(written(tmp_path, line))


def test_list_without_a_column_is_refused_by_its_name(tmp_path):
    with pytest.raises(InputError, match="lacks the column start_utc"):
        read_windows(written(tmp_path, header=HEADER.replace("start_utc", "begun")))


def test_simulated_run_has_no_window(small_run):
    with pytest.raises(InputError, match="no window of a measured cell"):
        read_windows(small_run)
