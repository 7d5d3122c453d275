"""What a campaign remembers, and which changes of its experiment it refuses."""

import own_board
import pytest

from sweetspot.campaign.logbook import open_logbook
from sweetspot.config import parse_experiment
from sweetspot.errors import InputError
from sweetspot.schema.writing import plain

CONFIG = {"engine": "vllm", "models": ["llama-3.2-1b"], "sweeps": {"grid": {"requests": [50]}}}


@pytest.fixture
def reopened(tmp_path):
    """Return a function that opens a begun campaign with changes in its experiment."""
    path = tmp_path / "campaign.json"
    begun = open_logbook(path, parse_experiment(CONFIG))
    begun.requests["llama-3.2-1b/b1024"] = 50
    begun.write(path)
    return lambda **changes: open_logbook(path, parse_experiment(CONFIG | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"models": ["llama-3.2-1b", "qwen2-1.5b"]},
        {"node": {"python": "other/bin/python"}},
        {"figures": {"dpi": 72}},
        {"run": "other"},
    ],
)
def test_campaign_goes_on_where_nothing_that_matters_has_changed(reopened, changes):
    logbook = reopened(**changes)
    assert logbook.requests == {"llama-3.2-1b/b1024": 50}
    assert logbook.experiment == plain(parse_experiment(CONFIG | changes))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"engine": "transformers"}, "`engine`"),
        ({"gpu": "h200-sxm"}, "`gpu`"),
        ({"sweeps": {"grid": {"requests": [100]}}}, "`sweeps`"),
        ({"limits": {"max_batch_size": 8}}, "`limits`"),
        ({"models": ["qwen2-1.5b"]}, "llama-3.2-1b is gone"),
    ],
)
def test_another_experiment_is_refused(reopened, changes, named):
    with pytest.raises(InputError, match="choose another folder") as caught:
        reopened(**changes)
    assert named in str(caught.value)


def test_file_of_a_gpu_may_lie_elsewhere(tmp_path):
    path = tmp_path / "campaign.json"
    (tmp_path / "far").mkdir()

    def on(name):
        (tmp_path / name).write_text(own_board.TEXT)
        return parse_experiment(CONFIG | {"gpu": str(tmp_path / name)})

    open_logbook(path, on("my-gpu.yaml")).write(path)
    (tmp_path / "my-gpu.yaml").unlink()
    assert open_logbook(path, on("far/my-gpu.yaml")).requests == {}
    with pytest.raises(InputError, match="another `gpu`"):
        open_logbook(path, on("far/other.yaml"))


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"schema_version": 2, "experiment": {}}'])
def test_file_that_is_not_a_logbook_is_refused(tmp_path, content):
    path = tmp_path / "campaign.json"
    path.write_text(content)
    with pytest.raises(InputError, match=f"^campaign {path} .*; choose another folder$"):
        open_logbook(path, parse_experiment(CONFIG))
