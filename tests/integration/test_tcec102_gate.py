"""What partners that speak T/CEC 102 find at the door: the order of refusals, tokens, limits, logs."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import httpx
import msgspec
import pytest

from operator_sdk.contract.tcec102.wire import Ret, WireProblem, seal_request
from tests.tcec102_gate import HOME, HOST, Partner, World, keys_named, open_process, open_world, profile_text

pytestmark = pytest.mark.integration

STATUS = {"ConnectorStatusInfo": {"ConnectorID": "nowhere", "Status": 1}}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world() as opened:
        yield opened


@pytest.fixture
async def host(world: World) -> Partner:
    return await world.partner(profile_text())


async def test_a_token_opens_the_door_and_none_does_not(host: Partner) -> None:
    assert (await host.say("notification_stationStatus", STATUS)) == (0, {"Status": 1})
    for token in ("", "guessed"):
        assert (await host.say("notification_stationStatus", STATUS, token=token))[0] == Ret.TOKEN


async def test_a_wrong_secret_or_another_operators_name_gets_no_token(host: Partner) -> None:
    for said, reason in (
        ({"OperatorID": HOST, "OperatorSecret": "guessed"}, 2),
        ({"OperatorID": HOME, "OperatorSecret": host.keys.operator_secret}, 1),
    ):
        ret, answer = await host.say("query_token", said)
        assert (ret, answer["SuccStat"], answer["FailReason"], answer["AccessToken"]) == (0, 1, reason, "")


async def test_the_same_token_is_given_again_where_the_profile_says_so(host: Partner) -> None:
    assert await host.sign_in() == await host.sign_in()


async def test_another_token_leaves_the_first_one_good(world: World) -> None:
    home = await world.partner(profile_text(HOME, '["home"]', rest="[token]\nreuse = false"))
    first, second = home.token, await home.sign_in()
    assert first != second
    for token in (first, second):
        assert (await home.say("query_stations_info", {}, token=token))[0] != Ret.TOKEN


async def test_a_token_of_another_partner_opens_nothing(world: World, host: Partner) -> None:
    home = await world.partner(profile_text(HOME, '["home"]'))
    assert (await host.say("notification_stationStatus", STATUS, token=home.token))[0] == Ret.TOKEN


async def test_unknown_and_barred_partners_are_told_the_same(world: World, host: Partner) -> None:
    barred = await world.partner(
        profile_text(HOME, '["home"]', rest='[network]\naddresses = ["192.0.2.0/24"]'), signed_in=False
    )
    nobody = seal_request(host.keys, "MA5NOBODY", b"{}", stamp=host.stamp(), seq="0001")
    said = [
        (await host.post("query_token", body)).content
        for body in (nobody, barred.sealed({}), b"{", b"\xff" * 40)
    ]
    assert said[0] == said[1]
    assert all(msgspec.json.decode(one)["Ret"] == Ret.ENVELOPE for one in said)


@pytest.mark.parametrize(
    ("address", "ret"),
    [
        ("192.0.2.1", 0),
        ("203.0.113.7", 0),
        ("::ffff:203.0.113.7", 0),  # as a socket for both kinds of addresses has it
        ("2001:db8::7", 0),
        ("192.0.2.2", Ret.ENVELOPE),
        ("203.0.114.7", Ret.ENVELOPE),
        ("2001:db8::8", Ret.ENVELOPE),
        ("somewhere", Ret.ENVELOPE),
    ],
)
async def test_a_partner_may_call_from_the_addresses_of_its_list_and_from_no_other(
    world: World, address: str, ret: int
) -> None:
    listed = '[network]\naddresses = ["192.0.2.1", "203.0.113.0/24", "2001:db8::7"]'
    partner = await world.partner(profile_text(rest=listed), signed_in=False)
    asked = {"OperatorID": HOST, "OperatorSecret": partner.keys.operator_secret}
    transport = httpx.ASGITransport(app=world.app, client=(address, 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as world.http:
        answer = await partner.post("query_token", partner.sealed(asked))
    assert msgspec.json.decode(answer.content)["Ret"] == ret


async def test_a_certificate_is_believed_only_from_the_header_that_a_setting_names() -> None:
    pinned = profile_text(rest=f'[network]\nclient_certificate_sha256 = ["{"ab" * 32}"]')
    shown = ":".join(["AB"] * 32)
    async with open_world(certificate_header="x-certificate") as world:
        host = await world.partner(pinned, signed_in=False)
        asked = {"OperatorID": HOST, "OperatorSecret": host.keys.operator_secret}
        good = await host.post("query_token", host.sealed(asked), **{"x-certificate": shown})
        assert host.opened(good).ret == 0
        for headers in ({}, {"x-certificate": "00" * 32}, {"x-other": shown}):
            bad = await host.post("query_token", host.sealed(asked), **headers)
            assert msgspec.json.decode(bad.content)["Ret"] == Ret.ENVELOPE


async def test_a_wrong_signature_is_told_so_and_signed_by_us(host: Partner) -> None:
    body = host.sealed(STATUS, keys=keys_named("ours", "other"))
    answer = await host.post("notification_stationStatus", body)
    with pytest.raises(WireProblem):
        host.opened(answer, keys_named("ours", "other"))
    assert host.opened(answer).ret == Ret.SIGNATURE


async def test_a_time_stamp_outside_the_window_is_refused_and_off_means_off(
    world: World, host: Partner
) -> None:
    late = world.hub.clock.wall() - timedelta(seconds=400)
    refused = host.opened(await host.post("notification_stationStatus", host.sealed(STATUS, at=late)))
    assert refused.ret == Ret.ENVELOPE
    assert "TimeStamp" in refused.msg
    lax = await world.partner(profile_text(HOME, '["home"]', rest="[time]\nwindow_s = 0"))
    taken = lax.opened(await lax.post("query_station_status", lax.sealed({"StationIDs": []}, at=late)))
    assert taken.ret != Ret.ENVELOPE


async def test_roles_decide_what_may_be_called(host: Partner) -> None:
    ret, _ = await host.say("query_stations_info", {})
    assert ret == Ret.ENVELOPE


async def test_a_partner_is_served_under_the_prefix_of_its_profile_only(world: World, host: Partner) -> None:
    other = await world.partner(
        profile_text(HOME, '["host"]', rest='serve_prefix = "/shevcs/v1.0"'), signed_in=False
    )
    asked = {"OperatorID": HOME, "OperatorSecret": other.keys.operator_secret}
    assert (await other.say("query_token", asked, prefix="/shevcs/v1.0"))[0] == 0
    assert (await other.say("query_token", asked))[0] == Ret.ENVELOPE
    assert (await other.say("query_token", asked, prefix=""))[0] == Ret.ENVELOPE


async def test_what_is_nobodys_path_is_an_ordinary_404(world: World, host: Partner) -> None:
    body = host.sealed(STATUS)
    assert (await host.post("query_token", body, prefix="/nobody")).status_code == 404
    assert (await host.post("v1/nothing", body, prefix="")).status_code == 404
    assert (await world.http.get("/evcs/v1/query_token")).status_code == 405
    assert (await world.http.get("/healthz")).status_code == 200
    unknown = host.opened(await host.post("query_nothing", body))
    assert unknown.ret == Ret.BUSINESS


async def test_a_body_of_one_interface_is_refused_at_another_that_could_read_it(world: World) -> None:
    home = await world.partner(profile_text(HOME, '["home"]'))
    stop = {"StartChargeSeq": HOME + "1" * 18, "ConnectorID": "A1"}
    refused = home.opened(await home.post("query_equip_charge_status", home.sealed(stop)))
    assert refused.ret == Ret.BUSINESS
    assert "another interface" in refused.msg


async def test_a_body_above_the_partners_own_size_is_refused(world: World) -> None:
    host = await world.partner(profile_text(rest="[limits]\nbody_bytes = 10_000"))
    ret, _ = await host.say("notification_stationStatus", STATUS | {"Padding": "x" * 10_000})
    assert ret == Ret.ENVELOPE


async def test_a_size_that_a_partner_may_send_is_taken_as_the_first_call_of_a_new_process(world: World) -> None:
    host = await world.partner(profile_text(rest="[limits]\nbody_bytes = 4_000_000"))
    async with open_process(world.hub.settings) as another:
        there = replace(host, world=another)
        large = STATUS | {"Padding": "x" * 2_500_000}
        assert await there.say("notification_stationStatus", large) == (0, {"Status": 1})


async def test_above_its_rate_a_partner_is_told_to_come_later_and_others_are_not(
    world: World, host: Partner
) -> None:
    busy = await world.partner(profile_text(HOME, '["host"]', rest="[limits]\nrate_per_s = 1"))
    rets = [(await busy.say("notification_stationStatus", STATUS))[0] for _ in range(4)]
    assert rets[-1] == Ret.BUSY
    assert (await host.say("notification_stationStatus", STATUS))[0] == 0


async def test_forged_messages_in_a_partners_name_do_not_use_its_rate_up(world: World) -> None:
    host = await world.partner(profile_text(rest="[limits]\nrate_per_s = 2"))
    for _ in range(10):
        await host.post("notification_stationStatus", host.sealed(STATUS, keys=keys_named("ours", "forged")))
    assert (await host.say("notification_stationStatus", STATUS))[0] == 0


async def test_error_answers_are_bare_of_data_where_the_profile_says_so(world: World) -> None:
    host = await world.partner(profile_text(rest="[signature]\nerrors_sealed = false"))
    answer = await host.post("notification_stationStatus", host.sealed(STATUS), token="")
    assert msgspec.json.decode(answer.content)["Data"] == ""


async def test_no_secret_token_or_plaintext_reaches_the_log(
    host: Partner, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        await host.say("notification_stationStatus", STATUS | {"PlateNo": "粤B12345"})
        await host.say("notification_stationStatus", STATUS, token="guessed-token")
        await host.post("notification_stationStatus", host.sealed(STATUS, keys=keys_named("ours", "forged")))
        await host.say("query_token", {"OperatorID": HOST, "OperatorSecret": "guessed-secret"})
    text = caplog.text + "".join(str(vars(record)) for record in caplog.records)
    for hidden in ("粤B12345", "guessed-token", "guessed-secret", host.token, host.keys.sig_secret):
        assert hidden not in text


async def test_what_is_tolerated_is_counted_by_partner_and_word(world: World, host: Partner) -> None:
    for _ in range(3):
        assert (
            await host.say(
                "notification_stationStatus", {"connectorStatusInfo": {"connectorID": 1, "Status": "1"}}
            )
        )[0] == 0
    await world.hub.tcec102.tolerance.flush()
    counted = {one.word: one.count for one in await world.hub.tcec102.tolerance.of(HOST)}
    assert counted
    assert set(counted.values()) == {3}


async def test_many_at_once_are_all_answered(host: Partner) -> None:
    said = await asyncio.gather(*(host.say("notification_stationStatus", STATUS) for _ in range(15)))
    assert {ret for ret, _ in said} == {0}
