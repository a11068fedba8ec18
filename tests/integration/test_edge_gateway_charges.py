"""Whole charges at a hosted operator's own site, over a real WebSocket, on both engines."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from operator_sdk.contract.codes import Band, StopReason, TokenKind
from operator_sdk.contract.edge_link.frames import (
    AuthorizeAsk,
    Authorized,
    Done,
    Refused,
    ReleaseAsk,
    StartCommand,
    StopCommand,
    TariffsCommand,
)
from operator_sdk.contract.messages.common import Token
from operator_sdk.contract.messages.directory import TariffAssignmentPut, TariffPeriod, TimeFee
from operator_sdk.contract.messages.roaming import (
    AuthorizeRequest,
    ReleaseRequest,
    ScanRequest,
    Session,
    StartChargingRequest,
    StopRequest,
)
from tests.edge_client import AgentLine
from tests.rig import HOLD_FEN, B
from tests.rig_charges import begin_by_home
from tests.site_world import (
    BILLS,
    CARD,
    CONNECTOR,
    LIVE,
    OTHER,
    E,
    SiteWorld,
    charge_at_site,
    open_site_world,
    send,
)

pytestmark = pytest.mark.integration

BILL_FEN = 1_000
"""Forty minutes at 10 kW and 1.50 yuan a kWh."""


@pytest.fixture
async def world(kind: str) -> AsyncIterator[SiteWorld]:
    async with open_site_world(kind) as world:
        yield world


async def by_card(
    line: AgentLine, ref: str, card: Token, connector_id: str = CONNECTOR
) -> Authorized | Refused:
    """A card is shown at the pile."""
    request = AuthorizeRequest(authorization_ref=ref, token=card, connector_id=connector_id)
    answer = (await line.ask(f"ask-{ref}", AuthorizeAsk(request=request))).answer
    assert isinstance(answer, Authorized | Refused)
    return answer


async def by_scan(world: SiteWorld) -> Session:
    """E's own driver scans at E's own pile: home is host."""
    driver = world.rig.driver(E, world.customer.customer_id)
    scan = await driver.scan(ScanRequest(code=f"{CONNECTOR}.{E}"))
    return await driver.start_charging(StartChargingRequest(request_ref="own-1", scan_id=scan.scan_id))


async def whole(world: SiteWorld, line: AgentLine, session_id: str | None) -> None:
    """From the first update to the delivered bill."""
    charge = await charge_at_site(world, session_id)
    await send(line, LIVE, [*charge.as_items(0, 20), charge.end_item(40)])
    await send(line, BILLS, [charge.bill_item()])
    await world.rig.work()


async def test_a_charge_at_a_hosted_site_is_billed_owed_and_settled_however_it_began(world: SiteWorld) -> None:
    async with world.online() as line:
        by_home = await begin_by_home(world.rig, connector=f"{CONNECTOR}.{E}")
        (start,) = world.commands(StartCommand)
        assert (start.request.session_id, start.request.limit_fen) == (by_home.session_id, HOLD_FEN)
        await whole(world, line, by_home.session_id)

        granted = await by_card(line, "card-1", Token(kind=TokenKind.CARD, ref="BB-1"))
        assert isinstance(granted, Authorized)
        assert granted.authorization.limit_fen == HOLD_FEN
        await whole(world, line, granted.authorization.session_id)

        own = await by_scan(world)
        assert await world.wallet() == (20_000, HOLD_FEN, 0)
        await whole(world, line, own.session_id)

        carded = await by_card(line, "card-2", CARD)
        assert isinstance(carded, Authorized)
        await whole(world, line, carded.authorization.session_id)

    sessions = [by_home.session_id, granted.authorization.session_id, own.session_id]
    for session_id in (*sessions, carded.authorization.session_id):
        assert session_id is not None
        assert (await world.rig.session(session_id)).state == "settled"
        record = await world.rig.record(session_id)
        assert (record.state, record.owed_fen, record.host_party_id) == ("accepted", BILL_FEN, E)
    # B owes for its two; the own driver's two are paid out of the wallet, and owed by nobody.
    assert await world.rig.obligations() == [(B, E, BILL_FEN, "open")] * 2
    assert await world.rig.exposure(B) == (2 * BILL_FEN, 0)
    assert await world.rig.exposure(E) == (0, 0)
    assert await world.wallet() == (20_000 - 2 * BILL_FEN, 0, 0)
    assert await world.rig.posted(E, "charging_sales") == 2 * BILL_FEN
    assert await world.bad_items() == []


async def test_a_stop_reaches_the_site_and_the_host_hears_of_its_settlement_in_its_books_only(
    world: SiteWorld,
) -> None:
    async with world.online() as line:
        session = await begin_by_home(world.rig, connector=f"{CONNECTOR}.{E}")
        charge = await charge_at_site(world, session.session_id)
        await send(line, LIVE, charge.as_items(0, 10))
        stop = StopRequest(stop_ref="stop-1")
        assert (await world.rig.client(B).stop_session(session.session_id, stop)).state == "stopping"
        await world.rig.work()
        (command,) = world.commands(StopCommand)
        assert (command.session_id, command.reason) == (session.session_id, "driver_remote")
        await send(line, LIVE, [charge.end_item(12, StopReason.DRIVER_REMOTE)])
        await send(line, BILLS, [charge.bill_item(stop_reason=StopReason.DRIVER_REMOTE)])
        await world.rig.work()
    assert (await world.rig.session(session.session_id)).state == "settled"
    assert {letter.reason for letter in await world.rig.letters("push_settlement")} == {None}


async def test_a_price_published_a_moment_ago_is_at_the_site_before_the_start_that_names_it(
    world: SiteWorld,
) -> None:
    from tests.rig import flat

    async with world.online() as line:
        await line.commanded(TariffsCommand)
        await world.rig.hub.directory.put_tariff(E, "e", 2, flat(world.rig.hub, 2_000_000))
        session = await begin_by_home(world.rig, connector=f"{CONNECTOR}.{E}")
        heard = [type(one) for one in world.heard]
        told = [one.version for command in world.commands(TariffsCommand) for one in command.tariffs]
    assert (await world.rig.session(session.session_id)).tariff_version == 2
    assert told == [1, 2]
    assert heard.index(StartCommand) > max(at for at, kind in enumerate(heard) if kind is TariffsCommand)


async def test_the_tariff_of_a_drivers_home_is_at_the_site_with_all_its_fees_before_the_start(
    world: SiteWorld,
) -> None:
    from tests.rig import flat

    directory = world.rig.hub.directory
    put = msgspec.structs.replace(
        flat(world.rig.hub),
        periods=[
            TariffPeriod(
                start_minute=45 * number,
                end_minute=45 * (number + 1),
                electricity_micro=number,
                service_micro=0,
                band=Band.PEAK,
            )
            for number in range(32)
        ],
        parking=TimeFee(price_micro_per_hour=5_000_000, free_minutes=30, cap_fen=2_000),
        idle=TimeFee(price_micro_per_hour=30_000_000),
    )
    published = await directory.put_tariff(E, "for-b", 1, put)
    now = world.rig.hub.clock.business()
    await directory.assign_tariff(E, TariffAssignmentPut(tariff_id="for-b", valid_from=now, home_party_id=B))
    async with world.online() as line:
        session = await begin_by_home(world.rig, connector=f"{CONNECTOR}.{E}")
        granted = await by_card(line, "card-1", Token(kind=TokenKind.CARD, ref="BB-1"), OTHER)
        heard = [type(one) for one in world.heard]
        told = [one for command in world.commands(TariffsCommand) for one in command.tariffs]
        (start,) = world.commands(StartCommand)
    assert (await world.rig.session(session.session_id)).tariff_id == start.request.tariff_id == "for-b"
    assert published in told
    assert heard.index(StartCommand) > max(at for at, kind in enumerate(heard) if kind is TariffsCommand)
    assert isinstance(granted, Authorized)
    assert granted.authorization.tariff == published


async def test_a_card_that_did_not_start_is_released_and_no_other_site_can_release_it(world: SiteWorld) -> None:
    async with world.online() as line:
        granted = await by_card(line, "card-1", Token(kind=TokenKind.CARD, ref="BB-1"), OTHER)
        assert isinstance(granted, Authorized)
        authorization_id = granted.authorization.authorization_id
        release = ReleaseAsk(request=ReleaseRequest(authorization_id=authorization_id, reason="unplugged"))
        assert (await line.ask("r-1", release)).answer == Done()
        assert (await line.ask("r-2", release)).answer == Done()
        foreign = AuthorizeRequest(
            authorization_ref="card-2", token=Token(kind=TokenKind.CARD, ref="BB-1"), connector_id="A1"
        )
        refused = (await line.ask("r-3", AuthorizeAsk(request=foreign))).answer
    assert refused == Refused(code="connector_unknown")
    assert await world.rig.exposure(B) == (0, 0)
    assert granted.authorization.session_id is not None
    assert (await world.rig.session(granted.authorization.session_id)).state == "start_failed"
