"""Four ways to be refused, each with its reason and with nothing held afterwards."""

import asyncio
from time import monotonic

from operator_sdk.contract.ids import connector_ref
from operator_sdk.examples.demo.administrator import A
from operator_sdk.examples.demo.patience import until
from operator_sdk.examples.demo.people import POOR, People
from operator_sdk.examples.demo.report import Refusal
from operator_sdk.examples.demo.sites import Site

RELEASED_S, FAULT_KNOWN_S, DECIDED_S = 10, 15, 15
FAULT = "over_current"


async def play(people: People, site: Site, connector_id: str) -> list[Refusal]:
    """All four, one after the other, at a plug of A's where nothing else happens."""
    return [
        await _token_unknown(site, connector_id),
        await _token_blocked(people, site, connector_id),
        await _insufficient_funds(people, connector_id),
        await _connector_faulted(people, site, connector_id),
    ]


async def _token_unknown(site: Site, connector_id: str) -> Refusal:
    """A card with B's prefix that B has never issued: it belongs to nobody, so nobody holds anything."""
    return Refusal(await _tap(site, connector_id, "B2999999"), 0)


async def _token_blocked(people: People, site: Site, connector_id: str) -> Refusal:
    """A card that B has blocked."""
    reason = await _tap(site, connector_id, "B2000004")
    return Refusal(reason, await _held_at_b(people, "B-0004"))


async def _insufficient_funds(people: People, connector_id: str) -> Refusal:
    """A driver of C with three yuan in the wallet."""
    poor = people.phones[POOR]
    answer = await poor.start(connector_ref(A, connector_id))
    reason = answer.get("refusal") or answer.get("code") or answer["stateText"]
    return Refusal(str(reason), await poor.held_fen())


async def _connector_faulted(people: People, site: Site, connector_id: str) -> Refusal:
    """A pile with a fault; B's app holds first, asks, and gives back."""
    await site.pile(connector_id, f"fault {FAULT}")
    await until_state(people, connector_id, "faulted")
    connector = connector_ref(A, connector_id)
    answer = await people.b_app.post("/app/charges", driver="B-0005", connector=connector, limit_fen=3_000)
    refusal = Refusal(str(answer.get("refusal") or answer["state"]), await _held_at_b(people, "B-0005"))
    await site.pile(connector_id, "clear")
    await until_state(people, connector_id, "available", "occupied")
    return refusal


async def _tap(site: Site, connector_id: str, card: str) -> str:
    """Show a card at a pile; what the site answered it."""
    before = len((await site.status())["taps"])
    await site.pile(connector_id, f"tap {card}")

    async def decided() -> str | None:
        taps = (await site.status())["taps"]
        return str(taps[-1]["refusal"] or taps[-1]["outcome"]) if len(taps) > before else None

    return await until(decided, within_s=DECIDED_S, missing=f"the card {card} was not decided on")


async def _held_at_b(people: People, driver: str) -> int:
    """The driver's open holds, asked of the home; a release may still be on its way."""
    began = monotonic()
    while True:
        held = int((await people.b_app.get(f"/app/drivers/{driver}"))["held_fen"])
        if held == 0 or monotonic() - began > RELEASED_S:
            return held
        await asyncio.sleep(0.2)


async def until_state(people: People, connector_id: str, *states: str) -> None:
    """Until the hub knows that a connector of A is in one of these states.

    Raises:
        Trouble: it takes too long.
    """

    async def known() -> bool | None:
        now = (await people.a_office.get_connector(connector_ref(A, connector_id))).state
        return True if now in states else None

    missing = f"the hub did not learn that {connector_id} is {' or '.join(states)}"
    await until(known, within_s=FAULT_KNOWN_S, missing=missing)
