"""Signatures: what was signed verifies, and nothing else does."""

import base64
import string
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_sdk.contract.signing import (
    WINDOW_S,
    SignatureHeaders,
    SignatureProblem,
    content_digest,
    public_from_b64url,
    read_claims,
    sign_answer,
    sign_request,
    verify_answer,
    verify_request,
)
from operator_sdk.keys import new_key

KEY, OTHER = new_key("a-1"), new_key("a-1")
PUBLIC = KEY.private.public_key()
NOW, NONCE = 1_767_225_600, "n" * 22
URL = "https://hub.example/v1/sessions/x/stop?y=1"
BODY = b'{"stop_ref":"s1"}'
REQUEST = sign_request(KEY, method="POST", target_uri=URL, body=BODY, created=NOW, nonce=NONCE)
ANSWER = sign_answer(KEY, status=200, body=BODY, request_signature=REQUEST.signature, created=NOW, nonce=NONCE)


def check_request(headers: SignatureHeaders = REQUEST, **changed: Any) -> None:
    claims = read_claims(headers.signature_input, headers.signature)
    said = {
        "method": "POST",
        "target_uri": URL,
        "body": BODY,
        "digest_header": headers.content_digest,
        "now_s": NOW,
        **changed,
    }
    verify_request(claims, said.pop("key", PUBLIC), **said)


def check_answer(headers: SignatureHeaders = ANSWER, **changed: Any) -> None:
    claims = read_claims(headers.signature_input, headers.signature)
    said = {
        "status": 200,
        "body": BODY,
        "digest_header": headers.content_digest,
        "request_signature": REQUEST.signature,
        "now_s": NOW,
        **changed,
    }
    verify_answer(claims, said.pop("key", PUBLIC), **said)


def test_what_was_signed_verifies() -> None:
    check_request()
    check_request(method="post")
    check_answer()


def test_the_claims_say_who_and_when() -> None:
    claims = read_claims(REQUEST.signature_input, REQUEST.signature)
    assert (claims.key_id, claims.created, claims.nonce) == ("a-1", NOW, NONCE)


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "PUT"},
        {"target_uri": URL + "0"},
        {"target_uri": URL.replace("hub.", "bad.")},
        {"body": BODY + b" "},
        {"digest_header": None},
        {"digest_header": content_digest(b"")},
        {"body": b"", "digest_header": content_digest(b"")},
        {"key": OTHER.private.public_key()},
    ],
    ids=",".join,
)
def test_a_request_with_any_part_changed_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(SignatureProblem, match="signature_invalid"):
        check_request(**changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"status": 201},
        {"body": b"{}"},
        {"body": b"{}", "digest_header": content_digest(b"{}")},
        {"digest_header": None},
        {"request_signature": ANSWER.signature},
        {"key": OTHER.private.public_key()},
    ],
    ids=",".join,
)
def test_an_answer_with_any_part_changed_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(SignatureProblem, match="signature_invalid"):
        check_answer(**changed)


def test_neither_passes_for_the_other() -> None:
    with pytest.raises(SignatureProblem, match="signature_invalid"):
        check_request(ANSWER)
    with pytest.raises(SignatureProblem, match="signature_invalid"):
        check_answer(REQUEST)


@pytest.mark.parametrize("offset", [WINDOW_S + 1, -WINDOW_S - 1])
def test_outside_its_window_it_is_stale(offset: int) -> None:
    for check in (check_request, check_answer):
        check(now_s=NOW + offset - offset // abs(offset))
        with pytest.raises(SignatureProblem, match="signature_stale"):
            check(now_s=NOW + offset)


@pytest.mark.parametrize("missing", [None, ""])
def test_without_its_headers_it_is_missing(missing: str | None) -> None:
    with pytest.raises(SignatureProblem, match="signature_missing"):
        read_claims(missing, REQUEST.signature)
    with pytest.raises(SignatureProblem, match="signature_missing"):
        read_claims(REQUEST.signature_input, missing)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ed25519", "hmac-sha256"),
        ('"@method" ', ""),
        (NONCE, "short"),
        ("sig=", "other="),
        (f"created={NOW}", f"created={NOW + 1}"),
        ('keyid="a-1"', 'keyid="a-2"'),
        (NONCE, "m" * 22),
    ],
)
def test_a_changed_signature_input_is_refused(old: str, new: str) -> None:
    spoilt = replace(REQUEST, signature_input=REQUEST.signature_input.replace(old, new))
    assert spoilt != REQUEST
    with pytest.raises(SignatureProblem, match="signature_invalid"):
        check_request(spoilt)


def test_a_public_key_survives_its_text() -> None:
    text = KEY.public_b64url()
    assert len(text) == 43
    assert public_from_b64url(text).public_bytes_raw() == PUBLIC.public_bytes_raw()
    with pytest.raises(ValueError, match=r"."):
        public_from_b64url(text[:-2])


NONCES = st.text(string.ascii_letters + string.digits + "_-", min_size=16, max_size=64)


@pytest.mark.property
@given(
    body=st.binary(max_size=200),
    path=st.text(string.ascii_letters + "/?=&%", max_size=40),
    method=st.sampled_from(["GET", "POST", "PUT"]),
    status=st.integers(100, 599),
    nonce=NONCES,
)
def test_any_message_and_its_answer_verify(
    body: bytes, path: str, method: str, status: int, nonce: str
) -> None:
    url = f"https://hub/{path}"
    signed = sign_request(KEY, method=method, target_uri=url, body=body, created=NOW, nonce=nonce)
    check_request(signed, method=method, target_uri=url, body=body)
    answer = sign_answer(
        KEY,
        status=status,
        body=body,
        request_signature=signed.signature,
        created=NOW,
        nonce=nonce,
    )
    check_answer(answer, status=status, body=body, request_signature=signed.signature)


@pytest.mark.property
@given(position=st.integers(0, 63), bit=st.integers(0, 7))
def test_a_signature_with_any_bit_turned_is_refused(position: int, bit: int) -> None:
    raw = bytearray(base64.b64decode(REQUEST.signature[5:-1]))
    raw[position] ^= 1 << bit
    spoilt = replace(REQUEST, signature=f"sig=:{base64.b64encode(raw).decode()}:")
    with pytest.raises(SignatureProblem, match="signature_invalid"):
        check_request(spoilt)


@pytest.mark.property
@given(st.text(max_size=300), st.text(max_size=120))
def test_noise_in_the_headers_is_a_signature_problem_and_nothing_worse(a: str, b: str) -> None:
    with pytest.raises(SignatureProblem):
        read_claims(a, b)
