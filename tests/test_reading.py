"""Reading what others wrote: JSON and YAML as they are, or one line that says what is wrong."""

import hashlib
import os
import tracemalloc
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from sweetspot.errors import InputError
from sweetspot.reading import (
    MAX_DEPTH,
    as_mapping,
    parse_as,
    parse_json,
    path_inside,
    read_as,
    read_bytes_if_there,
    read_json,
    read_text,
    read_yaml,
    size_and_sha256,
)

READERS = {"JSON": read_json, "YAML": read_yaml}


@dataclass(frozen=True)
class Box:
    size: int


def refusal(call, *arguments):
    with pytest.raises(InputError) as caught:
        call(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture
def file(tmp_path):
    """Return a function that writes a file."""

    def write(content):
        path = tmp_path / "file"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def nested(levels):
    return "[" * levels + "]" * levels


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_file_with_or_without_byte_order_mark_is_read(read, file):
    assert read(file('{"a": [1, 2.5, "α"]}'), "box") == {"a": [1, 2.5, "α"]}
    assert read(file('\ufeff{"a": 1}'), "box") == {"a": 1}


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("text", ['{"a": [', b'"\xff"', "\0"])
def test_broken_file_is_refused_with_its_name(kind, text, file):
    path = file(text)
    message = refusal(READERS[kind], path, "box")
    assert message.startswith(f"box {path} is not valid {kind}: ")


@pytest.mark.parametrize("text", ["a: 2020-99-99", "a: !!bool x", "!!timestamp x", "{[1]: 2}"])
def test_yaml_value_that_cannot_be_is_refused(text, file):
    assert "is not valid YAML: " in refusal(read_yaml, file(text), "box")


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize(
    "text", ["[" * 50_000, nested(MAX_DEPTH + 1), nested(MAX_DEPTH)], ids=["open", "one", "none"]
)
def test_deep_nesting_is_refused_beyond_the_limit_only(read, text, file):
    if text == nested(MAX_DEPTH):
        assert read(file(text), "box")
    else:
        assert "is nested too deeply: at most 100 levels" in refusal(read, file(text), "box")


def test_yaml_key_that_stands_twice_is_refused_at_any_depth(file):
    twice = file("board: {memory: 1, memory: 2}")
    assert "key 'memory' stands 2 times; keep one of them" in refusal(read_yaml, twice, "box")
    merged = file("a: &a {x: 1}\nb: &b {x: 2}\nc: {<<: *a, <<: *b}\nd: {<<: *a, x: 3}")
    assert read_yaml(merged, "box")["d"] == {"x": 3}


def test_json_key_that_stands_twice_is_refused_where_people_write_it(file):
    twice = file('{"board": {"memory": 1, "memory": 2}}')
    said = refusal(partial(read_json, keys_once=True), twice, "box")
    assert "is not valid JSON: key 'memory' stands 2 times; keep one of them" in said
    assert read_json(twice, "box") == {"board": {"memory": 2}}
    assert read_json(file('{"a": {"x": 1}, "b": {"x": 2}}'), "box", keys_once=True)["b"] == {"x": 2}


def test_yaml_that_holds_itself_or_doubles_by_aliases_is_answered_at_once(file):
    assert "nested too deeply" in refusal(read_yaml, file("&a [*a]"), "box")
    lines = [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 60)]
    assert len(read_yaml(file("\n".join(["a0: &a0 [1]", *lines])), "box")) == 60


def test_yaml_whose_merges_grow_tenfold_with_every_level_is_read_at_once(file):
    lines = ["a0: &a0 {x: 1, y: 2}"]
    lines += [
        f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}], y: {i}}}" for i in range(1, 20)
    ]
    assert read_yaml(file("\n".join(lines)), "box")["a19"] == {"x": 1, "y": 19}


@pytest.mark.parametrize(
    ("read", "most"), [(read_json, 2**24), (read_yaml, 2**22), (read_text, 2**29)]
)
def test_file_that_is_too_large_is_refused_before_it_is_read(read, most, tmp_path):
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(most + 1)  # takes no space
    tracemalloc.start()
    try:
        message = refusal(read, path, "box")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert message == f"cannot read box {path}: it has more than {most} bytes"
    assert peak < 10**6


def test_file_without_an_end_is_refused_where_it_is_too_large():
    message = refusal(read_yaml, Path("/dev/zero"), "box")
    assert message == f"cannot read box /dev/zero: it has more than {2**22} bytes"


def test_hash_of_what_is_no_file_or_lies_elsewhere_is_refused(tmp_path):
    assert "/dev/zero: it is not a regular file" in refusal(size_and_sha256, Path("/dev/zero"))
    os.mkfifo(tmp_path / "pipe")
    assert "it is not a regular file" in refusal(size_and_sha256, tmp_path / "pipe")
    inside = tmp_path / "folder"
    inside.mkdir()
    (inside / "link").symlink_to("/etc")
    for name in ("../pipe", "/etc/passwd", "link/passwd", "a/../../pipe"):
        assert "is not in" in refusal(path_inside, inside, name, "file")
    assert "null" in refusal(path_inside, inside, "a\0", "file")
    assert path_inside(inside, "a/b", "file") == inside / "a/b"


def test_text_from_the_command_line_is_named_by_its_option():
    assert parse_json("[1]", "--style") == [1]
    assert refusal(parse_json, "{", "--style").startswith("--style is not valid JSON: ")


@pytest.mark.parametrize("read", [*READERS.values(), read_text])
def test_file_that_cannot_be_read_is_refused_with_its_reason(read, tmp_path):
    missing = tmp_path / "missing"
    assert refusal(read, missing, "box") == f"cannot read box {missing}: No such file or directory"
    assert refusal(read, tmp_path, "box") == f"cannot read box {tmp_path}: Is a directory"
    assert "embedded null byte" in refusal(read, tmp_path / "a\0b", "box")


def test_text_keeps_its_line_ends_and_is_utf8(file):
    assert read_text(file("a\r\nb\x85\n"), "box") == "a\r\nb\x85\n"
    assert "is not UTF-8 text: byte 3" in refusal(read_text, file(b"ab\xff"), "box")


def test_file_that_may_be_missing_is_none_only_where_it_is_missing(tmp_path, file):
    assert read_bytes_if_there(tmp_path / "missing", "box") is None
    assert read_bytes_if_there(file("x"), "box") == b"x"
    assert "Is a directory" in refusal(read_bytes_if_there, tmp_path, "box")


@pytest.mark.parametrize("data", [[], 7, "run", None])
def test_mapping_is_a_mapping(data):
    assert as_mapping({"a": 1}, "box") == {"a": 1}
    expected = f"box must be a mapping of keys to values, not {data!r}"
    assert refusal(as_mapping, data, "box") == expected


def test_message_shows_the_beginning_of_what_is_large():
    doubled: object = "x" * 10**6
    for _ in range(60):
        doubled = [doubled] * 9  # as YAML's aliases do, in no memory
    for data in (doubled, [1] * 10**6, "x" * 10**6):
        assert len(refusal(as_mapping, data, "box")) < 20_000


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("{", "is not valid JSON: Expecting property name"),
        ("[" * 50_000, "is nested too deeply: at most 100 levels"),
        ('{"size": "large"}', "cannot be used: size must be an integer, not 'large'"),
        ('{"size": 1, "colour": 2}', "cannot be used: unknown key 'colour'; known: size"),
        ("[]", "cannot be used: the whole of it must be a section with keys of its own"),
    ],
)
def test_model_is_read_or_refused_with_what_to_do(text, wrong, file):
    assert read_as(Box, file('{"size": 3}'), "box") == Box(size=3)
    assert read_as(Box, file('\ufeff{"size": 3}'), "box") == Box(size=3)
    assert parse_as(list[Box], '[{"size": 3}]', "boxes") == [Box(size=3)]
    path = file(text)
    message = refusal(read_as, Box, path, "box", "take another")
    assert message.startswith(f"box {path} {wrong}")
    assert message.endswith("; take another")
    path.unlink()
    assert refusal(read_as, Box, path, "box", "take another").endswith("directory; take another")


def test_hash_is_that_of_the_whole_file(file):
    content = os.urandom(100_000)
    assert size_and_sha256(file(content)) == (100_000, hashlib.sha256(content).hexdigest())
