"""Refused for who calls, and for how it was signed."""

import base64
import hashlib
from datetime import timedelta
from typing import Any

import httpx

from hub.core.clock import unix_s
from operator_sdk.client.credentials import ASSERTION_TYPE
from operator_sdk.contract.operations import HUB
from operator_sdk.contract.public_codes import Code
from operator_sdk.keys import new_key, sign_token
from tests.contract.refusals import START, Errors, refused
from tests.rig import PHONE, A, B, C
from tests.rig_raw import send, signature

# Who calls.


@refused(Code.UNAUTHENTICATED)
async def no_token(e: Errors) -> httpx.Response:
    return await send(e.rig, START, START.path, e.start())


@refused(Code.TOKEN_INVALID)
async def nonsense_for_a_token(e: Errors) -> httpx.Response:
    return await send(e.rig, START, START.path, e.start(), token="zanshi-marker")


@refused(Code.TOKEN_INVALID)
async def an_expired_token(e: Errors) -> httpx.Response:
    return await send(e.rig, START, START.path, e.start(), token=e.rig.token(B, life_s=-1))


@refused(Code.TOKEN_INVALID)
async def a_token_signed_by_somebody_else(e: Errors) -> httpx.Response:
    now = unix_s(e.rig.hub.clock.wall())
    claims = {"iss": e.rig.url, "aud": e.rig.url, "sub": B, "party": B, "scope": "operator", "exp": now + 600}
    forged = sign_token(new_key("hub-1"), claims)
    return await send(e.rig, START, START.path, e.start(), token=forged)


@refused(Code.TOKEN_INVALID)
async def a_token_that_is_not_signed_at_all(e: Errors) -> httpx.Response:
    head, body, _ = e.rig.token(B).split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","kid":"hub-1"}').rstrip(b"=").decode()
    assert head
    return await send(e.rig, START, START.path, e.start(), token=f"{none}.{body}.")


@refused(Code.TOKEN_INVALID)
async def a_staff_token_that_was_never_issued(e: Errors) -> httpx.Response:
    return await send(e.rig, HUB["list_parties"], HUB["list_parties"].path, b"", token="staff_zanshi-marker")


@refused(Code.SIGN_IN_FAILED)
async def an_unknown_party(e: Errors) -> httpx.Response:
    return await sign_in(e, "MA5ZZZZZ9", new_key("k1"))


@refused(Code.SIGN_IN_FAILED)
async def a_party_with_anothers_key(e: Errors) -> httpx.Response:
    return await sign_in(e, A, e.rig.b.key)


@refused(Code.SIGN_IN_FAILED)
async def a_party_with_a_name_no_engine_stores(e: Errors) -> httpx.Response:
    head = base64.urlsafe_b64encode(b'{"alg":"EdDSA","kid":"k1"}').rstrip(b"=").decode()
    claims = base64.urlsafe_b64encode(b'{"iss":"\\u0000\\ud800","sub":"x"}').rstrip(b"=").decode()
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": f"{head}.{claims}.{'A' * 86}",
    }
    return await e.rig.http.post("/v1/oauth/token", data=form)


@refused(Code.SIGN_IN_FAILED)
async def an_assertion_for_somebody_elses_ears(e: Errors) -> httpx.Response:
    return await sign_in(e, B, e.rig.b.key, aud="https://other.example")


@refused(Code.SIGN_IN_FAILED)
async def an_assertion_of_an_hour(e: Errors) -> httpx.Response:
    return await sign_in(e, B, e.rig.b.key, exp=unix_s(e.rig.hub.clock.wall()) + 3600)


@refused(Code.REPLAYED)
async def an_assertion_used_twice(e: Errors) -> httpx.Response:
    assert (await sign_in(e, B, e.rig.b.key, jti="twice")).status_code == 200
    return await sign_in(e, B, e.rig.b.key, jti="twice")


async def sign_in(e: Errors, party: str, key: Any, **changes: Any) -> httpx.Response:
    now = unix_s(e.rig.hub.clock.wall())
    claims = {"iss": party, "sub": party, "aud": e.rig.url, "jti": e.rig.ref("jti"), "exp": now + 60}
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": sign_token(key, claims | changes),
    }
    return await e.rig.http.post("/v1/oauth/token", data=form)


@refused(Code.SIGN_IN_FAILED)
async def a_wrong_password(e: Errors) -> httpx.Response:
    return await e.rig.http.post("/v1/staff/sign-in", json={"login": "boss", "password": "zanshi-marker"})


@refused(Code.LOCKED_OUT)
async def the_sixth_wrong_password(e: Errors) -> httpx.Response:
    for _ in range(5):
        await e.rig.http.post("/v1/staff/sign-in", json={"login": "nobody", "password": "zanshi-marker"})
    return await e.rig.http.post("/v1/staff/sign-in", json={"login": "nobody", "password": "zanshi-marker"})


@refused(Code.SIGN_IN_FAILED)
async def a_wrong_code(e: Errors) -> httpx.Response:
    body = {"grant": "code", "home_party_id": C, "phone": PHONE, "code": "000000"}
    return await e.rig.http.post("/v1/driver/tokens", json=body)


@refused(Code.SIGN_IN_FAILED)
async def a_refresh_token_that_was_never_issued(e: Errors) -> httpx.Response:
    return await e.rig.http.post(
        "/v1/driver/tokens", json={"grant": "refresh", "refresh_token": "refresh-marker"}
    )


@refused(Code.TOO_MANY_REQUESTS)
async def two_codes_within_a_minute(e: Errors) -> httpx.Response:
    asked = {"home_party_id": C, "phone": PHONE}
    assert (await e.rig.http.post("/v1/driver/codes", json=asked)).status_code == 200
    return await e.rig.http.post("/v1/driver/codes", json=asked)


# Signatures.


async def signed(e: Errors, body: bytes, headers: dict[str, str], sent: bytes | None = None) -> httpx.Response:
    given = {"authorization": f"Bearer {e.rig.token(B)}", "content-type": "application/json"} | headers
    return await e.rig.http.post(START.path, content=body if sent is None else sent, headers=given)


@refused(Code.SIGNATURE_MISSING)
async def no_signature(e: Errors) -> httpx.Response:
    return await signed(e, e.start(), {})


@refused(Code.SIGNATURE_INVALID)
async def another_body_than_was_signed(e: Errors) -> httpx.Response:
    body = e.start()
    return await signed(e, body, signature(e.rig, START, START.path, body, e.rig.b.key), body + b" ")


@refused(Code.SIGNATURE_INVALID)
async def another_body_with_its_own_digest(e: Errors) -> httpx.Response:
    body, other = e.start(), e.start(limit_fen=1)
    headers = signature(e.rig, START, START.path, body, e.rig.b.key)
    digest = base64.b64encode(hashlib.sha256(other).digest()).decode()
    return await signed(e, other, headers | {"content-digest": f"sha-256=:{digest}:"})


@refused(Code.SIGNATURE_INVALID)
async def signed_for_another_path(e: Errors) -> httpx.Response:
    body = e.start()
    return await signed(e, body, signature(e.rig, START, "/v1/authorizations", body, e.rig.b.key))


@refused(Code.SIGNATURE_INVALID)
async def signed_for_another_hub(e: Errors) -> httpx.Response:
    body = e.start()
    uri = "https://other.example/v1/sessions"
    return await signed(e, body, signature(e.rig, START, START.path, body, e.rig.b.key, target_uri=uri))


@refused(Code.SIGNATURE_INVALID)
async def signed_with_anothers_key(e: Errors) -> httpx.Response:
    body = e.start()
    return await signed(e, body, signature(e.rig, START, START.path, body, e.rig.a.key))


@refused(Code.SIGNATURE_INVALID)
async def signed_with_a_key_nobody_registered(e: Errors) -> httpx.Response:
    body = e.start()
    return await signed(e, body, signature(e.rig, START, START.path, body, new_key("k9")))


@refused(Code.SIGNATURE_INVALID)
async def a_signature_of_no_known_form(e: Errors) -> httpx.Response:
    body = e.start()
    headers = signature(e.rig, START, START.path, body, e.rig.b.key)
    return await signed(e, body, headers | {"signature": "sig=:zanshi-marker:"})


@refused(Code.SIGNATURE_STALE)
async def signed_six_minutes_ago(e: Errors) -> httpx.Response:
    body, long_ago = e.start(), unix_s(e.rig.hub.clock.wall() - timedelta(minutes=6))
    return await signed(e, body, signature(e.rig, START, START.path, body, e.rig.b.key, created=long_ago))


@refused(Code.REPLAYED)
async def the_same_request_again(e: Errors) -> httpx.Response:
    body = e.start(connector=f"Z9.{A}", start_ref="replayed-1")
    headers = signature(e.rig, START, START.path, body, e.rig.b.key)
    assert (await signed(e, body, headers)).json()["code"] == "connector_unknown"
    return await signed(e, body, headers)


@refused(Code.REPLAYED)
async def a_nonce_again_with_another_body(e: Errors) -> httpx.Response:
    nonce = "nonce-of-a-kind-0001"
    first, second = e.start(connector=f"Z9.{A}"), e.start(connector=f"Z9.{A}")
    await signed(e, first, signature(e.rig, START, START.path, first, e.rig.b.key, nonce=nonce))
    return await signed(e, second, signature(e.rig, START, START.path, second, e.rig.b.key, nonce=nonce))
