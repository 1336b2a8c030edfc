"""JSON for people."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsclient.cli.pretty import DEEPEST, LARGEST, pretty

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(max_examples=50)
@given(st.lists(VALUES) | st.dictionaries(st.text(), VALUES), st.integers(1, 120), st.booleans())
def test_it_says_the_same(value, width, escaped):
    text = pretty(json.dumps(value, ensure_ascii=escaped), width, colours=False)
    assert json.loads(text) == value
    assert all(c.isprintable() or c in "\n\u200c\u200d" for c in text)


@settings(max_examples=30)
@given(st.lists(VALUES), st.integers(1, 120))
def test_colours_change_nothing_else(value, width):
    coloured = pretty(json.dumps(value), width, colours=True)
    plain = re.sub(r"\x1b\[\d+m", "", coloured)
    assert plain == pretty(json.dumps(value), width, colours=False)


def test_what_fits_stays_in_a_line():
    text = '{"b":[["1.10","2"],["1.00","3"]],"a":{"deep":[1,2,3]}}'
    lines = ["{", '  "b": [["1.10", "2"], ["1.00", "3"]],', '  "a": {"deep": [1, 2, 3]}', "}"]
    assert pretty(text, 60, colours=False) == "\n".join(lines)


def test_numbers_and_members_are_as_they_came():
    text = '{"a": 1.10, "a": 1e400, "b": [-0, 123456789012345678901234567890, NaN]}'
    assert pretty(text, 100, colours=False) == text


@pytest.mark.parametrize(
    "text",
    ["", "1", '"text"', "{", "[1,]", "{'a': 1}", "[" * 100_000, "[1] 2", "[]" + " " * LARGEST],
)
def test_what_is_no_json_worth_indenting(text):
    assert pretty(text, 80, colours=True) is None


def test_depth():
    assert pretty("[" * (DEEPEST - 1) + "]" * (DEEPEST - 1), 80, colours=False) is not None
    assert pretty("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), 80, colours=False) is None
