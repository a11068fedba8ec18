"""What is published in `schema/` is what the code says, and other languages can check themselves against it."""

import json
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.export_contracts import contracts
from operator_sdk.contract.golden import GOLDEN
from operator_sdk.contract.messages.common import Message
from operator_sdk.contract.operations import HUB, OPERATOR
from operator_sdk.contract.public_codes import PUBLIC_CODES, Code, http_status
from operator_sdk.contract.signing import (
    SigningKey,
    public_from_b64url,
    read_claims,
    sign_answer,
    sign_request,
    verify_answer,
    verify_request,
)

pytestmark = pytest.mark.contract
SCHEMA = Path(__file__).parents[2] / "schema"


def test_the_committed_contracts_are_the_exported_ones() -> None:
    exported = {name: json.loads(json.dumps(content)) for name, content in contracts().items()}
    committed = {str(path.relative_to(SCHEMA)): json.loads(path.read_text()) for path in SCHEMA.rglob("*.json")}
    assert committed == exported


@pytest.mark.parametrize("message", GOLDEN, ids=lambda message: type(message).__name__)
def test_a_golden_message_reads_back_as_itself(message: Message) -> None:
    text = (SCHEMA / "golden" / f"{type(message).__name__}.json").read_bytes()
    assert msgspec.json.decode(text, type=type(message)) == message


@pytest.mark.parametrize("message", GOLDEN, ids=lambda message: type(message).__name__)
def test_a_reader_ignores_a_field_it_does_not_know(message: Message) -> None:
    content = {**json.loads(msgspec.json.encode(message)), "some_field_of_tomorrow": [1, {"a": "b"}]}
    assert msgspec.json.decode(json.dumps(content).encode(), type=type(message)) == message


def test_the_request_vector_is_made_and_verified_with_its_key() -> None:
    vectors = json.loads((SCHEMA / "signatures" / "vectors.json").read_text())
    given = vectors["request"]
    key = SigningKey(
        "vector-1", Ed25519PrivateKey.from_private_bytes(bytes.fromhex(vectors["private_seed_hex"]))
    )
    claims = read_claims(given["headers"]["signature-input"], given["headers"]["signature"])
    call = {"method": given["method"], "target_uri": given["target_uri"], "body": given["body"].encode()}
    again = sign_request(key, **call, created=claims.created, nonce=claims.nonce)
    assert again.as_dict() == given["headers"]
    verify_request(
        claims,
        public_from_b64url(vectors["public_key"]),
        **call,
        digest_header=given["headers"]["content-digest"],
        now_s=claims.created,
    )


def test_the_answer_vector_is_made_and_verified_with_its_key() -> None:
    vectors = json.loads((SCHEMA / "signatures" / "vectors.json").read_text())
    given, asked = vectors["answer"], vectors["request"]["headers"]["signature"]
    key = SigningKey(
        "vector-1", Ed25519PrivateKey.from_private_bytes(bytes.fromhex(vectors["private_seed_hex"]))
    )
    claims = read_claims(given["headers"]["signature-input"], given["headers"]["signature"])
    call = {"status": given["status"], "body": given["body"].encode(), "request_signature": asked}
    again = sign_answer(key, **call, created=claims.created, nonce=claims.nonce)
    assert again.as_dict() == given["headers"]
    verify_answer(
        claims,
        public_from_b64url(vectors["public_key"]),
        **call,
        digest_header=given["headers"]["content-digest"],
        now_s=claims.created,
    )


def test_every_public_code_has_a_status_and_words_in_both_languages() -> None:
    assert PUBLIC_CODES.keys() == set(Code)
    for meaning in PUBLIC_CODES.values():
        assert 400 <= meaning.status < 600
        assert meaning.zh
        assert meaning.en
    assert http_status("a_code_of_tomorrow") == 422


def test_no_two_operations_share_a_route() -> None:
    for table in (HUB, OPERATOR):
        routes = [(operation.method, operation.path) for operation in table.values()]
        assert len(routes) == len(set(routes))
