"""Short bearer tokens that the hub issues (EdDSA JWTs), and the assertions that others sign for it."""

import json
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from joserfc import jwt
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import OKPKey
from joserfc.jws import JWSRegistry, extract_compact

from hub.core.clock import Clock, unix_s
from hub.core.errors import HubError
from hub.core.ids import Ids
from hub.core.secrets import Secrets
from operator_sdk.contract.public_codes import Code

ALGORITHM = "EdDSA"


class _Registry(JWSRegistry):
    """EdDSA alone. RFC 9864 renames it, and joserfc warns of the name that partners use."""

    def get_alg(self, name: str) -> JWSAlgModel:
        """The one algorithm.

        Raises:
            UnsupportedAlgorithmError: any other.
        """
        if name != ALGORITHM:
            raise UnsupportedAlgorithmError(name)
        return self.algorithms[name]


REGISTRY = _Registry(algorithms=[ALGORITHM])
OPERATOR_TOKEN_LIFE = timedelta(minutes=10)
DRIVER_TOKEN_LIFE = timedelta(minutes=15)
ASSERTION_LIFE_MOST_S = 300
SKEW_S = 60
CACHE_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls. `kind` is operator, driver, staff or public; `subject` the driver or staff login."""

    kind: str
    party_id: str | None = None
    subject: str | None = None
    roles: frozenset[str] = frozenset()
    expires_at: int | None = None


PUBLIC = Principal("public")


@dataclass(frozen=True, slots=True)
class Assertion:
    """A verified assertion of somebody else's."""

    issuer: str
    subject: str
    jti: str
    expires_at: int


class Tokens:
    """Issues and verifies the hub's own tokens; verified ones are remembered until they expire."""

    def __init__(self, secrets: Secrets, clock: Clock, ids: Ids, issuer: str) -> None:
        self._clock, self._ids, self._issuer = clock, ids, issuer
        self._signer = OKPKey.import_key(secrets.signer.private)
        self._signer_id = secrets.signer.key_id
        self._keys = {key.key_id: OKPKey.import_key(key.private.public_key()) for key in secrets.signing_keys}
        self._seen: OrderedDict[str, tuple[Principal, int]] = OrderedDict()

    def issue(self, principal: Principal, life: timedelta) -> str:
        """A token for an operator or a driver."""
        now = unix_s(self._clock.wall())
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": self._issuer,
            "sub": principal.subject or principal.party_id,
            "party": principal.party_id,
            "scope": principal.kind,
            "iat": now,
            "exp": now + life // timedelta(seconds=1),
            "jti": self._ids.secret(),
        }
        return jwt.encode({"alg": ALGORITHM, "kid": self._signer_id}, claims, self._signer, registry=REGISTRY)

    def verify(self, token: str) -> Principal:
        """Who a token speaks for.

        Raises:
            HubError: token_invalid, wrong in any way or expired.
        """
        now = unix_s(self._clock.wall())
        known = self._seen.get(token)
        if known is not None:
            if known[1] <= now:
                del self._seen[token]
                raise HubError(Code.TOKEN_INVALID)
            return known[0]
        claims = self._decode(token)
        if claims.get("iss") != self._issuer or claims.get("aud") != self._issuer:
            raise HubError(Code.TOKEN_INVALID)
        expires, kind, party = claims.get("exp"), claims.get("scope"), claims.get("party")
        if not isinstance(expires, int) or expires <= now or kind not in {"operator", "driver"}:
            raise HubError(Code.TOKEN_INVALID)
        principal = Principal(kind, party, claims.get("sub") if kind == "driver" else None, expires_at=expires)
        self._seen[token] = (principal, expires)
        if len(self._seen) > CACHE_MOST:
            self._seen.popitem(last=False)
        return principal

    def _decode(self, token: str) -> dict[str, Any]:
        try:
            header = _header(token)
            key = self._keys[header["kid"]]
            return dict(jwt.decode(token, key, registry=REGISTRY).claims)
        except (JoseError, KeyError, ValueError, TypeError) as problem:
            raise HubError(Code.TOKEN_INVALID) from problem


def _header(token: str) -> dict[str, Any]:
    return dict(extract_compact(token.encode()).headers())


def assertion_names(token: str) -> tuple[str, str]:
    """(issuer, key id) that an assertion claims, unverified, to find the key by.

    Raises:
        HubError: sign_in_failed.
    """
    try:
        parts = extract_compact(token.encode())
        claims = json.loads(parts.payload)
        return str(claims["iss"]), str(parts.headers()["kid"])
    except (JoseError, KeyError, ValueError, TypeError) as problem:
        raise HubError(Code.SIGN_IN_FAILED) from problem


def verify_assertion(token: str, key: Ed25519PublicKey, *, audience: str, now: datetime) -> Assertion:
    """Verify an assertion of at most five minutes (RFC 7523 section 3; the audience is the issuer).

    Raises:
        HubError: sign_in_failed, wrong in any way.
    """
    try:
        claims = jwt.decode(token, OKPKey.import_key(key), registry=REGISTRY).claims
        issuer, subject, jti = claims["iss"], claims["sub"], claims["jti"]
        expires, heard = claims["exp"], claims["aud"]
    except (JoseError, KeyError, ValueError, TypeError) as problem:
        raise HubError(Code.SIGN_IN_FAILED) from problem
    now_s = unix_s(now)
    audiences = heard if isinstance(heard, list) else [heard]
    good = (
        isinstance(expires, int)
        and now_s - SKEW_S < expires <= now_s + ASSERTION_LIFE_MOST_S + SKEW_S
        and audience in audiences
        and all(isinstance(value, str) and 0 < len(value) <= 80 for value in (issuer, subject, jti))
    )
    if not good:
        raise HubError(Code.SIGN_IN_FAILED)
    return Assertion(issuer, subject, jti, expires)
