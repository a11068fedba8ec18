"""A host that can be told neither limit nor target, nor numbers its charges: what the hub does in its place."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest
from sqlmodel import col, update

from hub.core.errors import NotFoundError
from hub.core.outbox import ATTEMPTS_MOST
from hub.core.tables import OutboxLetter
from hub.directory.tables_tariffs import TariffVersionRow
from hub.parties.link import Capability, LinkCannot, LinkError, LinkRefused
from hub.parties.scope import HUB, of_party
from hub.protocols.hosted import link as hosted
from hub.protocols.native.link import NativeLink
from hub.roaming.tables import LegRow, session_of_leg
from hub.roaming.tables_disputes import DisputeRow
from operator_sdk import ApiError
from operator_sdk.contract.codes import ConnectorState, Role, SessionState, TargetKind
from operator_sdk.contract.messages.common import Target
from operator_sdk.contract.messages.directory import Tariff, TariffPeriod
from operator_sdk.contract.messages.roaming import (
    CheckConnectorReply,
    HostStartReply,
    ScanRequest,
    StartChargingRequest,
)
from tests.rig import HOLD_FEN, A, B, Rig, flat
from tests.rig_charges import (
    MARGIN_FEN,
    begin_by_driver,
    begin_by_home,
    begin_by_host,
    charge_of,
    open_rig_without_limits,
)

pytestmark = pytest.mark.integration

ONCE = pytest.mark.parametrize("kind", ["sqlite"])
"""Where both engines do the same."""


@pytest.fixture
async def rig(kind: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    async with open_rig_without_limits(kind, monkeypatch) as rig:
        yield rig


async def code_of(call: object) -> str:
    with pytest.raises(ApiError) as refused:
        await call  # type: ignore[misc]
    return refused.value.code


# Marks.


async def test_a_charge_is_stopped_before_its_limit_once(rig: Rig) -> None:
    session = await begin_by_home(rig, limit_fen=700)
    row = await rig.session(session.session_id)
    assert (row.stop_at_fen, row.stop_at_wh) == (700 - MARGIN_FEN, None)
    charge = await charge_of(rig, session.session_id)
    await charge.runs(0, 5, 15)
    assert (await rig.session(session.session_id)).amount_fen == 375
    assert await rig.letters("stop_at_host") == []
    await charge.runs(16, 17)
    await rig.work()
    assert [one.reason for one in rig.a.stops] == ["limit_reached"]
    assert (await rig.session(session.session_id)).state == "stopping"
    await charge.ends(17)
    assert (await charge.bill()).findings == []
    assert (await rig.record(session.session_id)).owed_fen <= 700


async def test_a_charge_is_stopped_at_its_target(rig: Rig) -> None:
    for target in (Target(kind=TargetKind.ENERGY, value=2_000), Target(kind=TargetKind.AMOUNT, value=300)):
        charge = await charge_of(rig, (await begin_by_home(rig, target=target)).session_id)
        await charge.runs(0, 11)
        await rig.work()
        before = len(rig.a.stops)
        await charge.runs(12)
        await rig.work()
        assert [one.reason for one in rig.a.stops[before:]] == [f"target_{target.kind}"]


@ONCE
async def test_a_charge_is_stopped_when_its_time_is_up_and_not_before_however_late_it_begins(rig: Rig) -> None:
    session = await begin_by_home(rig, target=Target(kind=TargetKind.TIME, value=40 * 60))
    async with rig.hub.database.unit() as unit:
        letters = col(OutboxLetter.kind) == "target_time"
        await unit.execute(update(OutboxLetter).where(letters).values(attempts=ATTEMPTS_MOST - 1))
    await rig.work_now("target_time")
    assert rig.a.stops == []
    charge = await charge_of(rig, session.session_id)
    charge.started_at = rig.hub.clock.business() - timedelta(minutes=39)
    await charge.runs(0)
    await rig.work_now("target_time")
    (letter,) = await rig.letters("target_time")
    assert timedelta(0) < letter.due_at - rig.hub.clock.wall() <= timedelta(minutes=1)
    async with rig.hub.database.unit() as unit:
        row = await session_of_leg(of_party(B), unit, "home", session.ref or "", lock=True)
        assert row is not None
        row.started_at = charge.started_at - timedelta(minutes=2)
    await rig.work_now("target_time")
    assert [one.reason for one in rig.a.stops] == ["target_time"]


@ONCE
async def test_a_limit_that_the_hub_could_not_keep_starts_nothing_and_holds_nothing(rig: Rig) -> None:
    session = await begin_by_home(rig, limit_fen=MARGIN_FEN)
    assert (session.state, session.refusal) == ("start_failed", "insufficient_funds")
    assert rig.a.starts == []
    assert await rig.exposure() == (0, 0)
    await rig.work()
    assert [one.home_ref for one in rig.b.releases] == [session.ref]


@ONCE
async def test_a_host_that_carries_limits_stops_by_itself(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NativeLink, "carries_limits", True)
    session = await begin_by_home(rig, limit_fen=MARGIN_FEN)
    row = await rig.session(session.session_id)
    assert (row.state, row.stop_at_fen, row.stop_at_wh) == ("starting", None, None)


# Numbers.


async def test_a_number_that_the_hub_makes_up_is_there_before_the_host_is_called(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NativeLink, "mint_host_ref", lambda _: "HUB-0001")
    monkeypatch.setattr(NativeLink, "link_protocol", "hosted")
    known: list[str] = []

    def answer(ask: object) -> HostStartReply:
        known.append(getattr(ask, "host_ref", ""))
        return HostStartReply(accepted=True, host_ref="other")

    rig.a.start_answer = answer
    session = await begin_by_home(rig)
    assert known == ["HUB-0001"]
    assert (await rig.session(session.session_id)).host_ref == "HUB-0001"
    (leg,) = await rig.rows(LegRow, session_id=session.session_id, side="host")
    assert (leg.party_id, leg.protocol, leg.external_ref, leg.direction) == (A, "hosted", "HUB-0001", "out")
    reading = rig.hub.roaming.reading
    for viewer, side, ref in ((A, "host", "HUB-0001"), (B, "home", session.ref)):
        found = await reading.find_by_ref(of_party(viewer), side, ref or "")
        assert found is not None
        assert found.session_id == session.session_id
    assert await reading.find_by_ref(of_party(B), "home", "HUB-0001") is None
    assert await reading.find_by_ref(of_party(B), "host", "HUB-0001") is None
    for number in ("HUB-0001", session.ref, session.session_id):
        (known_as,) = await reading.known_as(HUB, number or "")
        assert known_as.session.session_id == session.session_id
        assert {leg.number for leg in known_as.legs} == {"HUB-0001", session.ref}
    assert await reading.known_as(HUB, "nobody's") == []


async def test_updates_of_a_host_that_numbers_none_get_the_next_number(rig: Rig) -> None:
    session = await begin_by_home(rig)
    charge = await charge_of(rig, session.session_id)
    following = rig.hub.roaming.following
    first = await following.push_next(A, session.session_id, charge.update(0))
    assert (first.number, first.state) == (1, "charging")
    await charge.push(msgspec.structs.replace(charge.update(5), number=86_400))
    ended = charge.update(9, SessionState.ENDED)
    replies = [await following.push_next(A, session.session_id, ended) for _ in range(2)]
    assert [(one.number, one.state) for one in replies] == [(86_401, "ended")] * 2
    assert [row.number for row in await rig.updates(session.session_id)] == [1, 86_400, 86_401]
    with pytest.raises(NotFoundError):
        await following.push_next(B, session.session_id, ended)


# Asked before the start.


class Answers:
    """What A's platform says when it is asked."""

    def __init__(self, rig: Rig) -> None:
        self.state: ConnectorState | LinkError = ConnectorState.AVAILABLE
        self.price: int | LinkError = 1_000_000
        self.binding, self._rig = True, rig

    async def check_connector(self, _: NativeLink, connector_id: str) -> CheckConnectorReply:
        if isinstance(self.state, LinkError):
            raise self.state
        return CheckConnectorReply(state=self.state, at=self._rig.hub.clock.business())

    async def query_tariff(self, _: NativeLink, connector_id: str) -> Tariff:
        if isinstance(self.price, LinkError):
            raise self.price
        period = TariffPeriod(
            start_minute=0, end_minute=1440, electricity_micro=self.price, service_micro=500_000
        )
        now = self._rig.hub.clock.business()
        name = f"of-{connector_id}"
        return Tariff(
            party_id=A, tariff_id=name, version=1, valid_from=now, periods=[period], binding=self.binding
        )


@pytest.fixture
def asked(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Answers:
    answers = Answers(rig)
    monkeypatch.setattr(NativeLink, "asks_before_start", True)
    both = NativeLink.capabilities | {Capability.QUERY_TARIFF}
    monkeypatch.setattr(NativeLink, "capabilities", both)

    async def check(link: NativeLink, connector_id: str) -> CheckConnectorReply:
        return await answers.check_connector(link, connector_id)

    async def tariff(link: NativeLink, connector_id: str) -> Tariff:
        return await answers.query_tariff(link, connector_id)

    monkeypatch.setattr(NativeLink, "check_connector", check)
    monkeypatch.setattr(NativeLink, "query_tariff", tariff)
    return answers


SAYS: list[tuple[ConnectorState | LinkError, str]] = [
    (ConnectorState.CHARGING, "connector_busy"),
    (ConnectorState.FAULTED, "connector_faulted"),
    (ConnectorState.OFFLINE, "connector_offline"),
    (LinkError("silent"), "host_unavailable"),
    (LinkRefused("connector_unknown"), "connector_unknown"),
    (LinkRefused("some_word"), "host_refused"),
]


@ONCE
async def test_what_the_host_says_of_its_connector_refuses_the_charge(rig: Rig, asked: Answers) -> None:
    before = await rig.fingerprint()
    refused = []
    for said, refusal in SAYS:
        asked.state = said
        session = await begin_by_home(rig, ref=f"of-{refusal}")
        assert (session.state, session.refusal) == ("refused", refusal)
        refused.append(session)
    assert await rig.fingerprint() == before
    assert rig.a.starts == []
    asked.state = ConnectorState.AVAILABLE
    for session in refused:
        again = await begin_by_home(rig, ref=f"of-{session.refusal}")
        assert (again.session_id, again.refusal) == (session.session_id, session.refusal)
    assert (await begin_by_home(rig)).state == "starting"


@ONCE
async def test_the_hosts_word_counts_before_what_the_directory_remembers(rig: Rig, asked: Answers) -> None:
    await rig.report(ConnectorState.CHARGING)
    assert (await begin_by_driver(rig)).state == "starting"


async def test_a_price_that_the_host_tells_is_a_version_from_then_on(rig: Rig, asked: Answers) -> None:
    first, second = await begin_by_home(rig), await begin_by_home(rig, connector=f"A2.{A}")
    again = await begin_by_home(rig)
    asked.price = 2_000_000
    dearer = await begin_by_home(rig)
    versions = [(one.tariff_id, one.tariff_version) for one in (first, second, again, dearer)]
    assert versions == [("of-A1", 1), ("of-A2", 1), ("of-A1", 1), ("of-A1", 2)]
    scan = await rig.driver().scan(ScanRequest(code=f"A1.{A}"))
    assert (scan.tariff.version, scan.tariff.periods[0].electricity_micro) == (2, 2_000_000)
    asked.price = 3_000_000
    before = await rig.fingerprint()
    assert await code_of(start(rig, scan.scan_id)) == "price_changed"
    assert await rig.fingerprint() == before


async def start(rig: Rig, scan_id: str) -> object:
    return await rig.driver().start_charging(StartChargingRequest(request_ref=rig.ref("drv"), scan_id=scan_id))


@ONCE
async def test_without_a_price_what_the_directory_knows_stands(rig: Rig, asked: Answers) -> None:
    asked.price = LinkRefused("no_policy")
    session = await begin_by_home(rig)
    assert (session.tariff_id, session.tariff_version) == ("t", 1)
    asked.price = LinkError("silent")
    session = await begin_by_home(rig)
    assert (session.state, session.refusal) == ("refused", "host_unavailable")
    asked.state = LinkError("nobody may ask about a connector that is not there")
    assert await code_of(begin_by_home(rig, connector=f"Z9.{A}")) == "connector_unknown"
    assert await code_of(rig.driver().scan(ScanRequest(code=f"Z9.{A}"))) == "code_unknown"


@ONCE
async def test_a_silent_host_is_unavailable_whatever_the_directory_remembers(rig: Rig, asked: Answers) -> None:
    for stale in (ConnectorState.OFFLINE, ConnectorState.CHARGING, ConnectorState.FAULTED):
        await rig.report(stale)
        asked.state = LinkError("silent")
        session = await begin_by_home(rig)
        assert (session.state, session.refusal) == ("refused", "host_unavailable")
        # One that speaks is taken at its word.
        asked.state = ConnectorState.AVAILABLE
        assert (await begin_by_home(rig)).state == "starting"


@ONCE
async def test_a_host_is_asked_for_state_and_price_at_once(
    rig: Rig, asked: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    priced, say_price = asyncio.Event(), NativeLink.query_tariff

    async def check(_: NativeLink, connector_id: str) -> CheckConnectorReply:
        async with asyncio.timeout(5):
            await priced.wait()
        return await asked.check_connector(_, connector_id)

    async def tariff(link: NativeLink, connector_id: str) -> Tariff:
        priced.set()
        return await say_price(link, connector_id)

    monkeypatch.setattr(NativeLink, "check_connector", check)
    monkeypatch.setattr(NativeLink, "query_tariff", tariff)
    session = await begin_by_home(rig)
    assert (session.state, session.tariff_id) == ("starting", "of-A1")


@ONCE
async def test_the_price_of_a_connector_that_takes_no_charge_is_not_kept(rig: Rig, asked: Answers) -> None:
    asked.state = LinkRefused("connector_unplugged")
    session = await begin_by_home(rig)
    assert (session.refusal, session.tariff_id) == ("connector_unplugged", "t")
    assert await rig.rows(TariffVersionRow, tariff_id="of-A1") == []


# What a link cannot do.


@ONCE
async def test_a_home_that_cannot_be_asked_refuses_and_nothing_is_held(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = frozenset({Capability.PUSH_RECORD})
    monkeypatch.setattr(NativeLink, "capabilities", NativeLink.capabilities - {Capability.AUTHORIZE})
    monkeypatch.setitem(hosted.CAPABILITIES, Role.HOME, none)
    before = await rig.fingerprint()
    card, driver = await begin_by_host(rig), await begin_by_driver(rig)
    for said in (card, driver):
        assert (said.state, said.refusal) == ("refused", "start_not_supported_by_home")
    await rig.work()
    assert (rig.b.authorizations, rig.b.releases, rig.a.starts) == ([], [], [])
    assert await rig.fingerprint() == before


@ONCE
async def test_what_a_link_has_no_message_for_is_a_dead_letter_and_no_dispute(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cannot(*_: object) -> None:
        raise LinkCannot("no message for it")

    monkeypatch.setattr(NativeLink, "push_record", cannot)
    monkeypatch.setattr(NativeLink, "push_session", cannot)
    charge = await charge_of(rig, (await begin_by_home(rig)).session_id)
    assert (await charge.whole()).state == "accepted"
    for kind in ("push_record", "push_session"):
        letters = [letter for letter in await rig.letters(kind) if letter.reason != "superseded"]
        assert {(letter.reason, letter.attempts) for letter in letters} == {("no message for it", 1)}
        assert all(letter.dead_at for letter in letters)
    assert await rig.rows(DisputeRow) == []
    assert (await rig.record(charge.session_id)).state == "accepted"
    assert HOLD_FEN > (await rig.exposure())[0] > 0


@ONCE
async def test_a_host_on_this_api_publishes_no_estimates(rig: Rig) -> None:
    put = msgspec.structs.replace(flat(rig.hub), binding=False)
    assert await code_of(rig.client(A).put_tariff("guess", 1, put)) == "rule_violated"
