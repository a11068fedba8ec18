"""Four ways to be refused, each with its reason and with nothing held afterwards."""

import asyncio
from time import monotonic

from operator_sdk.contract.ids import connector_ref
from operator_sdk.examples.demo.administrator import A
from operator_sdk.examples.demo.patience import until
from operator_sdk.examples.demo.people import HostedDriver, People
from operator_sdk.examples.demo.report import Refusal

RELEASED_S = 10
FAULT_KNOWN_S = 10


async def play(people: People, poor: HostedDriver) -> list[Refusal]:
    """All four, one after the other."""
    return [
        await _token_unknown(people),
        await _token_blocked(people),
        await _insufficient_funds(people, poor),
        await _connector_faulted(people),
    ]


async def _token_unknown(people: People) -> Refusal:
    """A card with B's prefix that B has never issued: it belongs to nobody, so nobody holds anything."""
    reason = await _tap(people, "B2999999")
    return Refusal(reason, 0)


async def _token_blocked(people: People) -> Refusal:
    """A card that B has blocked."""
    reason = await _tap(people, "B2000004")
    return Refusal(reason, await _held_at_b(people, "B-0004"))


async def _insufficient_funds(people: People, poor: HostedDriver) -> Refusal:
    """A driver of C with three yuan in the wallet."""
    session = await poor.start(people.connectors[5])
    return Refusal(session.refusal or session.state, await poor.held_fen())


async def _connector_faulted(people: People) -> Refusal:
    """A pile that A has reported faulty; B's app holds first, asks, and gives back."""
    connector = people.connectors[6]
    fault = f"/local/connectors/{connector}/fault"
    await people.a_piles.post(fault, faulted=True)
    await _until_known(people, connector, "faulted")
    answer = await people.b_app.post(
        "/app/charges", driver="B-0005", connector=connector_ref(A, connector), limit_fen=3_000
    )
    refusal = Refusal(str(answer.get("refusal") or answer["state"]), await _held_at_b(people, "B-0005"))
    await people.a_piles.post(fault, faulted=False)
    return refusal


async def _tap(people: People, card: str) -> str:
    answer = await people.a_piles.post(f"/local/connectors/{people.connectors[4]}/tap", card=card)
    return str(answer["refusal"] or answer["outcome"])


async def _held_at_b(people: People, driver: str) -> int:
    """The driver's open holds, asked of the home; a release may still be on its way."""
    began = monotonic()
    while True:
        held = int((await people.b_app.get(f"/app/drivers/{driver}"))["held_fen"])
        if held == 0 or monotonic() - began > RELEASED_S:
            return held
        await asyncio.sleep(0.2)


async def _until_known(people: People, connector: str, state: str) -> None:
    async def known() -> bool | None:
        now = (await people.a_office.get_connector(connector_ref(A, connector))).state
        return True if now == state else None

    await until(known, within_s=FAULT_KNOWN_S, missing=f"the hub did not learn that {connector} is {state}")
