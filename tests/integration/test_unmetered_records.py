"""Bills of hosts whose protocol tells no meter readings, or no prices: judged by what they do say."""

from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest
from sqlmodel import col, update

from hub.parties.scope import HUB, of_driver
from hub.parties.tables import PartyRow
from operator_sdk.contract.messages.common import BillLine
from operator_sdk.contract.messages.records import ChargeRecord, CreditRecord, RecordReply
from tests.rig import A, Rig, flat, open_rig
from tests.rig_charges import METER_WH, Charge, begin_by_home, charge_of

pytestmark = pytest.mark.integration


@pytest.fixture
async def rig(kind: str) -> AsyncIterator[Rig]:
    async with open_rig(kind) as rig:
        yield rig


async def charged(rig: Rig, *, starts_before: int = 0) -> Charge:
    charge = await charge_of(rig, (await begin_by_home(rig)).session_id)
    charge.started_at -= timedelta(minutes=starts_before)
    await charge.runs(0, 20)
    await charge.ends(40)
    return charge


async def speaks(rig: Rig, protocol: str) -> None:
    """A's protocol, for the judgement of its bills."""
    async with rig.hub.database.unit() as unit:
        await unit.execute(update(PartyRow).where(col(PartyRow.party_id) == A).values(protocol=protocol))


async def bill(rig: Rig, record: ChargeRecord) -> RecordReply:
    """As A's protocol hands it in."""
    return await rig.hub.roaming.records.push(A, record)


def unmetered(charge: Charge) -> ChargeRecord:
    energy_wh = charge.wh(charge.minutes)
    return charge.record(metered=False, meter_start_wh=0, meter_end_wh=energy_wh)


def objected(reply: RecordReply) -> dict[str, str]:
    return {finding.rule: finding.verdict for finding in reply.findings}


async def test_a_bill_without_readings_is_taken_from_a_protocol_that_has_none(rig: Rig) -> None:
    # The rig gives its charges earlier times, and lower readings, one after the other.
    later, earlier = await charged(rig), await charged(rig)
    assert earlier.meter_wh < later.meter_wh == METER_WH
    assert objected(await bill(rig, unmetered(later))) == {"meter": "suspend"}
    await speaks(rig, "tcec102")
    third = await charged(rig)
    reply = await bill(rig, unmetered(third))
    assert (reply.state, reply.findings) == ("accepted", [])
    reading = rig.hub.roaming.reading
    assert (await reading.record(HUB, reply.record_id)).metered is False
    driver = of_driver("MA5BBBBB2", rig.hub.pseudonyms.driver_ref("MA5BBBBB2", "u-1"))
    assert (await reading.record(driver, reply.record_id)).metered is False
    # `earlier` began after `third` ended, at whatever reading: a bill that tells none is no neighbour.
    low = earlier.record(meter_start_wh=5, meter_end_wh=5 + earlier.wh(40))
    assert objected(await bill(rig, low)) == {}
    # And after one that tells them, nothing is compared either.
    fourth = await charged(rig, starts_before=-200)
    assert "meter_back" not in objected(await bill(rig, unmetered(fourth)))
    await speaks(rig, "native")
    await rig.work()
    assert {told.session_id: told.metered for told in rig.b.records}[third.session_id] is False


async def test_a_credit_says_of_readings_what_its_record_says(rig: Rig) -> None:
    charge = await charged(rig)
    await speaks(rig, "tcec102")
    reply = await bill(rig, unmetered(charge))
    credit = CreditRecord(record_ref="c-1", record_id=reply.record_id, amount_fen=1_000, reason="twice")
    done = await rig.hub.roaming.credits.push(A, credit)
    assert (await rig.hub.roaming.reading.record(HUB, done.record_id)).metered is False


def priced(charge: Charge, *, micro: int, fen: int) -> ChargeRecord:
    """One line, at another price than the tariff's."""
    whole = charge.record()
    line = BillLine(
        start=whole.started_at,
        end=whole.ended_at,
        energy_wh=whole.energy_wh,
        electricity_micro=micro,
        service_micro=0,
        electricity_fen=fen,
        service_fen=0,
    )
    return msgspec.structs.replace(whole, lines=[line], electricity_fen=fen, service_fen=0, amount_fen=fen)


async def estimate(rig: Rig) -> None:
    """The price at A's piles is only guessed from now on."""
    await speaks(rig, "tcec102")
    guess = msgspec.structs.replace(flat(rig.hub), valid_from=rig.hub.clock.business(), binding=False)
    await rig.hub.directory.put_tariff(A, "t", 2, guess)
    await speaks(rig, "native")


@pytest.mark.parametrize("kind", ["sqlite"])
async def test_beside_an_estimate_a_line_is_held_against_its_own_price(rig: Rig) -> None:
    await estimate(rig)
    for micro, fen, says in (
        (900_000, 600, {}),
        (900_000, 610, {"price": "suspend"}),
        (0, 610, {"price": "warn"}),
    ):
        charge = await charged(rig)
        assert charge.tariff.version == 2
        reply = await bill(rig, priced(charge, micro=micro, fen=fen))
        assert objected(reply) == says
        assert (await rig.hub.roaming.reading.record(HUB, reply.record_id)).repriced is None
