"""Setting single values in YAML: nothing else changes, and what can't be done safely is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from reranker_bench.patching import PatchError, parse_assignment, patch, write_scalar

CONFIG = """\
# The service's configuration.   Trailing spaces stay:  
services:
  rerank:   # the reranker
    backend: qwen3_vllm          # or qwen3_vllm_score
    backends:

      # one block a backend
      qwen3_vllm: {instruction_format: 'compact', max_model_len: 160}
      qwen3_vllm_score:
        instruction_format: "compact"   # quoted
        instruction: >-
          Rank products by query
          with category
    server: {host: 127.0.0.1,
             port: 8000}
other: [1, 2,
  3]
"""  # noqa: W291
BACKEND = "services.rerank.backend"
FORMAT = "services.rerank.backends.qwen3_vllm{}.instruction_format"


def test_only_the_values_change_and_quotes_stay() -> None:
    patched = patch(
        CONFIG, {BACKEND: "qwen3_vllm_score", FORMAT.format("_score"): "standard", FORMAT.format(""): "standard"}
    )
    assert patched == CONFIG.replace("backend: qwen3_vllm ", "backend: qwen3_vllm_score ").replace(
        '"compact"', '"standard"'
    ).replace("'compact'", "'standard'")


@pytest.mark.parametrize("change", [lambda text: text.replace("\n", "\r\n"), lambda text: "\ufeff" + text])
def test_line_ends_and_byte_order_mark_stay(change: Any) -> None:
    values = {BACKEND: "other", "services.rerank.backends.qwen3_vllm_score.dtype": "float16"}
    assert patch(change(CONFIG), values) == change(patch(CONFIG, values))


def test_what_has_the_value_already_is_left_alone() -> None:
    assert patch(CONFIG, {BACKEND: "qwen3_vllm", "services.rerank.server.port": 8000}) == CONFIG


ADDED = [
    # In a block, behind its last entry and that line's comment.
    ("a:\n  b: 1  # one\nc: 2\n", "a.x", "a:\n  b: 1  # one\n  x: new\nc: 2\n"),
    ("a:\n    b: 1\n\n# next\nc: 2\n", "a.x", "a:\n    b: 1\n    x: new\n\n# next\nc: 2\n"),
    # With the levels that are missing, indented as the file is.
    ("a:\n    b: 1\n", "a.x.y", "a:\n    b: 1\n    x:\n        y: new\n"),
    ("a: 1\n", "x.y.z", "a: 1\nx:\n  y:\n    z: new\n"),
    ("a: 1", "x", "a: 1\nx: new"),
    # Behind a text of several lines, and behind a list.
    ("a:\n  t: |\n    one\n    two\nc: 2\n", "a.x", "a:\n  t: |\n    one\n    two\n  x: new\nc: 2\n"),
    ("a:\n- 1\n- k: 2\nc: 3\n", "x", "a:\n- 1\n- k: 2\nc: 3\nx: new\n"),
    ("a:\n  l:\n  - 1\n  - 2\nc: 3\n", "a.x", "a:\n  l:\n  - 1\n  - 2\n  x: new\nc: 3\n"),
    # In braces.
    ("a: {b: 1}\n", "a.x", "a: {b: 1, x: new}\n"),
    ("a: {}\n", "a.x.y", "a: {x: {y: new}}\n"),
    ("a: {b: {}}\n", "a.b.x", "a: {b: {x: new}}\n"),
    # Behind a key that has nothing, and in place of nothing.
    ("a:\nc: 2\n", "a.x", "a:\n  x: new\nc: 2\n"),
    ("a:  # nothing\nc: 2\n", "a.x", "a:  # nothing\n  x: new\nc: 2\n"),
    ("a:\nc: 2\n", "a", "a: new\nc: 2\n"),
    ("a: ~\n", "a", "a: new\n"),
    # What is merged in is overridden in place.
    ("d: &d {x: 1}\na:\n  <<: *d\n  b: 1\n", "a.x", "d: &d {x: 1}\na:\n  <<: *d\n  b: 1\n  x: new\n"),
]


@pytest.mark.parametrize(("text", "path", "expected"), ADDED)
def test_a_missing_key_is_added_where_it_belongs(text: str, path: str, expected: str) -> None:
    assert patch(text, {path: "new"}) == expected


REFUSED = [
    ("a: &x 1\nb: *x\n", "b", "b: is an alias"),
    ("a: &x {k: 1}\nb: *x\n", "b.k", "b: is an alias"),
    ("a: &x {k: 1}\nb: *x\n", "a.k", "a: is used elsewhere by an alias"),
    ("a: &x 1\n", "a", "a: has an anchor or a tag"),
    ("a: !!str 1\n", "a", "a: has an anchor or a tag"),
    ("a: |\n  text\n", "a", "a: is a text of several lines"),
    ("a: 1\na: 2\n", "a", "a: is there 2 times"),
    ("a: [1]\n", "a", "a: holds a list"),
    ("a: {b: 1}\n", "a", "a: holds a mapping"),
    ("a: 1\n", "a.b", "a: is not a mapping (line 1)"),
    ("a: [\n", "a", "is not one YAML document"),
    ("a: 1\n---\na: 2\n", "a", "is not one YAML document"),
    ("a: !secret x\nb: 1\n", "b", "is not one YAML document"),
    ("- 1\n", "a", "holds no mapping at its top"),
    ("", "a", "holds no mapping at its top"),
]


@pytest.mark.parametrize(("text", "path", "complaint"), REFUSED)
def test_what_cannot_be_set_safely_is_refused(text: str, path: str, complaint: str) -> None:
    with pytest.raises(PatchError, match=re.escape(complaint)):
        patch(text, {path: "new"})


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("a.b=1", ("a.b", 1)),
        ("a=true", ("a", True)),
        ("a='1'", ("a", "1")),
        ("a=x=y", ("a", "x=y")),
        ("a=", ("a", None)),
    ],
)
def test_assignments_are_read_as_yaml_reads_values(assignment: str, expected: Any) -> None:
    assert parse_assignment(assignment) == expected


@pytest.mark.parametrize("assignment", ["a", "=1", "a..b=1", "a=[1]", "a={", "a={b: 1}"])
def test_what_is_no_assignment_is_refused(assignment: str) -> None:
    with pytest.raises(PatchError):
        parse_assignment(assignment)


@settings(deadline=None)
@given(st.text() | st.integers() | st.booleans() | st.none(), st.sampled_from([None, "'", '"']))
def test_every_value_is_written_so_that_it_is_read_again(value: Any, style: str | None) -> None:
    written = write_scalar(value, style)
    try:
        yaml.safe_load(f"a: {written}")
    except yaml.YAMLError:
        assert isinstance(value, str)
        assert any(0xD800 <= ord(character) <= 0xDFFF for character in value)
        return
    assert yaml.safe_load(f"a: {written}\nb: 1") == {"a": value, "b": 1}
    assert yaml.safe_load(f"[{written}, 1]") == [value, 1]


KEYS = st.sampled_from(["a", "b", "c"])
TREES = st.recursive(
    st.integers() | st.sampled_from(["text", "yes", "a: b", "# no", ""]) | st.none() | st.lists(st.integers()),
    lambda inner: st.dictionaries(KEYS, inner, min_size=1),
    max_leaves=8,
)


@settings(deadline=None)
@given(
    st.dictionaries(KEYS, TREES, min_size=1),
    st.lists(KEYS, min_size=1, max_size=4),
    st.sampled_from([True, False, None]),
    st.integers(2, 6),
)
def test_in_any_document_a_path_is_set_and_nothing_else_changes(
    tree: dict[str, Any], path: list[str], flow: bool | None, indent: int
) -> None:
    text = yaml.safe_dump(tree, default_flow_style=flow, indent=indent)
    try:
        patched = patch(text, {".".join(path): "new value"})
    except PatchError as refused:
        assert "is not a mapping" in str(refused) or "holds a" in str(refused)  # noqa: PT017
        return
    wanted = yaml.safe_load(text)
    place = wanted
    for key in path[:-1]:
        if place.get(key) is None:
            place[key] = {}
        place = place[key]
    place[path[-1]] = "new value"
    assert yaml.safe_load(patched) == wanted
