"""Files and texts that somebody else may have written: read, or refused in one line."""

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from sweetspot.errors import InputError, shown
from sweetspot.schema.mistakes import MistakesError
from sweetspot.schema.reading import Leniency, converted

MAX_DEPTH = 100
"""Nothing that is read here has lists and mappings in more levels than this."""

MAX_BYTES = 2**29
"""Nor is any file as large; a table of a million cells has a fifth of it."""

MAX_JSON_BYTES, MAX_YAML_BYTES = 2**24, 2**22
"""In memory they take up to thirty times, and two hundred times, as much."""

Kind = TypeVar("Kind")


def read_bytes_if_there(
    path: Path, what: str, advice: str = "", *, max_bytes: int = MAX_BYTES
) -> bytes | None:
    """Return a file's content; None if there is no such file.

    Args:
        path: the file.
        what: what it is to be, in words of a message: "calibration".
        advice: what to do if it is not.
        max_bytes: larger ones are refused, before they fill the memory.

    Raises:
        InputError: it is there and cannot be read, or is too large.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size  # 0 of a pipe or a device, which has no end
            content = b"" if size > max_bytes else file.read() if size else file.read(max_bytes + 1)
            if max(size, len(content)) > max_bytes:
                why = f"it has more than {max_bytes} bytes"
                raise InputError(_unreadable(path, what, why, advice))
            return content
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as e:  # ValueError: a path with a null byte
        why = getattr(e, "strerror", None) or str(e)
        raise InputError(_unreadable(path, what, why, advice)) from e


def read_bytes(path: Path, what: str, advice: str = "", *, max_bytes: int = MAX_BYTES) -> bytes:
    """Return a file's content; arguments as of `read_bytes_if_there`.

    Raises:
        InputError: it cannot be read, or is too large.
    """
    content = read_bytes_if_there(path, what, advice, max_bytes=max_bytes)
    if content is None:
        raise InputError(_unreadable(path, what, "No such file or directory", advice))
    return content


def read_text(path: Path, what: str) -> str:
    """Return a file's text, line ends as they are, without a byte order mark.

    Raises:
        InputError: it cannot be read, or is not UTF-8.
    """
    return _decoded(read_bytes(path, what), f"{what} {path}", "UTF-8 text")


def read_json(path: Path, what: str, *, keys_once: bool = False) -> Any:
    """Return what a JSON file holds.

    Raises:
        InputError: it cannot be read, or as `parse_json`.
    """
    content = read_bytes(path, what, max_bytes=MAX_JSON_BYTES)
    return parse_json(content, f"{what} {path}", keys_once=keys_once)


def parse_json(text: str | bytes, what: str, *, keys_once: bool = False) -> Any:
    """Return what a JSON text holds; `what` it is, in words of a message: "--style".

    `keys_once` is for what people write: JSON itself would take the last of two keys of one name.

    Raises:
        InputError: it is not JSON, has a key twice, or is nested more than `MAX_DEPTH` deep.
    """
    once = _mapping_of_keys_once if keys_once else None
    text = _decoded(text, what, "valid JSON")
    try:
        data = json.loads(text, object_pairs_hook=once)
    except ValueError as e:
        raise InputError(f"{what} is not valid JSON: {e}") from e
    except RecursionError as e:
        raise _too_deep(what) from e
    flat = text.count("{") + text.count("[") <= MAX_DEPTH  # as nearly all are
    return data if flat else _not_too_deep(data, what)


def _mapping_of_keys_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    for key, count in Counter(key for key, _ in pairs).items():
        if count > 1:
            raise ValueError(f"key {shown(key)} stands {count} times; keep one of them")
    return dict(pairs)


def read_yaml(path: Path, what: str) -> Any:
    """Return what a YAML file holds.

    Raises:
        InputError: it cannot be read, is not YAML, has a key twice, or is nested more than
            `MAX_DEPTH` deep.
    """
    import yaml

    where = f"{what} {path}"
    content = read_bytes(path, what, max_bytes=MAX_YAML_BYTES)
    text = _decoded(content, where, "valid YAML")

    class OnceLoader(yaml.SafeLoader):  # not the one in C: deep nesting ends the process there
        """Refuses a key that stands twice; PyYAML would take the last."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
            keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
            for key, count in keys.items():
                if count > 1 and key != "<<":
                    raise yaml.YAMLError(f"key {shown(key)} stands {count} times; keep one of them")
            return super().construct_mapping(node, deep)

        def flatten_mapping(self, node: yaml.MappingNode) -> None:
            """Merge what `<<` names, each key once: PyYAML's lists grow with every level."""
            super().flatten_mapping(node)
            node.value = list(
                {
                    key.value if isinstance(key, yaml.ScalarNode) else id(key): (key, value)
                    for key, value in node.value
                }.values()
            )

    try:
        data = yaml.load(text, OnceLoader)  # noqa: S506  a safe loader
    except RecursionError as e:
        raise _too_deep(where) from e
    # PyYAML lets through what its readers of tagged and of odd values stumble on, as of `!!bool x`.
    except (yaml.YAMLError, ValueError, LookupError, AttributeError) as e:
        raise InputError(f"{where} is not valid YAML: {' '.join(str(e).split())}") from e
    return _not_too_deep(data, where)


def as_mapping(data: Any, what: str) -> dict[str, Any]:
    """Return data that are to be a mapping.

    Raises:
        InputError: they are not.
    """
    if not isinstance(data, Mapping):
        raise InputError(f"{what} must be a mapping of keys to values, not {shown(data)}")
    return dict(data)


def read_as(
    kind: type[Kind], path: Path, what: str, advice: str = "", *, other_keys: bool = False
) -> Kind:
    """Return a JSON file as the dataclass, or the list of some, that it is to be.

    Raises:
        InputError: it cannot be read, or as `parse_as`.
    """
    content = read_bytes(path, what, advice, max_bytes=MAX_JSON_BYTES)
    return parse_as(kind, content, f"{what} {path}", advice, other_keys=other_keys)


def parse_as(
    kind: type[Kind], text: str | bytes, what: str, advice: str = "", *, other_keys: bool = False
) -> Kind:
    """Return a JSON text as the dataclass, or the list of some, that it is to be.

    Args:
        kind: which one.
        text: the text.
        what: what it is, in words of a message.
        advice: what to do where it is not.
        other_keys: whether it may have keys that the dataclass does not; they are ignored.

    Raises:
        InputError: it is not JSON, or has other keys or values than it may have.
    """
    try:
        return converted(kind, parse_json(text, what), Leniency(other_keys=other_keys))
    except MistakesError as e:
        raise InputError(_with(advice, f"{what} cannot be used: {e}")) from e
    except InputError as e:
        raise InputError(_with(advice, str(e))) from e


def path_inside(folder: Path, name: str, what: str) -> Path:
    """Return the path of a file that is said to lie in a folder.

    Raises:
        InputError: it lies elsewhere, by its name or as a link.
    """
    try:
        if (folder / name).resolve().is_relative_to(folder.resolve()):
            return folder / name
    except (OSError, RuntimeError, ValueError) as e:
        raise InputError(_unreadable(folder / name, what, str(e), "")) from e
    raise InputError(f"{what} {shown(name)} is not in {folder}")


def size_and_sha256(path: Path) -> tuple[int, str]:
    """Return how many bytes a file has, and their SHA-256 in hexadecimal.

    Raises:
        InputError: it cannot be read, or is no regular file.
    """
    import hashlib  # a question, which has no use for it, would load it

    if path.exists() and not path.is_file():
        raise InputError(_unreadable(path, "file", "it is not a regular file", ""))
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            return file.tell(), sha256
    except (OSError, ValueError) as e:
        raise InputError(
            _unreadable(path, "file", getattr(e, "strerror", None) or str(e), "")
        ) from e


def _decoded(text: str | bytes, what: str, wanted: str) -> str:
    try:
        return text if isinstance(text, str) else text.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise InputError(f"{what} is not {wanted}: byte {e.start + 1} is not UTF-8") from e


def _not_too_deep(data: Any, what: str) -> Any:
    """Return data, of which messages can then be made and models without another check."""
    level = [data]
    for _ in range(MAX_DEPTH + 1):
        groups = [x for x in level if isinstance(x, dict | list)]
        if not groups:
            return data
        inner = (x for each in groups for x in (each.values() if isinstance(each, dict) else each))
        # By identity, as an alias of YAML may stand in a level any number of times.
        level = list({id(x): x for x in inner}.values())
    raise _too_deep(what)


def _too_deep(what: str) -> InputError:
    return InputError(f"{what} is nested too deeply: at most {MAX_DEPTH} levels are read")


def _unreadable(path: Path, what: str, why: str, advice: str) -> str:
    return _with(advice, f"cannot read {what} {path}: {why}")


def _with(advice: str, message: str) -> str:
    return f"{message}; {advice}" if advice else message
