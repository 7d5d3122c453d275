"""A campaign's file: an experiment, or several that share the time, and what comes before them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sweetspot.catalog import catalog_id
from sweetspot.config import CAMPAIGN_KEYS, Experiment, parse_experiment
from sweetspot.errors import InputError
from sweetspot.reading import as_mapping

MOST_MINUTES = 60.0
NAME = str.maketrans("", "", "_-")


@dataclass(frozen=True, slots=True)
class CampaignFile:
    """What a campaign measures.

    Attributes:
        parts: experiments by the name of their folder within the campaign's, in their order; one
            alone is called "", and lies in the campaign's folder itself.
        probe_minutes: for `sweetspot probe`, before all else; 0 for none.
        names_gpu: whether it, or a part of it, says which GPU that must be.
    """

    parts: Mapping[str, Experiment]
    probe_minutes: float = 0.0
    names_gpu: bool = True

    @property
    def gpu(self) -> str:
        """The GPU of all parts."""
        return next(iter(self.parts.values())).gpu

    def on(self, gpu: str) -> "CampaignFile":
        """Return the same for another GPU."""
        parts = {name: replace(each, gpu=gpu) for name, each in self.parts.items()}
        return replace(self, parts=parts)


def parse_campaign(
    config: Mapping[str, Any], source: str, engine: str | None = None, gpu: str | None = None
) -> CampaignFile:
    """Return the campaign that a file names.

    Args:
        config: keys of an experiment, and `probe`, and `engines` or `parts`: each of `parts` is
            the experiment but for the keys that it names; sections are merged, sweeps replaced.
            The `gpu` of one part is that of all.
        source: its name, for messages.
        engine: in place of the file's; of several `engines` the only one.
        gpu: in place of the file's.

    Raises:
        InputError: one line that says which key is wrong, and how; an engine that simulates.
    """
    base = {name: value for name, value in config.items() if name not in CAMPAIGN_KEYS}
    parts = _parts(config, source, engine)
    of_parts = [changes["gpu"] for changes in parts.values() if "gpu" in changes]
    names_gpu = gpu is not None or "gpu" in base or bool(of_parts)
    if of_parts and "gpu" not in base:
        base["gpu"] = of_parts[0]
    held_out = _held_out(base, parts, source)
    experiments = {}
    given = {"engine": engine, "gpu": gpu}
    for name, changes in parts.items():
        merged = _merged(base, changes) | {key: value for key, value in given.items() if value}
        if held_out and "holdout" not in changes and isinstance(changes.get("models"), list):
            merged["holdout"] = [each for each in held_out if _is_among(each, changes["models"])]
        where = f"{source}: parts.{name}" if "parts" in config else source
        experiments[name] = parse_experiment(merged, where)
    if any(each.engine == "simulator" for each in experiments.values()):
        raise InputError(
            f"{source}: a campaign measures; set `engine` to one that does (tensorrt-llm, vllm,"
            " transformers, deepspeed, endpoint)"
        )
    if len({each.gpu for each in experiments.values()}) > 1:
        raise InputError(f"{source}: parts name several GPUs; a campaign is of one")
    return CampaignFile(experiments, _minutes(config.get("probe", 0), source), names_gpu)


def _held_out(
    base: Mapping[str, Any], parts: Mapping[str, Mapping[str, Any]], source: str
) -> list[str]:
    """Return the models that are in no fit; one that no part measures is a slip of the pen."""
    held_out = base.get("holdout") or []
    if not isinstance(held_out, list) or not all(isinstance(each, str) for each in held_out):
        raise InputError(f"{source}: holdout must be a list of models, not {held_out!r}")
    of_parts = [changes.get("models") for changes in parts.values()]
    if all(isinstance(models, list) for models in of_parts):
        measured = [model for models in of_parts for model in models or []]
        for each in held_out:
            if not _is_among(each, measured):
                raise InputError(f"{source}: holdout names {each}, which no part measures")
    return held_out


def _is_among(model: str, models: list[Any]) -> bool:
    """Return whether a model is one of some, by whichever of its names."""
    return (catalog_id(model) or model) in {catalog_id(str(each)) or each for each in models}


def _parts(
    config: Mapping[str, Any], source: str, engine: str | None
) -> dict[str, Mapping[str, Any]]:
    """Return the changes of each part."""
    parts, engines = config.get("parts"), config.get("engines")
    if parts is not None and engines is not None:
        raise InputError(f"{source}: engines and parts do not go together; name the engine of each")
    if engines is not None:
        if (
            not isinstance(engines, list)
            or not engines
            or len(set(map(str, engines))) < len(engines)
        ):
            raise InputError(f"{source}: engines must be a list of different ones, not {engines!r}")
        return {str(each): {"engine": each} for each in ([engine] if engine else engines)}
    if parts is None:
        return {"": {}}
    found: dict[str, Mapping[str, Any]] = {
        str(name): as_mapping(changes, f"{source}: parts.{name}")
        for name, changes in as_mapping(parts, f"{source}: parts").items()
    }
    for name, changes in found.items():
        if of_file := [key for key in CAMPAIGN_KEYS if key in changes]:
            raise InputError(
                f"{source}: parts.{name}: `{of_file[0]}` belongs to the file, not to a part of it"
            )
        plain = name.translate(NAME)
        if not (plain.isascii() and plain.isalnum()) or name in ("probe", "compact", "records"):
            raise InputError(
                f"{source}: a part cannot be called {name!r}; letters, digits, '_' and '-' may be"
                " in it, and probe, compact and records have a meaning"
            )
    if not found:
        raise InputError(f"{source}: parts is empty; leave it out for one part")
    return found


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(base.get(name), Mapping)
        merged[name] = {**base[name], **value} if both and name != "sweeps" else value
    return merged


def _minutes(value: Any, source: str) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not (0 <= value <= MOST_MINUTES)
    ):
        raise InputError(
            f"{source}: probe must be from 0 to {MOST_MINUTES:g} minutes, not {value!r}"
        )
    return float(value)
