"""Files that are there beside files that are made."""

import pytest

from sweetspot.verify.check import differing_files

MADE = "model,mape\na,1.25\nb,\n"


def compared(tmp_path, there, made=MADE, suffix="csv"):
    paths = [tmp_path / f"{name}.{suffix}" for name in ("there", "made")]
    for path, text in zip(paths, (there, made), strict=True):
        path.write_text(text)
    return differing_files(*paths, "fits/x")


def test_last_bits_of_a_number_may_be_another_processors(tmp_path):
    assert compared(tmp_path, MADE) == ([], False)
    assert compared(tmp_path, MADE.replace("1.25", "1.2500000000001")) == ([], True)


@pytest.mark.parametrize(
    ("there", "difference"),
    [
        (MADE.replace("1.25", "1.25000001"), "mape of a is '1.25000001', not '1.25'"),
        (MADE.replace("b,", "b,0"), "mape of b is '0', not ''"),
        (MADE.replace("b,", "c,"), "model of b is 'c', not 'b'"),
        (MADE.replace("b,\n", ""), "has 1 rows, not 2"),
        ("model,MAPE\n", "has other columns than are made (lacks mape; beyond them: MAPE)"),
        ("", "has other columns than are made (lacks model, mape; beyond them: none)"),
        (MADE.replace("1.25", '"1.25'), "is not a table: unexpected end of data"),
    ],
)
def test_changed_table_is_found_where_it_differs(tmp_path, there, difference):
    (line,), by_rounding = compared(tmp_path, there)
    assert line.startswith("fits/x: ")
    assert line.endswith(difference)
    assert not by_rounding


def test_other_files_are_compared_line_by_line_to_the_last_character(tmp_path):
    lines, _ = compared(tmp_path, "a\n1.0\n", "a\n1.00\n", "md")
    assert lines == ["fits/x line 2: '1.0', not '1.00'"]
    assert compared(tmp_path, "a\r\n", "a\n", "md")[0] == ["fits/x: other line ends"]
