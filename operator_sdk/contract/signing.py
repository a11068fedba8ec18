"""Ed25519 signatures in a profile of RFC 9421 (HTTP Message Signatures) with RFC 9530 digests.

A request covers `@method`, `@target-uri` and `content-digest` and carries `created`, `nonce` and `keyid`. An
answer covers `@status`, `content-digest` and the request's own signature (`"signature";req`), so that no
answer can be moved to another request. One signature per message, always labelled `sig`; the window is
+-300 s of wall time (checked by the caller's clock, an argument here).
"""

import base64
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

WINDOW_S = 300
_REQUEST_FIELDS = '("@method" "@target-uri" "content-digest")'
_ANSWER_FIELDS = '("@status" "content-digest" "signature";req)'
_INPUT = re.compile(
    r"sig=(?P<params>(?P<fields>\([^)]{1,120}\));created=(?P<created>\d{1,12});"
    r'nonce="(?P<nonce>[A-Za-z0-9_-]{16,64})";keyid="(?P<keyid>[A-Za-z0-9._:-]{1,64})";alg="ed25519")\Z'
)
_SIGNATURE = re.compile(r"sig=:(?P<value>[A-Za-z0-9+/]{86}==):\Z")


class SignatureProblem(Exception):
    """A signature that does not hold. `code` is signature_missing, signature_invalid or signature_stale."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class SignatureHeaders:
    """The three header values of a signed message."""

    content_digest: str
    signature_input: str
    signature: str

    def as_dict(self) -> dict[str, str]:
        """Header names (lower case) to values."""
        return {
            "content-digest": self.content_digest,
            "signature-input": self.signature_input,
            "signature": self.signature,
        }


@dataclass(frozen=True, slots=True)
class Claims:
    """What a signature says of itself, not yet verified."""

    fields: str
    params: str
    created: int
    nonce: str
    key_id: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with its id."""

    key_id: str
    private: Ed25519PrivateKey

    def public_b64url(self) -> str:
        """The raw public key, base64url without padding."""
        return public_to_b64url(self.private.public_key())


def public_to_b64url(key: Ed25519PublicKey) -> str:
    """The raw public key, base64url without padding (as in a JWK's `x`)."""
    return base64.urlsafe_b64encode(key.public_bytes_raw()).rstrip(b"=").decode()


def public_from_b64url(text: str) -> Ed25519PublicKey:
    """Read a raw public key.

    Raises:
        ValueError: not 32 bytes of base64url.
    """
    return Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def content_digest(body: bytes) -> str:
    """The `content-digest` header (RFC 9530), SHA-256."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def sign_request(
    key: SigningKey, *, method: str, target_uri: str, body: bytes, created: int, nonce: str
) -> SignatureHeaders:
    """Sign a request. `created` is Unix seconds of wall time; `nonce` is fresh for every attempt."""
    digest = content_digest(body)
    params = _params(_REQUEST_FIELDS, created, nonce, key.key_id)
    base = _request_base(method, target_uri, digest, params)
    return _sealed(key, base, digest, params)


def sign_answer(
    key: SigningKey, *, status: int, body: bytes, request_signature: str, created: int, nonce: str
) -> SignatureHeaders:
    """Sign an answer to the request whose `signature` header is given."""
    digest = content_digest(body)
    params = _params(_ANSWER_FIELDS, created, nonce, key.key_id)
    base = _answer_base(status, digest, request_signature, params)
    return _sealed(key, base, digest, params)


def read_claims(signature_input: str | None, signature: str | None) -> Claims:
    """Read the two headers.

    Raises:
        SignatureProblem: signature_missing, or signature_invalid when they do not have the profile's form.
    """
    if not signature_input or not signature:
        raise SignatureProblem("signature_missing")
    said, value = _INPUT.match(signature_input), _SIGNATURE.match(signature)
    if said is None or value is None:
        raise SignatureProblem("signature_invalid")
    raw = base64.b64decode(value["value"])
    if base64.b64encode(raw).decode() != value["value"]:
        # One signature has one text: spare bits of the last character must be zero.
        raise SignatureProblem("signature_invalid")
    return Claims(
        fields=said["fields"],
        params=said["params"],
        created=int(said["created"]),
        nonce=said["nonce"],
        key_id=said["keyid"],
        signature=raw,
    )


def verify_request(
    claims: Claims,
    key: Ed25519PublicKey,
    *,
    method: str,
    target_uri: str,
    body: bytes,
    digest_header: str | None,
    now_s: int,
) -> None:
    """Check a request's signature, digest and window.

    Raises:
        SignatureProblem: signature_invalid or signature_stale.
    """
    base = _request_base(method, target_uri, digest_header or "", claims.params)
    _verify(claims, key, fields=_REQUEST_FIELDS, base=base, body=body, digest_header=digest_header, now_s=now_s)


def verify_answer(
    claims: Claims,
    key: Ed25519PublicKey,
    *,
    status: int,
    body: bytes,
    digest_header: str | None,
    request_signature: str,
    now_s: int,
) -> None:
    """Check an answer's signature, digest, window and that it answers this very request.

    Raises:
        SignatureProblem: signature_invalid or signature_stale.
    """
    base = _answer_base(status, digest_header or "", request_signature, claims.params)
    _verify(claims, key, fields=_ANSWER_FIELDS, base=base, body=body, digest_header=digest_header, now_s=now_s)


def _verify(
    claims: Claims,
    key: Ed25519PublicKey,
    *,
    fields: str,
    base: bytes,
    body: bytes,
    digest_header: str | None,
    now_s: int,
) -> None:
    if claims.fields != fields or digest_header != content_digest(body):
        raise SignatureProblem("signature_invalid")
    if abs(now_s - claims.created) > WINDOW_S:
        raise SignatureProblem("signature_stale")
    try:
        key.verify(claims.signature, base)
    except InvalidSignature:
        raise SignatureProblem("signature_invalid") from None


def _params(fields: str, created: int, nonce: str, key_id: str) -> str:
    return f'{fields};created={created};nonce="{nonce}";keyid="{key_id}";alg="ed25519"'


def _request_base(method: str, target_uri: str, digest: str, params: str) -> bytes:
    return (
        f'"@method": {method.upper()}\n"@target-uri": {target_uri}\n"content-digest": {digest}\n'
        f'"@signature-params": {params}'
    ).encode()


def _answer_base(status: int, digest: str, request_signature: str, params: str) -> bytes:
    value = request_signature.removeprefix("sig=")
    return (
        f'"@status": {status}\n"content-digest": {digest}\n"signature";req: sig={value}\n'
        f'"@signature-params": {params}'
    ).encode()


def _sealed(key: SigningKey, base: bytes, digest: str, params: str) -> SignatureHeaders:
    value = base64.b64encode(key.private.sign(base)).decode()
    return SignatureHeaders(digest, f"sig={params}", f"sig=:{value}:")
