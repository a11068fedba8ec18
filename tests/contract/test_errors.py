"""Every way to be refused has its code, leaves the ledger as it was and gives nothing away."""

import asyncio
import base64
import hashlib
from typing import Any

import msgspec
import pytest

from operator_sdk.contract.operations import HUB
from operator_sdk.contract.public_codes import PUBLIC_CODES
from tests.contract import refusals_callers, refusals_input, refusals_upkeep  # noqa: F401 - all fill ATTEMPTS
from tests.contract.refusals import ATTEMPTS, AUTHORIZE, CARD, SECRETS, START, Errors
from tests.rig import A, B, open_rig
from tests.rig_charges import begin_by_home, charge_of
from tests.rig_raw import send

pytestmark = pytest.mark.contract


@pytest.fixture(scope="module")
def loop_of_the_module() -> Any:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def errors(loop_of_the_module: asyncio.Runner) -> Any:
    opened: list[Any] = []

    async def begin() -> Errors:
        manager = open_rig("sqlite")
        opened.append(manager)
        rig = await manager.__aenter__()
        await rig.staff_token("boss")
        charge = await charge_of(rig, (await begin_by_home(rig)).session_id)
        await charge.whole()
        return Errors(rig, charge.session_id, msgspec.json.encode(charge.record("other-ref")))

    errors = loop_of_the_module.run(begin())
    yield errors
    loop_of_the_module.run(opened[0].__aexit__(None, None, None))


@pytest.mark.parametrize("name", sorted(ATTEMPTS))
def test_it_has_its_code_and_the_ledger_is_as_it_was(
    errors: Errors, loop_of_the_module: asyncio.Runner, name: str
) -> None:
    code, attempt = ATTEMPTS[name]

    async def run() -> None:
        before = await errors.rig.fingerprint()
        answer = await attempt(errors)
        errors.replies.append(answer)
        body = answer.json()
        assert body["code"] == code, body
        assert answer.status_code == PUBLIC_CODES[code].status
        assert set(body) == {"code", "message", "request_id", "details"}
        assert answer.headers["x-request-id"] == body["request_id"]
        if answer.status_code == 429:
            assert int(answer.headers["retry-after"]) >= 1
        assert await errors.rig.fingerprint() == before

    loop_of_the_module.run(run())


def test_a_new_nonce_with_a_known_id_gets_the_stored_answer(
    errors: Errors, loop_of_the_module: asyncio.Runner
) -> None:
    async def run() -> None:
        body = errors.start(start_ref="known-1", limit_fen=100)
        answers = [await send(errors.rig, START, START.path, body, party=B) for _ in range(2)]
        assert [one.status_code for one in answers] == [200, 200]
        assert answers[0].json()["session_id"] == answers[1].json()["session_id"]

    loop_of_the_module.run(run())


def test_refusals_of_signed_calls_are_signed_too(errors: Errors, loop_of_the_module: asyncio.Runner) -> None:
    answer = loop_of_the_module.run(refusals_input.half_json(errors))
    assert {"signature", "signature-input", "content-digest"} <= set(answer.headers)


async def test_too_many_in_a_second_are_told_when_to_come_again() -> None:
    async with open_rig("sqlite", rate_per_s=5) as rig:
        before = await rig.fingerprint()
        calls = [send(rig, HUB["list_sessions"], "/v1/sessions", b"", party=B) for _ in range(20)]
        answers = await asyncio.gather(*calls)
        limited = [one for one in answers if one.status_code == 429]
        assert 5 <= len(limited) <= 10
        assert {one.json()["code"] for one in limited} == {"too_many_requests"}
        assert all(int(one.headers["retry-after"]) >= 1 for one in limited)
        other = await send(rig, HUB["list_sessions"], "/v1/sessions", b"", party=A)
        assert other.status_code == 200, "a limit is one party's own"
        assert await rig.fingerprint() == before


async def test_too_many_at_once_are_told_when_to_come_again() -> None:
    async with open_rig("sqlite", concurrent_most=2) as rig:
        rig.b.moods["authorize"] = "silent"
        body = {"token": {"kind": "card", "ref": CARD}, "connector_id": "A1"}
        calls = [
            send(
                rig,
                AUTHORIZE,
                AUTHORIZE.path,
                msgspec.json.encode(body | {"authorization_ref": f"c-{number}"}),
                party=A,
            )
            for number in range(4)
        ]
        answers = await asyncio.gather(*calls)
        assert sorted(one.status_code for one in answers) == [200, 200, 429, 429]
        limited = [one for one in answers if one.status_code == 429]
        assert all(int(one.headers["retry-after"]) >= 1 for one in limited)
        assert await rig.exposure() == (0, 0)


def test_nothing_secret_or_personal_was_answered_or_logged(errors: Errors) -> None:
    """Runs last: over every reply and every log line of this file."""
    rig = errors.rig
    assert len(errors.replies) == len(ATTEMPTS)

    master = base64.b64encode(rig.hub.secrets.master).decode()
    hidden = [shape for secret in (*SECRETS, master) for shape in shapes(secret)]
    said = [answer.text + str(dict(answer.headers)) for answer in errors.replies]
    for text in [*said, *rig.logs.lines]:
        assert not [shape for shape in hidden if shape in text], text
        assert "Traceback" not in text
        assert "hub/" not in text


def shapes(secret: str) -> list[str]:
    """A secret as it is, and as it would be found encoded."""
    raw = secret.encode()
    return [
        secret,
        base64.b64encode(raw).decode().rstrip("="),
        raw.hex(),
        hashlib.sha1(raw).hexdigest(),
        hashlib.sha256(raw).hexdigest(),
    ]
