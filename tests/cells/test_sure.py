"""Numbers as a text has them."""

import pytest

from sweetspot.cells.sure import digits
from sweetspot.simulator.constants.intervals import ends


@pytest.mark.parametrize(
    ("value", "spec", "said"),
    [
        (36277.0, ".3g", "36300"),
        (363487.0, ".4g", "363500"),
        (0.012345, ".3g", "0.0123"),
        (1.2e-7, ".3g", "1.2e-07"),
        (999.7, ".4g", "999.7"),
        (12, "d", "12"),
    ],
)
def test_number_keeps_the_digits_of_its_format_and_no_power_of_ten(value, spec, said):
    assert digits(value, spec) == said


def test_ends_of_an_interval_are_numbers_likewise():
    assert ends(20512345.0, 2.4e7) == "20500000 to 24000000"
    assert ends(0.123456, 1.5) == "0.123 to 1.5"
