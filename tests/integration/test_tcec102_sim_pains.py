"""Every pain that the simulated partner can show: seen in its bytes, and lived through by the SDK's home.

Host and home are two platforms in this process; what goes between them is real, up to the socket.
"""

import asyncio
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from operator_sdk.clock import Clock
from operator_sdk.contract.tcec102.crypto import decrypt
from operator_sdk.contract.tcec102.messages import QueryEquipChargeStatus
from operator_sdk.contract.tcec102.profile import read_profile
from operator_sdk.errors import SignatureError
from operator_sdk.tcec102 import Tcec102Refused
from operator_sdk.tcec102.sim.charges import ENDED, Charge
from operator_sdk.tcec102.sim.home import HomeCharge
from operator_sdk.tcec102.sim.life import Pace
from operator_sdk.tcec102.sim.pains import PAINS, Pains
from operator_sdk.tcec102.sim.platform import Options, Platform
from tests.tcec_partner import Pair

HOST, HOME = "MA5HOST01", "MA5HOME01"
PAIR = Pair(sim_id=HOST, hub_id=HOME)
PACE = Pace(push_ms=20, retry_ms=50, start_ms=5)
TOLERANT = {
    "unsigned_errors": '[signature]\nanswers = "if_present"',
    "unsigned_answers": '[signature]\nanswers = "if_present"',
    "foreign_answer_sig": '[signature]\nanswers = "none"',
    "lower_case_sig": "[signature]\nlower_case_sig = true",
}
"""What the home's profile of such a host says; all others it takes with the standard's profile."""


async def without_an_app(*_: Any) -> None:
    raise AssertionError("not connected yet")


class Tap(httpx.ASGITransport):
    """Keeps what goes through: what the host sent, as bytes and decrypted."""

    def __init__(self, *, keys: Any, keep_answers: bool, seen: "Seen") -> None:
        super().__init__(without_an_app)
        self._keys, self._keep_answers, self._seen = keys, keep_answers, seen

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        name = request.url.path.rpartition("/")[2]
        if not self._keep_answers:
            self._seen.keep(name, request.content, self._keys, answered=False)
            return await super().handle_async_request(request)
        answer = await super().handle_async_request(request)
        self._seen.keep(name, await answer.aread(), self._keys, answered=True)
        return answer


class Seen:
    """What the host under test has sent."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.bodies: list[bytes] = []
        self.answers: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []
        self.plain: dict[str, str] = {}

    def keep(self, name: str, body: bytes, keys: Any, *, answered: bool) -> None:
        envelope = json.loads(body)
        if answered:
            self.answers.append(envelope)
        else:
            self.calls.append(name)
            self.bodies.append(body)
            self.requests.append(envelope)
        if envelope.get("Data"):
            plain = decrypt(keys, "".join(envelope["Data"].split())).decode()
            self.plain[name] = self.plain.get(name, "") + plain

    @property
    def text(self) -> str:
        return "".join(self.plain.values())

    def has(self, pattern: str) -> bool:
        return re.search(pattern, self.text) is not None

    def places(self, name: str) -> list[int]:
        return [at for at, one in enumerate(self.calls) if one == name]


STOP, ORDER = "notification_stop_charge_result", "notification_charge_order_info"
START = "notification_start_charge_result"
UNKNOWN = QueryEquipChargeStatus(start_charge_seq="MA5HOME01000000000000000000")


def orders_of(seen: Seen) -> list[bytes]:
    return [seen.bodies[at] for at in seen.places(ORDER)]


SIGNS: dict[str, Callable[[Seen], bool]] = {
    "service_spelling": lambda seen: seen.has('"ServicePrice"') and not seen.has("Sevice"),
    "lower_camel": lambda seen: seen.has('"policyInfos"') and seen.has('"sevicePrice"'),
    "spelling_drift": lambda seen: seen.has('"Sumperiod"') and seen.has('"StarTime"') and seen.has('"SOC"'),
    "numbers_as_strings": lambda seen: seen.has('"TotalPower":"') and seen.has('"Total":"2"'),
    "details_as_text": lambda seen: seen.has(r'"ChargeDetails":"\[') and seen.has(r'"PolicyInfos":"\['),
    "status_shapes": lambda seen: seen.has('"StationStatusInfo":') and seen.has('"ConnectorStatusInfo":{'),
    "soc_0_1": lambda seen: seen.has(r'"Soc":1[,}]'),
    "dc_in_phase_a": lambda seen: seen.has('"CurrentB":0') and seen.has('"VoltageA":400'),
    "foreign_operator_ids": lambda seen: seen.has("MA5OTHER1"),
    "odd_money": lambda seen: seen.has(r'"TotalElecMoney":\d+\.\d{4}'),
    "lying_order": lambda seen: seen.has('"StopReason"'),
    "wgs84": lambda seen: not seen.has('"StationLng":121.500000'),
    "area_name": lambda seen: seen.has('"AreaCode":"浦东新区"'),
    "policy_hhmm": lambda seen: seen.has('"StartTime":"07:00"'),
    "dirty_json": lambda seen: seen.has('"serialVersionUID":"9223372036854775807",}'),
    "ret_as_string": lambda seen: any(one["Ret"] == "0" for one in seen.answers),
    "unsigned_errors": lambda seen: [one for one in seen.answers if "Sig" not in one] == seen_errors(seen),
    "unsigned_answers": lambda seen: not any("Sig" in one for one in seen.answers),
    "foreign_answer_sig": lambda seen: len(seen.answers) > 3,
    "wrong_answer_sig": lambda seen: {one["Sig"] for one in seen.answers} == {"0" * 32},
    "data_null": lambda seen: all(one["Data"] is None for one in seen_errors(seen)),
    "data_absent": lambda seen: not any("Data" in one for one in seen_errors(seen)),
    "lower_case_sig": lambda seen: all(one["Sig"].islower() for one in seen.answers + seen.requests),
    "mime_base64": lambda seen: any("\r\n" in one["Data"] for one in seen.requests),
    "epoch_ms": lambda seen: all(len(one["TimeStamp"]) == 13 for one in seen.requests),
    "constant_seq": lambda seen: {one["Seq"] for one in seen.requests} == {"0001"},
    "token_kills_old": lambda seen: any(one["Ret"] == 4002 for one in seen.answers),
    "token_absolute_ms": lambda seen: seen.has(r'"TokenAvailableTime":\d{13}'),
    "token_4002_once": lambda seen: any(one["Ret"] == 4002 for one in seen.answers),
    "order_before_stop": lambda seen: [] < seen.places(ORDER)[:1] < seen.places(STOP)[:1],
    "order_twice": lambda seen: len(orders_of(seen)) == 2 and len(set(orders_of(seen))) == 1,
    "order_twice_new_envelope": lambda seen: len(set(orders_of(seen))) == 2,
    "start_never_reports": lambda seen: not seen.places(START),
    "start_fails_4": lambda seen: '"StartChargeSeqStat":4' in seen.plain[START],
    "start_fails_5": lambda seen: '"StartChargeSeqStat":5' in seen.plain[START],
    "start_hangs": lambda seen: '"StartChargeSeqStat":4' in seen.plain[START] and not seen.places(ORDER),
    "flapping": lambda seen: all(
        f'"Status":{one}' in seen.plain["notification_stationStatus"] for one in (0, 2, 3, 4)
    ),
    "stations_removed": lambda seen: seen.has('"ItemSize":1') and not seen.has("S00001"),
    "refusing_busy": lambda seen: any(one["Ret"] == -1 for one in seen.answers),
    "replayed": lambda seen: len(set(seen.bodies)) * 3 < len(seen.bodies),
}
ELSEWHERE = {"cross_midnight", "fifty_ids", "incremental_unreliable", "seq_prefix_checked", "silent", "slow"}
"""Shown by tests of their own, here and with processes."""


def seen_errors(seen: Seen) -> list[dict[str, Any]]:
    return [one for one in seen.answers if one["Ret"] not in {0, "0"}]


class Two:
    """A host with pains, and a home that has none."""

    def __init__(self, *pains: str) -> None:
        now = datetime.now(UTC)
        clock = Clock(
            epoch=now, business_epoch=datetime(2026, 3, 2, 4, 0, tzinfo=UTC), speed=600, environment="test"
        )
        self.seen = Seen()
        more = "".join(TOLERANT.get(name, "") for name in pains)
        hosts, homes = (
            read_profile(PAIR.sim_profile("http://home")),
            read_profile(PAIR.hub_profile("http://host", more=more)),
        )
        to_home = Tap(keys=hosts[1].theirs[0].keys, keep_answers=False, seen=self.seen)
        to_host = Tap(keys=hosts[1].ours[0].keys, keep_answers=True, seen=self.seen)
        self.host_http = httpx.AsyncClient(transport=to_home, trust_env=False)
        self.home_http = httpx.AsyncClient(transport=to_host, trust_env=False)
        self.host = Platform(_options(hosts, HOST, "host", pains), clock, self.host_http)
        self.home = Platform(_options(homes, HOME, "home", ()), clock, self.home_http)
        to_home.app, to_host.app = self.home.server, self.host.server

    async def __aenter__(self) -> "Two":
        self.host.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.host.aclose()
        await self.home.aclose()
        await self.host_http.aclose()
        await self.home_http.aclose()

    @property
    def drivers(self) -> Any:
        assert self.home.home is not None
        return self.home.home

    async def charge(self) -> HomeCharge:
        """Fetch the stations, scan, follow, stop, and have the order."""
        assert self.host.host is not None
        await self.drivers.sync()
        await self.home.client.query_token()  # as another process of the home's would
        scanned = await self.drivers.scan(f"hlht://{next(iter(self.host.host.world.plugs))}.{HOST}/")
        assert scanned.accepted, scanned
        with pytest.raises(Tcec102Refused, match="4004"):
            await self.home.client.query_equip_charge_status(UNKNOWN)
        charge: HomeCharge = self.drivers.charges[scanned.start_charge_seq]
        if "start_hangs" not in self.host.pains:
            await until(lambda: charge.statuses >= 2 or charge.stat == ENDED)
        if charge.stat != ENDED:
            await self.drivers.stop(charge.seq)
        if charge.statuses:
            await until(lambda: charge.order is not None)
        await until(lambda: charge.stat == ENDED)
        return charge


def _options(partner: Any, operator_id: str, role: str, pains: Any) -> Options:
    return Options(
        profile=partner[0],
        secrets=partner[1],
        operator_id=operator_id,
        role=role,
        pains=tuple(pains),
        pace=PACE,
        slow_ms=100,
    )


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def test_the_pains_are_the_twenty_of_the_list() -> None:
    assert {pain.number for pain in PAINS} == set(range(1, 21))
    assert {pain.name for pain in PAINS} == SIGNS.keys() | ELSEWHERE
    assert len({pain.name for pain in PAINS}) == len(PAINS)
    with pytest.raises(ValueError, match="no pain 'toothache'"):
        Pains(["toothache"])


async def lived_through(name: str) -> str:
    """What was wrong with a charge at a host with this pain; nothing, as a rule."""
    async with Two(*([name] if name else [])) as two:
        if name in {"wrong_answer_sig", "refusing_busy"}:
            wanted = SignatureError if name == "wrong_answer_sig" else Tcec102Refused
            with pytest.raises(wanted):
                await two.charge()
            await until(lambda: SIGNS[name](two.seen))
            return ""
        charge = await two.charge()
        if name:
            await until(lambda: SIGNS[name](two.seen))
        if not name and (
            shown := [one for one, sign in SIGNS.items() if one not in DEFAULT and sign(two.seen)]
        ):
            return f"seen without being on: {shown}"
        if name in {"start_fails_4", "start_fails_5", "start_hangs"}:
            return f"{name}: {charge}" if charge.order or charge.stat != ENDED else ""
        if name == "lying_order":
            return "" if charge.objection == "TotalMoney is not the sum of its parts" else f"{name}: {charge}"
        wrong = charge.confirm_result != 0 or charge.objection or not two.drivers.statuses
        return f"{name}: {charge}" if wrong else ""


DEFAULT = {"foreign_answer_sig", "lying_order"}
"""Their signs are in the answers' meaning; without the pain they say nothing."""


async def test_a_charge_goes_through_with_each_pain_switched_on() -> None:
    names = ["", *SIGNS]
    problems = await asyncio.gather(*(lived_through(name) for name in names), return_exceptions=True)
    wrong = {name: said for name, said in zip(names, problems, strict=True) if said}
    assert not wrong, "\n".join(f"{name}: {said!r}"[:3000] for name, said in wrong.items())


async def test_replayed_envelopes_are_all_refused() -> None:
    async with Two("replayed") as two:
        await two.charge()
        counts = two.host.journal.counts
        assert not counts["replayed:0"]
        assert counts["replayed:4003"] + counts["replayed:4004"] > 5


async def test_limits_of_stations_and_of_numbers() -> None:
    async with Two() as two:
        drivers, host, pains = two.drivers, two.host.host, two.host.pains
        assert host is not None
        ids = [f"S{number}" for number in range(51)]
        await drivers.sync()
        await drivers._fetch_statuses(ids)
        pains.switch("fifty_ids", on=True)
        with pytest.raises(Tcec102Refused, match="at most 50"):
            await drivers._fetch_statuses(ids)
        place = next(iter(host.world.places.values()))
        place.changed_at += timedelta(hours=1)
        assert await drivers.sync("2026-03-02 12:30:00") == 1
        pains.switch("incremental_unreliable", on=True)
        assert await drivers.sync("2026-03-02 12:30:00") == 0
        pains.switch("seq_prefix_checked", on=True)
        drivers._operator_id = "MA5OTHERS"
        scanned = await drivers.scan(next(iter(host.world.plugs)))
        assert (scanned.accepted, scanned.reason) == (False, "Tcec102Refused")


async def test_a_check_lists_by_end_and_the_odd_ones_by_start() -> None:
    midnight = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)  # in Shanghai
    async with Two() as two:
        host = two.host.host
        assert host is not None
        host.life.charges["over midnight"] = Charge(
            seq="over",
            connector_id="C",
            power_w=60_000,
            room_wh=50_000,
            resolution_wh=10,
            is_dc=True,
            asked_at=midnight - timedelta(minutes=11),
            started_at=midnight - timedelta(minutes=10),
            ended_at=midnight + timedelta(minutes=10),
            stat=ENDED,
        )
        days = (midnight - timedelta(days=1), midnight)
        assert [host.check(day, "c").order_count for day in days] == [0, 1]
        two.host.pains.switch("cross_midnight", on=True)
        assert [host.check(day, "c").order_count for day in days] == [1, 0]


async def test_a_slow_host_answers_in_the_end() -> None:
    async with Two("slow") as two:
        begun = asyncio.get_running_loop().time()
        assert await two.drivers.sync() == 2
        assert asyncio.get_running_loop().time() - begun >= 0.3
