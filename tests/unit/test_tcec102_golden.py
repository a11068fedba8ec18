"""`schema/examples/tcec102/`: every interface, both directions, plain and sealed."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from operator_sdk.contract.tcec102.golden import GOLDEN, GOLDEN_KEYS, GOLDEN_PROFILE, golden_files
from operator_sdk.contract.tcec102.interfaces import INTERFACES
from operator_sdk.contract.tcec102.keys import KeySet
from operator_sdk.contract.tcec102.reading import belongs, read
from operator_sdk.contract.tcec102.wire import WireProblem, open_answer, open_request, read_envelope

FOLDER = Path(__file__).resolve().parents[2] / "schema" / "examples" / "tcec102"


def _published(name: str) -> Any:
    return json.loads((FOLDER / name).read_text())


def _keys() -> KeySet:
    secrets = _published("keys.json")
    return KeySet(
        operator_secret=secrets["OperatorSecret"],
        data_secret=secrets["DataSecret"],
        data_secret_iv=secrets["DataSecretIV"],
        sig_secret=secrets["SigSecret"],
    )


def test_all_interfaces_are_published_in_both_directions() -> None:
    names = {f"{name}.{way}.json" for name in INTERFACES for way in ("request", "reply")} | {"keys.json"}
    assert {path.name for path in FOLDER.iterdir()} == names == set(golden_files())
    assert set(GOLDEN) == set(INTERFACES)
    assert len(INTERFACES) == 15


@pytest.mark.parametrize("name", INTERFACES)
def test_a_published_request_opens_and_reads_as_its_message(name: str) -> None:
    published = _published(f"{name}.request.json")
    envelope = read_envelope(msgspec.json.encode(published["envelope"]))
    opened = open_request(envelope, [_keys()], GOLDEN_PROFILE)
    assert opened.plain.decode() == published["plain"]
    assert json.loads(published["plain"]) == published["message"]
    assert read(INTERFACES[name].request, opened.plain) == (GOLDEN[name][0], frozenset())


@pytest.mark.parametrize("name", INTERFACES)
def test_a_published_answer_opens_and_reads_as_its_message(name: str) -> None:
    published = _published(f"{name}.reply.json")
    answered = open_answer(msgspec.json.encode(published["envelope"]), [_keys()], GOLDEN_PROFILE)
    assert answered.plain is not None
    assert (answered.ret, answered.plain.decode()) == (0, published["plain"])
    assert json.loads(published["plain"]) == published["message"]
    assert read(INTERFACES[name].reply, answered.plain) == (GOLDEN[name][1], frozenset())


def test_the_keys_are_those_of_the_standards_example() -> None:
    assert _keys() == GOLDEN_KEYS


@pytest.mark.parametrize("name", INTERFACES)
def test_a_request_belongs_to_its_own_interface_and_to_no_other(name: str) -> None:
    plain = _published(f"{name}.request.json")["plain"].encode()
    takers = {one.name for one in INTERFACES.values() if belongs(one, plain)}
    readers = {one.name for one in INTERFACES.values() if one.name in takers and _reads(one.request, plain)}
    assert readers == {name}


def _reads(kind: Any, plain: bytes) -> bool:
    try:
        read(kind, plain)
    except WireProblem:
        return False
    return True
