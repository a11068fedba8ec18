"""Signing in: operators, drivers and staff; keys."""

from typing import Annotated

from msgspec import Meta

from operator_sdk.contract.messages.common import ForeignId, Instant, Message, PartyId, Text


class Jwk(Message, frozen=True, kw_only=True):
    """An Ed25519 public key (RFC 8037). `use` is sig."""

    kid: str
    x: str
    kty: str = "OKP"
    crv: str = "Ed25519"
    use: str = "sig"
    alg: str = "EdDSA"


class JwkSet(Message, frozen=True, kw_only=True):
    """The hub's live public keys."""

    keys: list[Jwk]


class TokenRequest(Message, frozen=True, kw_only=True):
    """OAuth 2 client credentials with `private_key_jwt` (RFC 7523), form-encoded."""

    grant_type: Annotated[str, Meta(max_length=40)]
    client_assertion_type: Annotated[str, Meta(max_length=80)]
    client_assertion: Annotated[str, Meta(max_length=4000)]
    client_id: Annotated[str, Meta(max_length=40)] = ""
    scope: Annotated[str, Meta(max_length=200)] = ""


class AccessToken(Message, frozen=True, kw_only=True):
    """A short bearer token (RFC 6749 section 5.1)."""

    access_token: str
    expires_in: int
    token_type: str = "Bearer"


class CodeRequest(Message, frozen=True, kw_only=True):
    """A hosted driver asks for a one-time code. The answer is the same whether the phone is known or not."""

    home_party_id: PartyId
    phone: Annotated[str, Meta(pattern=r"^\+?[0-9]{6,15}$")]


class CodeSent(Message, frozen=True, kw_only=True):
    """If the phone belongs to a driver, a code is on its way."""

    expires_in_s: int


class DriverTokenRequest(Message, frozen=True, kw_only=True):
    """A driver signs in: grant `code` (phone + code), `assertion` (signed by the home) or `refresh`."""

    grant: Annotated[str, Meta(pattern="^(code|assertion|refresh)$")]
    home_party_id: PartyId | None = None
    phone: Annotated[str, Meta(pattern=r"^\+?[0-9]{6,15}$")] | None = None
    code: Annotated[str, Meta(pattern=r"^[0-9]{6}$")] | None = None
    assertion: Annotated[str, Meta(max_length=4000)] | None = None
    refresh_token: Annotated[str, Meta(max_length=200)] | None = None


class DriverTokens(Message, frozen=True, kw_only=True):
    """The driver's own token (15 minutes) and the refresh token, which is spent when used."""

    access_token: str
    expires_in: int
    refresh_token: str
    token_type: str = "Bearer"


class StaffSignIn(Message, frozen=True, kw_only=True):
    """Staff sign-in; five wrong passwords lock the login for fifteen minutes."""

    login: Annotated[str, Meta(pattern=r"^[a-z0-9._-]{2,40}$")]
    password: Annotated[str, Meta(min_length=1, max_length=200)]


class StaffSession(Message, frozen=True, kw_only=True):
    """A staff token, valid for eight hours."""

    token: str
    expires_at: Instant
    roles: list[str]


class KeyAdd(Message, frozen=True, kw_only=True):
    """Staff propose an operator's Ed25519 public key (raw, base64url); a second person approves it."""

    key_id: ForeignId
    public_key: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{43}$")]


class Key(Message, frozen=True, kw_only=True):
    """An operator's key: `state` is proposed, live or revoked."""

    party_id: PartyId
    key_id: str
    state: str
    created_at: Instant
    note: Text = ""


class KeyList(Message, frozen=True, kw_only=True):
    """A party's keys."""

    items: list[Key]
