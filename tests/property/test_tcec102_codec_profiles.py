"""Profiles: whatever stands in one of a file's keys, it is a profile or a problem that says where."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operator_sdk.contract.tcec102.profile import Profile, ProfileProblem, read_profile

pytestmark = pytest.mark.property

_KEYS = (
    '{id = "a", operator_secret = "s", data_secret = "0000000000000000", data_secret_iv = "0000000000000000", '
    'sig_secret = "s"}'
)
FIXED = {
    "operator_id": '"395815801"',
    "name": '"n"',
    "roles": '["host"]',
    "base_url": '"https://a.example"',
    "secrets": "{theirs = [" + _KEYS + "], ours = [" + _KEYS + "]}",
}
leaves = st.one_of(
    st.booleans(), st.integers(-(2**40), 2**40), st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab.", max_size=3), inner, max_size=2),
    max_leaves=4,
)
keys = st.sampled_from([*Profile.__struct_fields__, "secrets", "other"])


@settings(max_examples=150, deadline=None)
@given(keys, values)
def test_any_value_of_any_key_gives_a_profile_or_a_problem_that_names_it(key: str, value: Any) -> None:
    lines = {**FIXED, key: _toml(value)}
    text = "\n".join(f"{name} = {said}" for name, said in lines.items())
    problem = _problem(text)
    assert problem is None or key in problem


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_a_problem(text: str) -> None:
    assert _problem(text) is not None


def _problem(text: str) -> str | None:
    try:
        read_profile(text)
    except ProfileProblem as problem:
        return str(problem)
    return None


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(name)} = {_toml(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
