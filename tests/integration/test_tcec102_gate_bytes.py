"""Whatever arrives, a partner gets the standard's Ret with HTTP 200, and what is refused changes nothing."""

import asyncio
import json
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operator_sdk.contract.tcec102.interfaces import INTERFACES
from operator_sdk.contract.tcec102.wire import Ret, seal_request
from tests.tcec102_gate import HOST, Partner, World, keys_named, open_world, profile_text

pytestmark = [pytest.mark.integration, pytest.mark.property]

KNOWN = {int(ret) for ret in Ret}
NAMES = sorted(INTERFACES)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=10,
)
FIELDS = ("OperatorID", "Data", "TimeStamp", "Seq", "Sig")
envelopes = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, json_values | st.just(HOST)))
bodies = st.binary(max_size=200) | envelopes.map(msgspec.json.encode) | json_values.map(msgspec.json.encode)


class Rig:
    """A world with a loop of its own, so that hypothesis can call it again and again."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._context = open_world()
        self.world: World = self._runner.run(self._context.__aenter__())
        wide = "[limits]\nrate_per_s = 100000\n[time]\nwindow_s = 0"
        both = self.world.partner(profile_text(roles='["host", "home"]', rest=wide))
        self.partner: Partner = self._runner.run(both)
        self.before = self._runner.run(self.world.rows())

    def post(self, interface: str, body: bytes) -> int:
        """The Ret of an answer; everything else of it is as it must be."""
        response = self._runner.run(self.partner.post(interface, body))
        assert response.status_code == 200
        answer = json.loads(response.content)
        assert set(answer) == {"Ret", "Msg", "Data", "Sig"}
        assert answer["Ret"] in KNOWN
        return int(answer["Ret"])

    def is_unchanged(self) -> bool:
        """Whether the database is as it was."""
        return self._runner.run(self.world.rows()) == self.before

    def close(self) -> None:
        """Take it down."""
        self._runner.run(self._context.__aexit__(None, None, None))
        self._runner.close()


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.close()


HOSTILE = (b"\xff\x00", b"[" * 5_000, b'{"a":' * 5_000, b"null", b"[{}]", b'"text"', b'{"Seq":"\\ud800"}')
"""No message of any interface."""

CHEAP = settings(max_examples=30, deadline=None)


def test_any_bytes_get_an_answer_and_change_nothing(rig: Rig) -> None:
    @CHEAP
    @given(name=st.sampled_from(NAMES), body=bodies)
    def post(name: str, body: bytes) -> None:
        assert rig.post(name, body) in {Ret.ENVELOPE, Ret.SIGNATURE, Ret.BUSY}

    post()
    assert rig.is_unchanged()


def test_any_plaintext_gets_an_answer_and_changes_nothing(rig: Rig) -> None:
    @CHEAP
    @given(name=st.sampled_from(NAMES), plain=st.binary(max_size=100), good=st.booleans())
    def post(name: str, plain: bytes, good: bool) -> None:
        keys = rig.partner.keys if good else keys_named("ours", "forged")
        body = seal_request(keys, HOST, plain, stamp=rig.partner.stamp(), seq="0001")
        assert rig.post(name, body) in ({Ret.ENVELOPE, Ret.BUSINESS} if good else {Ret.SIGNATURE, Ret.BUSY})

    post()
    assert rig.is_unchanged()


@pytest.mark.parametrize("name", NAMES)
def test_hostile_bytes_are_refused_at_every_single_interface(rig: Rig, name: str) -> None:
    for plain in HOSTILE:
        assert rig.post(name, plain) in {Ret.ENVELOPE, Ret.BUSY}
        body = seal_request(rig.partner.keys, HOST, plain, stamp=rig.partner.stamp(), seq="0001")
        assert rig.post(name, body) in {Ret.ENVELOPE, Ret.BUSINESS}
    assert rig.is_unchanged()


def test_any_object_of_the_interfaces_own_fields_gets_a_decided_answer(rig: Rig) -> None:
    @CHEAP
    @given(name=st.sampled_from(NAMES), message=st.data())
    def post(name: str, message: st.DataObject) -> None:
        fields = msgspec.structs.fields(INTERFACES[name].request)
        values = dict.fromkeys((field.encode_name for field in fields if field.name != "extra"), json_values)
        plain = msgspec.json.encode(message.draw(st.fixed_dictionaries(values)))
        body = seal_request(rig.partner.keys, HOST, plain, stamp=rig.partner.stamp(), seq="0001")
        assert rig.post(name, body) in {Ret.OK, Ret.ENVELOPE, Ret.BUSINESS}

    post()
