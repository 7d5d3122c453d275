"""Numbers of a GPU file that no board has: refused with the unit that they seem to be in."""

import pytest

from sweetspot.catalog.packaged import read_packaged
from sweetspot.catalog.plausible import implausible

KEYS = (
    *("memory_mib", "bandwidth_gb_per_s", "fp16_tflops", "fp8_tflops", "power_limit_w"),
    *("nvlink_gb_per_s", "pcie_gb_per_s", "max_clock_mhz"),
)


def row_of(values):
    return {key: values[key] for key in KEYS if values.get(key) is not None}


CATALOG = {name: row_of(row) for name, row in read_packaged("gpus.yaml").items()}
A30 = dict(zip(KEYS, (24576, 933, 165, None, 165, None, 64, 1440), strict=True))
# NVIDIA's data sheets: Jetson Orin Nano (4 GB), Tesla P100; announced: Rubin, dense FP16 a guess
OTHERS = {
    "edge": dict(zip(KEYS, (3800, 34, 5, None, 10, None, 4, 625), strict=True)),
    "old": dict(zip(KEYS, (16280, 732, 21.2, None, 300, 160, 32, 1480), strict=True)),
    "next": dict(zip(KEYS, (288000, 22000, 8000, 17500, 1800, 3600, 256, 2500), strict=True)),
    "after": dict(zip(KEYS, (1000000, 32000, 16000, 70000, 3600, 7200, 512, 3000), strict=True)),
}


@pytest.mark.parametrize("row", [*CATALOG.values(), *map(row_of, OTHERS.values()), row_of(A30)])
def test_real_boards_are_plausible_from_an_edge_module_to_the_next_generations(row):
    assert implausible(row) == ""


@pytest.mark.parametrize(
    ("slip", "message"),
    [
        ({"bandwidth_gb_per_s": 0.933}, "is bandwidth_gb_per_s in TB/s? then write 933"),
        (
            {"fp16_tflops": 0.165},
            "PFLOP/s? then write 165; of a board whose FP16 is slow, the rate of FP32",
        ),
        ({"fp16_tflops": 165000}, "is fp16_tflops in GFLOP/s? then write 165"),
        ({"max_clock_mhz": 1.44}, "is max_clock_mhz in GHz? then write 1440"),
        ({"power_limit_w": 0.165}, "is power_limit_w in kW? then write 165"),
        ({"memory_mib": 24}, "is memory_mib in GiB? then write 24576"),
        ({"memory_mib": 24 * 2**30}, "is memory_mib in bytes? then write 24576"),
        ({"pcie_gb_per_s": 0.064}, "is pcie_gb_per_s in TB/s? then write 64"),
    ],
)
def test_slip_of_a_unit_is_refused_with_the_unit_that_it_seems_to_be(slip, message):
    found = implausible(row_of({**A30, **slip}))
    assert found.endswith(message)
    assert "\n" not in found


@pytest.mark.parametrize("name", CATALOG)
def test_factor_of_a_thousand_is_found_in_any_number_of_any_board(name):
    row = CATALOG[name]
    for factor in (1e3, 1e-3):
        for key, value in row.items():
            assert f"is {key} in " in implausible({**row, key: value * factor})


def test_board_whose_fp16_is_slow_is_refused_with_the_rate_to_give_instead():
    p40 = row_of({**A30, "fp16_tflops": 0.183, "power_limit_w": 250, "bandwidth_gb_per_s": 346})
    assert implausible(p40).endswith("of a board whose FP16 is slow, the rate of FP32")
    assert implausible({**p40, "fp16_tflops": 11.76}) == ""
