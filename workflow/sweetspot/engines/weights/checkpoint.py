"""Where a model's weights lie, and whether they are what a measurement needs."""

from pathlib import Path

from sweetspot.catalog import (
    Architecture,
    catalog_entry,
    load_model,
    model_ids,
    read_model_config,
)
from sweetspot.catalog.checkpoint_folder import newest_snapshot
from sweetspot.errors import InputError

# What the time and energy of a step depend on, and what no copy of a checkpoint may differ in.
_SHAPE = ("layers", "hidden", "heads", "kv_heads", "head_dim", "ffn", "vocab")


def hub_name(model_id: str) -> str:
    """Return the Hugging Face name of a model of the catalog; another model's own id."""
    return catalog_entry(model_id).hub_id if model_id in model_ids() else model_id


def checkpoint_folder(reference: str, checkpoints: Path) -> Path:
    """Return the folder of a model's checkpoint: `<checkpoints>/<hub id>`, or the model's own."""
    if reference in model_ids():
        return checkpoints / hub_name(reference)
    path = Path(reference).expanduser()
    return newest_snapshot(path) if path.is_dir() else path.parent


def what_is_missing(folder: Path) -> str | None:
    """Return what a folder lacks to be a checkpoint that trtllm-bench reads, if anything."""
    if not (folder / "config.json").is_file():
        return f"no checkpoint in {folder}"
    if not any(folder.glob("*.safetensors")):
        return f"no *.safetensors in {folder}; trtllm-bench reads no other weights"
    return None


def require_checkpoint(folder: Path, model: Architecture) -> None:
    """Check that a folder holds the weights of `model`.

    Raises:
        InputError: it holds none, or those of another model.
    """
    if missing := what_is_missing(folder):
        raise InputError(f"{missing}; docs/measuring.md says where checkpoints come from")
    found = load_model(folder / "config.json")
    for name in _SHAPE:
        here, wanted = getattr(found, name), getattr(model, name)
        if here != wanted:
            raise InputError(
                f"the checkpoint in {folder} is not {model.id}: {name} is {here}, not {wanted}"
            )
    if found.quantization != model.quantization:
        raise InputError(
            f"the checkpoint in {folder} is not {model.id}: it has {_stored(found)}, not"
            f" {_stored(model)}; name its folder in `models` to measure it"
        )


def _stored(model: Architecture) -> str:
    return model.quantization.words if model.quantization else "16-bit weights"


def require_dtype(folder: Path, dtype: str) -> None:
    """Check that a checkpoint states the type that its engine is to compute in.

    Raises:
        InputError: it states another one or none; TensorRT-LLM takes what stands there.
    """
    config = read_model_config(folder / "config.json")
    stated = config.get("torch_dtype") or config.get("dtype")
    if stated != dtype:
        found = f"has torch_dtype {stated}" if stated else "states no torch_dtype"
        raise InputError(
            f"the checkpoint in {folder} {found}; set torch_dtype in its config.json to {dtype},"
            " the type that the engine is to compute in"
        )


def is_opt(folder: Path) -> bool:
    """Return whether a checkpoint is of the family OPT, by what its config.json says."""
    config = read_model_config(folder / "config.json")
    return config.get("model_type") == "opt" or config.get("architectures") == ["OPTForCausalLM"]


def folders_of(folder: Path) -> tuple[Path, ...]:
    """Return a checkpoint's folder and those that its links lead to: what a container needs."""
    linked = (path.resolve().parent for path in sorted(folder.iterdir()) if path.is_symlink())
    return tuple(dict.fromkeys((folder, *linked)))
