"""Folders of checkpoints as the Hugging Face hub's cache lays them out.

`models--org--name/snapshots/<commit>` holds the files of one commit, `refs/main` the commit that
was the newest when it was looked for. Source: huggingface_hub, "Understand caching".
"""

from pathlib import Path

_PREFIX, _BETWEEN, _SNAPSHOTS = "models--", "--", "snapshots"


def hub_name_of(folder: Path) -> str | None:
    """Return the `org/name` of a snapshot's folder; None for any other folder."""
    model = folder.parent.parent.name
    if folder.parent.name != _SNAPSHOTS or not model.startswith(_PREFIX):
        return None
    return model.removeprefix(_PREFIX).replace(_BETWEEN, "/", 1)


def newest_snapshot(folder: Path) -> Path:
    """Return the snapshot that a model's folder of the cache stands for; any other folder itself.

    That is the one of `refs/main`, else the one that came last.
    """
    snapshots = folder / _SNAPSHOTS
    if (folder / "config.json").is_file() or not snapshots.is_dir():
        return folder
    try:
        main = snapshots / (folder / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        main = snapshots
    if (main / "config.json").is_file():
        return main
    there = [path for path in snapshots.iterdir() if (path / "config.json").is_file()]
    return max(there, key=lambda path: path.stat().st_mtime, default=folder)
