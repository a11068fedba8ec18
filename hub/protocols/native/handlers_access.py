"""Handlers: signing in, and the hub's keys."""

import re
from datetime import timedelta

from hub.core.errors import HubError
from hub.core.tables import insert_new
from hub.core.tokens import (
    DRIVER_TOKEN_LIFE,
    OPERATOR_TOKEN_LIFE,
    Assertion,
    Principal,
    assertion_names,
    verify_assertion,
)
from hub.parties.tables import AssertionUse
from hub.protocols.native.call import Call, Handler
from operator_sdk.contract.messages.access import (
    AccessToken,
    CodeRequest,
    CodeSent,
    DriverTokenRequest,
    DriverTokens,
    Jwk,
    JwkSet,
    StaffSession,
    StaffSignIn,
    TokenRequest,
)
from operator_sdk.contract.messages.common import Empty
from operator_sdk.contract.public_codes import Code

_NAME = re.compile(r"[A-Za-z0-9._:-]{1,64}\Z")
SUBJECT_MOST = 64
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


async def jwks(call: Call, _: Empty) -> JwkSet:
    """The hub's live public keys."""
    keys = call.services.secrets.signing_keys
    return JwkSet(keys=[Jwk(kid=key.key_id, x=key.public_b64url()) for key in keys])


async def issue_token(call: Call, request: TokenRequest) -> AccessToken:
    """Client credentials with private_key_jwt."""
    if request.grant_type != "client_credentials" or request.client_assertion_type != JWT_BEARER:
        raise HubError(Code.SIGN_IN_FAILED)
    said = await _use_assertion(call, request.client_assertion)
    if said.subject != said.issuer or request.client_id not in {"", said.issuer}:
        raise HubError(Code.SIGN_IN_FAILED)
    token = call.services.tokens.issue(Principal("operator", said.issuer), OPERATOR_TOKEN_LIFE)
    return AccessToken(access_token=token, expires_in=OPERATOR_TOKEN_LIFE // timedelta(seconds=1))


async def _use_assertion(call: Call, assertion: str) -> Assertion:
    services = call.services
    issuer, key_id = assertion_names(assertion)
    if not (_NAME.match(issuer) and _NAME.match(key_id)):
        raise HubError(Code.SIGN_IN_FAILED)
    key = await services.parties.live_key(issuer, key_id)
    if key is None:
        raise HubError(Code.SIGN_IN_FAILED)
    now = services.clock.wall()
    said = verify_assertion(assertion, key, audience=services.issuer, now=now)
    good = (said.subject + said.jti).isprintable() and len(said.subject) <= SUBJECT_MOST
    if said.issuer != issuer or not good:
        raise HubError(Code.SIGN_IN_FAILED)
    async with services.database.unit() as unit:
        new = await insert_new(
            unit,
            AssertionUse,
            issuer=issuer,
            jti=said.jti,
            expires_at=now + timedelta(minutes=10),
        )
        if not new:
            raise HubError(Code.REPLAYED)
    return said


async def send_code(call: Call, request: CodeRequest) -> CodeSent:
    """A one-time code for a hosted driver."""
    seconds = await call.services.sign_in.send_code(request.home_party_id, request.phone)
    return CodeSent(expires_in_s=seconds)


async def issue_driver_token(call: Call, request: DriverTokenRequest) -> DriverTokens:
    """A driver signs in by code, by the home's assertion, or with a refresh token."""
    sign_in = call.services.sign_in
    if request.grant == "code":
        if not (request.home_party_id and request.phone and request.code):
            raise HubError(Code.MALFORMED, needed="home_party_id, phone, code")
        home = request.home_party_id
        subject = await sign_in.check_code(home, request.phone, request.code)
    elif request.grant == "assertion":
        if not request.assertion:
            raise HubError(Code.MALFORMED, needed="assertion")
        said = await _use_assertion(call, request.assertion)
        home, subject = said.issuer, said.subject
        if home == subject:
            # That is how an operator signs in as itself; one must not pass for the other.
            raise HubError(Code.SIGN_IN_FAILED)
        if "home" not in await call.services.parties.roles_of(home):
            raise HubError(Code.SIGN_IN_FAILED)
    else:
        if not request.refresh_token:
            raise HubError(Code.MALFORMED, needed="refresh_token")
        renewed = await sign_in.refresh(request.refresh_token)
        return _tokens(call, renewed.home_party_id, renewed.subject, renewed.refresh_token)
    return _tokens(call, home, subject, await sign_in.open_session(home, subject))


def _tokens(call: Call, home: str, subject: str, refresh: str) -> DriverTokens:
    access = call.services.tokens.issue(Principal("driver", home, subject), DRIVER_TOKEN_LIFE)
    return DriverTokens(
        access_token=access,
        expires_in=DRIVER_TOKEN_LIFE // timedelta(seconds=1),
        refresh_token=refresh,
    )


async def staff_sign_in(call: Call, request: StaffSignIn) -> StaffSession:
    """Staff sign in."""
    return await call.services.staff.sign_in(request)


HANDLERS: dict[str, Handler] = {
    "jwks": jwks,
    "issue_token": issue_token,
    "send_code": send_code,
    "issue_driver_token": issue_driver_token,
    "staff_sign_in": staff_sign_in,
}
