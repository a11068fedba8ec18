"""Refused for what was sent, and for what was asked for."""

import json
from typing import Any

import httpx
import msgspec

from hub.core.paging import encode_cursor
from operator_sdk.contract.operations import HUB
from operator_sdk.contract.public_codes import Code
from tests.contract.refusals import CARD, RECORD, START, UPDATE, Errors, refused
from tests.rig import PHONE, A, B, C, D
from tests.rig_raw import send

# Bad input.


@refused(Code.MALFORMED)
async def half_json(e: Errors) -> httpx.Response:
    return await send(e.rig, START, START.path, e.start()[:-7], party=B)


@refused(Code.MALFORMED)
async def not_utf8(e: Errors) -> httpx.Response:
    return await send(e.rig, START, START.path, b'{"start_ref":"\xff\xfe"}', party=B)


@refused(Code.MALFORMED)
async def nul_in_a_text(e: Errors) -> httpx.Response:
    return await send(e.rig, START, START.path, e.start(token={"kind": "card", "ref": CARD + "\0"}), party=B)


@refused(Code.MALFORMED)
async def half_a_surrogate(e: Errors) -> httpx.Response:
    body = e.start().replace(b'"card"', b'"card","x":"\\ud800"')
    return await send(e.rig, START, START.path, body.replace(CARD.encode(), b"\\ud800"), party=B)


@refused(Code.MALFORMED)
async def a_text_for_a_number(e: Errors) -> httpx.Response:
    return await send(e.rig, START, START.path, e.start(limit_fen=PHONE), party=B)


@refused(Code.MALFORMED)
async def a_number_below_zero(e: Errors) -> httpx.Response:
    return await send(e.rig, START, START.path, e.start(limit_fen=-1), party=B)


@refused(Code.MALFORMED)
async def half_a_fen(e: Errors) -> httpx.Response:
    return await send(e.rig, START, START.path, e.start(limit_fen=0.5), party=B)


@refused(Code.MALFORMED)
async def a_number_beyond_all_bounds(e: Errors) -> httpx.Response:
    return await send(e.rig, START, START.path, e.start(limit_fen=10**30), party=B)


@refused(Code.MALFORMED)
async def a_phone_where_a_kind_belongs(e: Errors) -> httpx.Response:
    return await send(e.rig, START, START.path, e.start(token={"kind": PHONE, "ref": CARD}), party=B)


@refused(Code.MALFORMED)
async def a_list_for_an_object(e: Errors) -> httpx.Response:
    return await send(e.rig, START, START.path, b"[" * 5000, party=B)


@refused(Code.MALFORMED)
async def a_field_left_out(e: Errors) -> httpx.Response:
    return await send(e.rig, START, START.path, b"{}", party=B)


@refused(Code.MALFORMED)
async def a_limit_that_is_no_number(e: Errors) -> httpx.Response:
    return await send(e.rig, HUB["list_sessions"], "/v1/sessions?limit=²", b"", party=B)


@refused(Code.MALFORMED)
async def half_a_place(e: Errors) -> httpx.Response:
    return await send(
        e.rig, HUB["search_stations"], f"/v1/station-search?latitude_e6={PHONE[:8]}", b"", party=B
    )


@refused(Code.MALFORMED)
async def a_place_off_the_earth(e: Errors) -> httpx.Response:
    path = f"/v1/station-search?latitude_e6={PHONE}&longitude_e6=1"
    return await send(e.rig, HUB["search_stations"], path, b"", party=B)


@refused(Code.MALFORMED)
async def another_lists_cursor(e: Errors) -> httpx.Response:
    path = f"/v1/station-search?after={encode_cursor(e.rig.hub.clock.business(), 'x')}"
    return await send(e.rig, HUB["search_stations"], path, b"", party=B)


@refused(Code.NOT_FOUND)
async def no_such_stations_detail(e: Errors) -> httpx.Response:
    return await send(e.rig, HUB["get_station_detail"], f"/v1/station-details/{A}/S9", b"", party=B)


@refused(Code.NOT_FOUND)
async def somebody_elses_label(e: Errors) -> httpx.Response:
    return await send(e.rig, HUB["get_connector_code"], f"/v1/connectors/A1.{A}/code", b"", party=D)


@refused(Code.TOO_MANY_REQUESTS)
async def an_eleventh_wrong_code(e: Errors) -> httpx.Response:
    body = msgspec.json.encode({"code": f"NONE.{A}"})
    answers = [await send(e.rig, HUB["scan"], "/v1/scans", body, party=C, subject="guesser") for _ in range(11)]
    assert [one.json()["code"] for one in answers[:10]] == ["code_unknown"] * 10
    return answers[10]


@refused(Code.MALFORMED)
async def a_cursor_that_is_none(e: Errors) -> httpx.Response:
    return await send(e.rig, HUB["list_sessions"], "/v1/sessions?after=zzzzzzzzzzzz", b"", party=B)


@refused(Code.MALFORMED)
async def an_instant_without_a_zone(e: Errors) -> httpx.Response:
    path = "/v1/sessions?updated_since=2026-01-01T00:00:00"
    return await send(e.rig, HUB["list_sessions"], path, b"", party=B)


@refused(Code.MALFORMED)
async def an_instant_before_the_calendar(e: Errors) -> httpx.Response:
    path = "/v1/sessions?updated_since=0001-01-01T00:00:00%2B14:00"
    return await send(e.rig, HUB["list_sessions"], path, b"", party=B)


@refused(Code.MALFORMED)
async def nul_in_a_query(e: Errors) -> httpx.Response:
    return await send(e.rig, HUB["list_my_dead_letters"], "/v1/dead-letters?after=%00", b"", party=B)


@refused(Code.TOO_LARGE)
async def too_large(e: Errors) -> httpx.Response:
    return await send(e.rig, UPDATE, f"/v1/sessions/{e.session_id}/updates", b" " * 9_000, party=A)


@refused(Code.TOO_LARGE)
async def too_large_and_says_nothing_of_it(e: Errors) -> httpx.Response:
    async def chunks() -> Any:
        for _ in range(9):
            yield b" " * 1_000

    headers = {"authorization": f"Bearer {e.rig.token(A)}", "content-type": "application/json"}
    return await e.rig.http.post(f"/v1/sessions/{e.session_id}/updates", content=chunks(), headers=headers)


@refused(Code.RULE_VIOLATED)
async def a_bill_at_the_end_of_the_calendar(e: Errors) -> httpx.Response:
    body = json.loads(e.record)
    body["lines"][0]["start"] = body["started_at"] = "0001-01-01T00:00:00+14:00"
    return await send(e.rig, RECORD, RECORD.path, json.dumps(body).encode(), party=A)


@refused(Code.RULE_VIOLATED)
async def an_update_at_the_end_of_the_calendar(e: Errors) -> httpx.Response:
    body = {
        "number": 99,
        "at": "9999-12-31T23:59:59-12:00",
        "state": "charging",
        "meter_wh": 0,
        "energy_wh": 0,
        "amount_fen": 0,
        "power_w": 0,
    }
    return await send(e.rig, UPDATE, f"/v1/sessions/{e.session_id}/updates", json.dumps(body).encode(), party=A)


@refused(Code.RULE_VIOLATED)
async def a_state_that_no_host_reports(e: Errors) -> httpx.Response:
    body = {
        "number": 99,
        "at": "2026-01-01T00:00:00Z",
        "state": "settled",
        "meter_wh": 0,
        "energy_wh": 0,
        "amount_fen": 0,
        "power_w": 0,
    }
    return await send(e.rig, UPDATE, f"/v1/sessions/{e.session_id}/updates", json.dumps(body).encode(), party=A)


@refused(Code.NO_AGREEMENT)
async def a_tariff_for_a_home_that_agreed_to_nothing(e: Errors) -> httpx.Response:
    now = e.rig.hub.clock.business()
    body = msgspec.json.encode({"tariff_id": "t", "valid_from": now, "home_party_id": D})
    return await send(e.rig, HUB["assign_tariff"], HUB["assign_tariff"].path, body, party=A)


# What is called.


@refused(Code.ID_REUSED)
async def the_same_id_with_another_body(e: Errors) -> httpx.Response:
    first, second = (
        e.start(start_ref="reused-1", connector=f"Z9.{A}", limit_fen=limit) for limit in (100, 200)
    )
    await send(e.rig, START, START.path, first, party=B)
    return await send(e.rig, START, START.path, second, party=B)


@refused(Code.RULE_VIOLATED)
async def a_target_without_a_value(e: Errors) -> httpx.Response:
    return await send(e.rig, START, START.path, e.start(target={"kind": "energy"}), party=B)


@refused(Code.NOT_FOUND)
async def a_path_nobody_serves(e: Errors) -> httpx.Response:
    return await e.rig.http.get("/v1/zanshi-marker", headers={"authorization": f"Bearer {e.rig.token(B)}"})


@refused(Code.METHOD_NOT_ALLOWED)
async def a_method_nobody_serves(e: Errors) -> httpx.Response:
    return await e.rig.http.delete(START.path, headers={"authorization": f"Bearer {e.rig.token(B)}"})


@refused(Code.NOT_FOUND)
async def a_session_that_is_not_there(e: Errors) -> httpx.Response:
    return await send(e.rig, HUB["get_session"], "/v1/sessions/ses_nothing", b"", party=B)


@refused(Code.NOT_FOUND)
async def somebody_elses_session(e: Errors) -> httpx.Response:
    return await send(e.rig, HUB["get_session"], f"/v1/sessions/{e.session_id}", b"", party=D)


@refused(Code.NOT_FOUND)
async def a_path_that_climbs(e: Errors) -> httpx.Response:
    return await send(e.rig, HUB["get_session"], "/v1/sessions/..%00%2f..", b"", party=B)


@refused(Code.NOT_FOUND)
async def a_credit_of_nobodys_record(e: Errors) -> httpx.Response:
    credit = HUB["push_credit"]
    body = {"record_ref": "c", "record_id": f"rec_{'0' * 36}", "amount_fen": 1, "reason": CARD}
    return await send(e.rig, credit, credit.path, msgspec.json.encode(body), party=A)


@refused(Code.STATE_CONFLICT)
async def a_decision_about_what_is_decided(e: Errors) -> httpx.Response:
    row = await e.rig.record(e.session_id)
    path = f"/v1/staff/charge-records/{row.record_id}/decision"
    token = await e.rig.staff_token("decider", "accountant")
    body = b'{"decision":"reject","reason":"x"}'
    return await send(e.rig, HUB["decide_record"], path, body, token=token)


@refused(Code.FORBIDDEN)
async def a_home_that_plays_the_host(e: Errors) -> httpx.Response:
    return await send(e.rig, RECORD, RECORD.path, e.record, party=B)


@refused(Code.FORBIDDEN)
async def a_driver_that_plays_the_operator(e: Errors) -> httpx.Response:
    return await send(e.rig, START, START.path, e.start(), party=B, subject="u-1")


@refused(Code.FORBIDDEN)
async def an_operator_that_plays_the_staff(e: Errors) -> httpx.Response:
    return await send(e.rig, HUB["list_parties"], HUB["list_parties"].path, b"", party=B)


@refused(Code.RULE_VIOLATED)
async def a_second_settlement(e: Errors) -> httpx.Response:
    settlement = e.rig.b.settlement(e.rig.b.records[0])
    body = msgspec.json.encode(msgspec.structs.replace(settlement, settlement_ref="second"))
    return await send(e.rig, HUB["push_settlement"], HUB["push_settlement"].path, body, party=B)
