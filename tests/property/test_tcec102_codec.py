"""The T/CEC 102 codec: what is written is read again, under every profile; any bytes give a value or 4xxx."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from operator_sdk.contract.tcec102 import fields as f
from operator_sdk.contract.tcec102.aliases import ALIASES
from operator_sdk.contract.tcec102.golden import GOLDEN, GOLDEN_KEYS, GOLDEN_PROFILE, SEQ, STAMP
from operator_sdk.contract.tcec102.interfaces import INTERFACES
from operator_sdk.contract.tcec102.loose_json import parse
from operator_sdk.contract.tcec102.messages_base import Part
from operator_sdk.contract.tcec102.profile import Numbers, Profile, Signature, Spelling
from operator_sdk.contract.tcec102.reading import belongs, read
from operator_sdk.contract.tcec102.wire import (
    WireProblem,
    open_answer,
    open_request,
    read_envelope,
    seal_answer,
    seal_request,
)
from operator_sdk.contract.tcec102.writing import write

pytestmark = pytest.mark.property

KINDS = [kind for interface in INTERFACES.values() for kind in (interface.request, interface.reply)]
ENCODER = msgspec.json.Encoder(decimal_format="number")
POLICIES = st.sampled_from(["strict", "if_present", "none"])
NOT_NUL = st.characters(exclude_categories=["Cs"], exclude_characters="\0")

profiles = st.builds(
    lambda spelling, numbers: msgspec.structs.replace(GOLDEN_PROFILE, spelling=spelling, numbers=numbers),
    st.builds(
        Spelling,
        service=st.sampled_from(["Sevice", "Service"]),
        qr_code=st.sampled_from(["QRCode", "QrCode"]),
        case=st.sampled_from(["standard", "lower_camel"]),
    ),
    st.builds(
        Numbers,
        money_decimals=st.integers(0, 4),
        energy_decimals=st.integers(0, 4),
        price_decimals=st.integers(0, 6),
        as_strings=st.booleans(),
    ),
)


def _decimals(field: f.Field, profile: Profile) -> int:
    numbers = profile.numbers
    return {
        "money": numbers.money_decimals,
        "energy": numbers.energy_decimals,
        "price": numbers.price_decimals,
        "tenths": 1,
        "degrees": 6,
        "measure": 2,
    }[field.unit]


def _value(field: f.Field, profile: Profile) -> st.SearchStrategy[Any]:
    if field.kind == f.OBJECT:
        assert field.part is not None
        return messages(field.part, profile)
    if field.kind == f.WHOLE:
        return st.integers(field.least, field.most)
    if field.kind == f.NUMBER:
        places = _decimals(field, profile)
        scale = 10**places
        return st.integers(field.least * scale, field.most * scale).map(lambda n: Decimal(n).scaleb(-places))
    if field.pattern is not None:
        return st.text("ABCxyz0189", min_size=1, max_size=27)
    return st.text(NOT_NUL, max_size=12)


@st.composite
def messages(draw: Callable[[Any], Any], kind: type[Part], profile: Profile) -> Part:
    """A message whose decimals are those of the profile; some optional fields are left out."""
    given: dict[str, Any] = {}
    for field in f.shape(kind).fields:
        if not field.required and draw(st.booleans()):
            continue
        one = _value(field, profile)
        given[field.attribute] = draw(st.lists(one, max_size=2) if field.many else one)
    return kind(**given)


@given(st.data())
def test_what_is_written_under_any_profile_is_read_again(data: st.DataObject) -> None:
    profile, kind = data.draw(profiles), data.draw(st.sampled_from(KINDS))
    message = data.draw(messages(kind, profile))
    again, tolerated = read(kind, write(message, profile))
    assert again == message
    allowed = {"case", "alias"} | ({"text_number"} if profile.numbers.as_strings else set())
    assert {word.partition(":")[0] for word in tolerated} <= allowed


@settings(max_examples=50)
@given(st.data())
def test_any_spelling_any_case_any_order_is_the_same_message(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(list(INTERFACES)))
    message = GOLDEN[name][data.draw(st.integers(0, 1))]
    tree, _ = parse(write(message, GOLDEN_PROFILE))
    respelled = ENCODER.encode(_respelled(data, tree))
    again, _ = read(type(message), respelled)
    assert again == message


def _respelled(data: st.DataObject, tree: Any) -> Any:
    """The same tree, its fields shuffled, in another case or spelling, some numbers as text."""
    if isinstance(tree, dict):
        names = data.draw(st.permutations(list(tree)))
        return {_other_name(data, name): _respelled(data, tree[name]) for name in names}
    if isinstance(tree, list):
        return [_respelled(data, one) for one in tree]
    if isinstance(tree, int | Decimal) and data.draw(st.booleans()):
        return str(tree)
    return tree


def _other_name(data: st.DataObject, name: str) -> str:
    aliases = [alias for alias in ALIASES.get(name, ()) if name != "ConnectorStatusInfo"]
    spelled = data.draw(st.sampled_from([name, *aliases]))
    return data.draw(
        st.sampled_from([spelled, spelled.lower(), spelled.upper(), spelled[0].lower() + spelled[1:]])
    )


numbers = st.one_of(
    st.integers(),
    st.integers(min_value=10**18).map(lambda n: n * 10**300),
    st.floats(),
    st.sampled_from([Decimal("1E+400"), Decimal("-0"), Decimal("1E-999999")]),
)
leaves = st.one_of(
    st.none(), st.booleans(), numbers, st.text(), st.sampled_from(["[]", "{}", "[[", "1e9", "NaN"])
)
trees = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


@st.composite
def near_misses(draw: Callable[[Any], Any]) -> bytes:
    """A golden message of some interface with one field replaced by anything."""
    name = draw(st.sampled_from(list(INTERFACES)))
    message = GOLDEN[name][draw(st.integers(0, 1))]
    tree = msgspec.json.decode(write(message, GOLDEN_PROFILE))
    _replace_one(draw, tree)
    return ENCODER.encode(tree)


def _replace_one(draw: Callable[[Any], Any], tree: dict[str, Any]) -> None:
    name = draw(st.sampled_from(list(tree)))
    inner = tree[name][0] if isinstance(tree[name], list) and tree[name] else tree[name]
    if isinstance(inner, dict) and draw(st.booleans()):
        _replace_one(draw, inner)
    else:
        tree[name] = _encodable(draw(trees))


anything = st.one_of(
    st.binary(max_size=200),
    trees.map(lambda tree: ENCODER.encode(_encodable(tree))),
    near_misses(),
)


def _encodable(tree: Any) -> Any:
    """Without lone surrogates, which no encoder writes; those come as bytes among the nasty ones."""
    if isinstance(tree, str):
        return tree.encode("utf-8", "replace").decode()
    if isinstance(tree, list):
        return [_encodable(one) for one in tree]
    if isinstance(tree, dict):
        return {_encodable(name): _encodable(one) for name, one in tree.items()}
    return tree


@settings(max_examples=80, deadline=None)
@given(anything, st.sampled_from(KINDS))
def test_any_business_bytes_give_a_message_or_a_problem(plain: bytes, kind: type[Part]) -> None:
    value = _value_or_problem(read, kind, plain)
    if isinstance(value, WireProblem):
        assert (value.ret, len(value.msg) < 300) == (4004, True)
    else:
        message, tolerated = value
        assert read(kind, write(message, GOLDEN_PROFILE))
        assert all(len(word) < 60 for word in tolerated)
    for interface in INTERFACES.values():
        assert belongs(interface, plain) in {True, False}


@settings(max_examples=100, deadline=None)
@given(anything, POLICIES)
def test_any_body_gives_an_envelope_an_answer_or_a_problem(body: bytes, policy: Any) -> None:
    _open_both_ways(body, policy)


def _open_both_ways(body: bytes, policy: Any) -> None:
    profile = msgspec.structs.replace(GOLDEN_PROFILE, signature=Signature(answers=policy))
    for value in (
        _value_or_problem(lambda: open_request(read_envelope(body), [GOLDEN_KEYS], profile)),
        _value_or_problem(open_answer, body, [GOLDEN_KEYS], profile),
    ):
        assert not isinstance(value, WireProblem) or value.ret in {4001, 4003}


def _value_or_problem(call: Callable[..., Any], *arguments: Any) -> Any:
    """What the call gives, or the one exception that it may raise."""
    try:
        return call(*arguments)
    except WireProblem as problem:
        return problem


envelope_fields = st.fixed_dictionaries(
    {},
    optional={
        name: st.one_of(trees, st.text("0123456789abcdefABCDEF=+/ \r\n", max_size=40))
        for name in ("OperatorID", "Data", "TimeStamp", "Seq", "Sig", "Ret", "Msg", "sig", "ret", "DATA")
    },
)


@settings(max_examples=60, deadline=None)
@given(envelope_fields, POLICIES)
def test_any_fields_in_an_envelope_give_a_value_or_a_problem(fields: dict[str, Any], policy: Any) -> None:
    _open_both_ways(ENCODER.encode(_encodable(fields)), policy)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=80), st.integers(0, 10_000), st.integers(0, 7))
def test_a_request_with_one_bit_changed_is_never_opened(plain: bytes, place: int, bit: int) -> None:
    body = seal_request(GOLDEN_KEYS, "123456789", plain, stamp=STAMP, seq=SEQ)
    changed = bytearray(body)
    changed[place % len(body)] ^= 1 << bit
    try:
        envelope = read_envelope(bytes(changed))
        opened = open_request(envelope, [GOLDEN_KEYS], GOLDEN_PROFILE)
    except WireProblem:
        return
    # What still opens differs only outside the signed text: in the case of a field's name.
    assert opened.plain == plain
    assert envelope.signed_text == read_envelope(body).signed_text


@example(msg="null", ret=0, junk=b"")
@settings(max_examples=100, deadline=None)
@given(st.text(NOT_NUL, max_size=20), st.sampled_from([-1, 0, 4001, 4004, 500]), st.binary(max_size=60))
def test_an_answer_is_opened_as_it_was_sealed(msg: str, ret: int, junk: bytes) -> None:
    plain = msgspec.json.encode({"Text": junk.hex()})
    answered = open_answer(
        seal_answer(GOLDEN_KEYS, ret, msg, plain, GOLDEN_PROFILE), [GOLDEN_KEYS], GOLDEN_PROFILE
    )
    assert (answered.ret, answered.msg, answered.plain, answered.tolerated) == (ret, msg, plain, frozenset())
