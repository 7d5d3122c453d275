"""GPUs: data-sheet facts and the relations between them."""

import re
from dataclasses import replace

import pytest
import yaml

from sweetspot.catalog import gpu, gpu_ids
from sweetspot.catalog.packaged import read_packaged
from sweetspot.errors import InputError


def test_gpus_are_those_that_are_promised():
    assert gpu_ids() == (
        *("h100-sxm", "h100-pcie", "h100-nvl", "h200-sxm", "h200-nvl", "gh200"),
        *("a100-40gb", "a100-80gb", "a100-pcie-40gb", "a100-pcie-80gb", "v100-32gb"),
        *("l40s", "l4", "rtx-4090", "rtx-6000-ada", "b200", "b300"),
    )


def test_h100_sxm_has_its_data_sheets_numbers():
    h100 = gpu("h100-sxm")
    assert h100.memory_bytes == 81559 * 1024**2
    assert h100.bandwidth_bytes_per_s == pytest.approx(3.35e12)
    assert h100.fp16_flops == pytest.approx(989.4e12)
    assert h100.fp8_flops == pytest.approx(1978.9e12)
    assert h100.power_limit_w == 700
    assert h100.nvml_name == "NVIDIA H100 80GB HBM3"


@pytest.mark.parametrize("gpu_id", gpu_ids())
def test_units_and_relations_hold_for_every_gpu(gpu_id):
    board = gpu(gpu_id)
    assert board.id == gpu_id
    assert board.nvml_name.startswith(("NVIDIA ", "Tesla "))
    assert "data sheet" in board.source
    assert 20 * 2**30 < board.memory_bytes < 300 * 2**30
    # Dense: no board here does more than 2.25 PFLOP/s, nor draws more than 3 W for a TFLOP/s.
    assert 100e12 < board.fp16_flops <= 2250e12
    assert 0.2 < board.power_limit_w / (board.fp16_flops / 1e12) < 3
    assert 100 < board.fp16_flops / board.bandwidth_bytes_per_s < 500
    assert 1400 < board.max_clock_mhz < 2600
    if board.fp8_flops is not None:
        assert board.fp8_flops == pytest.approx(2 * board.fp16_flops, rel=0.02)


def test_boards_before_ada_and_hopper_have_no_fp8():
    without = {gpu_id for gpu_id in gpu_ids() if gpu(gpu_id).fp8_flops is None}
    assert without == {g for g in gpu_ids() if g.startswith(("a100-", "v100-"))}


@pytest.mark.parametrize("gpu_id", gpu_ids())
def test_nvml_name_is_of_its_board_alone(gpu_id):
    name = gpu(gpu_id).nvml_name
    assert [each for each in gpu_ids() if gpu(each).is_called(name)] == [gpu_id]
    assert not gpu(gpu_id).is_called(f"{name} NVL")
    assert gpu(gpu_id).is_called(name.removeprefix("NVIDIA "))


@pytest.mark.parametrize(
    ("name", "gpu_id"),
    [
        ("H100", "h100-sxm"),
        ("h200", "h200-sxm"),
        ("H100 SXM", "h100-sxm"),
        ("NVIDIA H100 PCIe", "h100-pcie"),
        ("v100", "v100-32gb"),
        ("RTX 4090", "rtx-4090"),
        ("A100-SXM4-40GB", "a100-40gb"),  # as drivers before R510 say it
        *((gpu(gpu_id).nvml_name, gpu_id) for gpu_id in gpu_ids()),
    ],
)
def test_name_that_is_of_one_board_means_it(name, gpu_id):
    assert gpu(name).id == gpu_id


def test_name_of_several_boards_is_refused_with_all_of_them():
    with pytest.raises(InputError, match="can be 'a100-pcie-40gb' or 'a100-pcie-80gb'; name"):
        gpu("a100-pcie")
    with pytest.raises(InputError, match=r"'a100-40gb', 'a100-80gb', .* or 'a100-pcie-80gb'; name"):
        gpu("a100")


@pytest.mark.parametrize("name", ["l40", "h20", "NVIDIA H200 XYZ", "NVIDIA", ""])
def test_board_that_is_not_in_the_catalog_is_never_taken_for_another(name):
    with pytest.raises(InputError, match=f"unknown GPU {name!r}"):
        gpu(name)


def test_unknown_gpu_is_refused_with_the_nearest():
    with pytest.raises(InputError, match="unknown GPU 'h100-sxn'; did you mean 'h100-sxm'"):
        gpu("h100-sxn")
    with pytest.raises(
        InputError, match="unknown GPU 'H100 80GB'; known: h100-nvl, h100-pcie, h100-sxm"
    ):
        gpu("H100 80GB")  # not an A100 of 80 GB


def test_links_are_those_of_the_data_sheets():
    """The rate in one direction: half of what a sheet prints."""
    assert gpu("h100-sxm").link_bytes_per_s == gpu("h200-sxm").link_bytes_per_s == 450e9
    assert gpu("a100-80gb").link_bytes_per_s == 300e9
    assert gpu("b200").link_bytes_per_s == 900e9
    assert gpu("l40s").nvlink_bytes_per_s is None
    assert gpu("l40s").link_bytes_per_s == 32e9
    assert gpu("h100-pcie").link_bytes_per_s == 64e9


OWN = {
    "nvml_name": "NVIDIA Of Mine",
    "memory_mib": 40000,
    "bandwidth_gb_per_s": 1500,
    "fp16_tflops": 300,
    "fp8_tflops": None,
    "power_limit_w": 350,
    "nvlink_gb_per_s": None,
    "pcie_gb_per_s": 64,
    "max_clock_mhz": 2000,
}


@pytest.fixture
def own(tmp_path):
    """Return a function that writes a GPU file and returns its name."""

    def write(file="My GPU.yaml", **changes):
        path = tmp_path / file
        path.write_text(yaml.safe_dump({**OWN, **changes}), encoding="utf-8")
        return str(path)

    return write


def test_file_of_ones_own_is_a_board_called_as_the_file_is(own):
    board = gpu(own())
    assert (board.id, board.name, board.nvml_name) == ("my-gpu", "my-gpu", "NVIDIA Of Mine")
    assert (board.memory_bytes, board.bandwidth_bytes_per_s) == (40000 * 2**20, 1.5e12)
    assert (board.fp16_flops, board.fp8_flops, board.power_limit_w) == (300e12, None, 350)
    assert (board.link_bytes_per_s, board.max_clock_mhz) == (32e9, 2000)
    assert gpu(own("x.yml", fp8_tflops=600.5, nvlink_gb_per_s=900)).fp8_flops == 600.5e12


def test_entries_of_the_catalog_are_files_too(own):
    row = read_packaged("gpus.yaml")["l40s"]
    assert replace(gpu(own(**row)), id="l40s", kernels_of="") == gpu("l40s")


def test_file_says_whose_kernels_stand_in(own):
    assert gpu(own("a100-mine.yaml")).kernels_of == "h100-sxm"  # not by what the file is called
    assert gpu(own(kernels_of="NVIDIA L4")).kernels_of == "l4"
    assert {gpu(gpu_id).kernels_of for gpu_id in gpu_ids()} == {""}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"memory_gb": 40}, "unknown key 'memory_gb'; known: name, nvml_name, source, memory_mib"),
        ({"bandwidth_gb_per_s": 1e-320}, "'bandwidth_gb_per_s' must be from 10 to 100000, not 9.9"),
        ({"fp16_tflops": None}, "'fp16_tflops' must be a number, not None"),
        ({"power_limit_w": 0}, "'power_limit_w' must be from 3 to 10000, not 0; look at the unit"),
        ({"power_limit_w": 10**400}, "'power_limit_w' must be a number"),
        ({"memory_mib": True}, "'memory_mib' must be a number"),
        ({"max_clock_mhz": "2 GHz"}, "'max_clock_mhz' must be a number, not '2 GHz'"),
        ({"fp8_tflops": float("nan")}, "'fp8_tflops' must be from 0.1 to 100000, not nan"),
        ({"nvml_name": 7}, "'nvml_name' must be text, not 7"),
        ({"kernels_of": "a30"}, "'kernels_of' must be a GPU of the catalog: unknown GPU 'a30'"),
        ({"kernels_of": 7}, "'kernels_of' must be a GPU of the catalog: not 7"),
        ({"kernels_of": "other.yaml"}, "'kernels_of' must be a GPU of the catalog: not 'other"),
    ],
)
def test_bad_value_of_a_file_is_refused_in_one_line(own, changes, message):
    with pytest.raises(InputError, match=f"^GPU file .*My GPU.yaml: {message}") as caught:
        gpu(own(**changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["h100-sxm.yaml", "H100 SXM.yml", "é.yaml"])
def test_file_with_the_name_of_another_board_or_none_is_refused(own, name):
    with pytest.raises(InputError, match="needs a name that no other has"):
        gpu(own(name))


def test_file_that_lacks_a_key_or_is_none_is_refused(tmp_path):
    path = tmp_path / "mine.yaml"
    for text, message in (
        ("name: mine", "mine.yaml: 'memory_mib' is missing"),
        ("- 1", "mine.yaml must be a mapping"),
        ("a: [", "mine.yaml is not valid YAML"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=message):
            gpu(str(path))
    with pytest.raises(InputError, match=r"none.yaml: No such file"):
        gpu(str(tmp_path / "none.yaml"))


def test_settings_are_of_the_board_and_said():
    h100 = gpu("h100-sxm")
    assert h100.set_to() is h100.set_to(700, 1980) is h100
    assert h100.clock_mhz is None
    found = h100.set_to(power_limit_w=450.5, clock_mhz=990)
    assert found == replace(h100, power_limit_w=450.5, full_power_limit_w=700, clock_share=0.5)
    assert found.clock_mhz == 990
    assert found.settings == "power limit 450.5 W, clock 990 MHz"
    assert (h100.settings, h100.set_to(500).settings) == ("", "power limit 500 W")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"power_limit_w": 701},
            "power_limit_w must be at most the 700 W of h100-sxm's data sheet",
        ),
        ({"power_limit_w": 0}, "power_limit_w must be at most the 700 W"),
        ({"clock_mhz": 197}, "clock_mhz must be from 198 to 1980 MHz, the clocks of h100-sxm, not"),
        ({"clock_mhz": 1981}, "clock_mhz must be from 198 to 1980 MHz"),
    ],
)
def test_settings_that_no_such_board_has_are_refused(settings, message):
    with pytest.raises(InputError, match=re.escape(message)):
        gpu("h100-sxm").set_to(**settings)
