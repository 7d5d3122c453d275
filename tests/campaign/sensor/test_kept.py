"""A sensor that was looked at once: taken up where board and driver are the same."""

import json

import pytest

from sweetspot.campaign.sensor.kept import take_up_sensor
from sweetspot.catalog import gpu


@pytest.fixture
def look(tmp_path, fake_nvml):
    """Return a function that leaves a folder of sensor facts, beside a campaign `mine`."""
    fake_nvml({})

    def leave(name, **facts):
        folder = tmp_path / "campaigns" / name
        folder.mkdir(parents=True)
        board = {"gpu_uuid": "GPU-0", "driver": "0.fake"} | facts
        (folder / "sensor.json").write_text(json.dumps({"gpu": board}))
        (folder / "sensor.csv.gz").write_bytes(b"samples")

    return leave


def taken_up_by(folder):
    return take_up_sensor(folder, gpu("h100-sxm"), folder)


@pytest.mark.parametrize("mine", ["mine", "mine/part"])
@pytest.mark.parametrize("other", ["other", "other/part"])
def test_sensor_of_the_same_board_and_driver_is_taken_up(look, tmp_path, mine, other):
    look(other)
    folder = tmp_path / "campaigns" / mine
    taken = take_up_sensor(folder, gpu("h100-sxm"), tmp_path / "campaigns" / "mine")
    assert taken is not None
    assert taken.resolve() == tmp_path / "campaigns" / other
    assert json.loads((folder / "sensor.json").read_text())["gpu"]["driver"] == "0.fake"
    assert (folder / "sensor.csv.gz").read_bytes() == b"samples"


@pytest.mark.parametrize("facts", [{"gpu_uuid": "GPU-9"}, {"driver": "1"}])
def test_sensor_of_another_board_or_driver_is_not(look, tmp_path, facts):
    look("other", **facts)
    assert taken_up_by(tmp_path / "campaigns" / "mine") is None


@pytest.mark.parametrize("elsewhere", ["../other", "../archive/other", "other/deep/down"])
def test_campaigns_elsewhere_are_not_looked_into(look, tmp_path, elsewhere):
    look(elsewhere)
    assert taken_up_by(tmp_path / "campaigns" / "mine") is None


def test_facts_that_cannot_be_read_or_lack_their_samples_are_passed_over(look, tmp_path):
    look("torn")
    look("alone")
    (tmp_path / "campaigns" / "torn" / "sensor.json").write_text("{")
    (tmp_path / "campaigns" / "alone" / "sensor.csv.gz").unlink()
    assert taken_up_by(tmp_path / "campaigns" / "mine") is None
