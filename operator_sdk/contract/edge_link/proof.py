"""How site and gateway prove themselves: Ed25519 over both nonces and all names, one context per side."""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from operator_sdk.contract.edge_link import SUBPROTOCOL
from operator_sdk.contract.edge_link.frames import Challenge, LinkCode, LinkProblem, Prove
from operator_sdk.contract.messages.common import Token

AGENT, GATEWAY = b"agent", b"gateway"
TOKEN_DIGEST_BYTES = 16


def transcript(side: bytes, challenge: Challenge, *, site_id: str, spool_id: str, nonce: bytes) -> bytes:
    """What a side signs: its role, the names of both ends and both nonces, each with its length before it."""
    parts = (
        SUBPROTOCOL.encode(),
        side,
        challenge.gateway_id.encode(),
        challenge.nonce,
        site_id.encode(),
        spool_id.encode(),
        nonce,
    )
    return b"".join(len(part).to_bytes(2, "big") + part for part in parts)


def sign(
    key: Ed25519PrivateKey, side: bytes, challenge: Challenge, *, site_id: str, spool_id: str, nonce: bytes
) -> bytes:
    """A side's proof: 64 bytes."""
    return key.sign(transcript(side, challenge, site_id=site_id, spool_id=spool_id, nonce=nonce))


def check_agent(key: Ed25519PublicKey, challenge: Challenge, prove: Prove) -> None:
    """Raise LinkProblem `proof_wrong` unless the site's key signed."""
    signed = transcript(AGENT, challenge, site_id=prove.site_id, spool_id=prove.spool_id, nonce=prove.nonce)
    try:
        key.verify(prove.signature, signed)
    except InvalidSignature as problem:
        raise LinkProblem(LinkCode.PROOF_WRONG) from problem


def check_gateway(key: Ed25519PublicKey, signature: bytes, signed: bytes) -> None:
    """Raise LinkProblem `gateway_forged` unless the gateway's key signed."""
    try:
        key.verify(signature, signed)
    except InvalidSignature as problem:
        raise LinkProblem(LinkCode.GATEWAY_FORGED) from problem


def token_digest(token: Token) -> bytes:
    """A token as blacklists name it: the first 16 bytes of SHA-256 over kind and reference."""
    return hashlib.sha256(f"{token.kind}\x1f{token.ref}".encode()).digest()[:TOKEN_DIGEST_BYTES]
