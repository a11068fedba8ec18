"""Clearing through the front door, with the SDK: what staff see whole and operators see of their own."""

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import date

import pytest

from hub.clearing import on_demand, service
from hub.core.clock import ManualClock
from operator_sdk import (
    AsyncHubClient,
    BearerToken,
    Forbidden,
    HubClient,
    NotFound,
    Patience,
    Unprocessable,
)
from operator_sdk.contract.messages.clearing import (
    CommissionRateAdd,
    CycleClose,
    StationGroupPut,
    TaxCodeAdd,
)
from operator_sdk.contract.operations import HUB
from operator_sdk.errors import BadRequest
from tests.clearing_world import Market
from tests.paper_reader import read_book, sheets_of_lines
from tests.rig import A, B, C, D, Rig, open_rig
from tests.rig_raw import send

pytestmark = pytest.mark.integration


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with open_rig("sqlite") as rig:
        yield rig


async def staff(rig: Rig, login: str, role: str) -> AsyncHubClient:
    """Somebody of the staff, signed in."""
    token = await rig.staff_token(login, role)
    return AsyncHubClient(rig.url, BearerToken(token), patience=Patience(attempts=1))


async def test_an_accountant_closes_a_cycle_and_pages_through_all_of_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "RESULT_MOST", 3)
    market = Market(rig.hub.database, ManualClock(rig.hub.clock.business()))
    market.clearing = rig.hub.clearing
    for number in range(7):
        await market.accept(B, A if number % 2 else C, 100 + number)
    async with await staff(rig, "ann", "accountant") as ann, await staff(rig, "olga", "onlooker") as olga:
        closed = await ann.close_cycle(CycleClose(cutoff_at=rig.hub.clock.business()))
        cycle = closed.cycle
        assert (cycle.state, cycle.obligations, len(closed.obligations)) == ("fixed", 7, 3)
        assert await ann.get_cycle(cycle.cycle_id) == closed
        seen, after = [], None
        while True:
            page = await ann.list_cycle_obligations(cycle.cycle_id, limit=2, after=after)
            seen += page.items
            after = page.next_after
            if after is None:
                break
        assert len(seen) == 7
        assert seen[:3] == closed.obligations
        assert [one.obligation_id for one in seen] == sorted(one.obligation_id for one in seen)
        with pytest.raises(BadRequest):
            await ann.list_cycle_obligations(cycle.cycle_id, after="'; --")
        with pytest.raises(NotFound):
            await ann.list_cycle_obligations("cyc_none")
        for refused in (olga, rig.client(A)):
            with pytest.raises(Forbidden):
                await refused.list_cycle_obligations(cycle.cycle_id)
    statement = await rig.client(A).get_statement(cycle.cycle_id)
    assert statement.digest == cycle.digest
    assert {line.counterparty for line in statement.lines} == {B}
    mine = (await rig.client(A).list_obligations()).items
    assert {one.creditor for one in mine} == {A}
    assert all(one.electricity_fen == one.amount_fen for one in mine)


async def test_rates_groups_and_tax_codes_are_the_accountants(rig: Rig) -> None:
    day = date(2999, 1, 1)
    rate = CommissionRateAdd(owner=A, ppm=20_000, valid_from=day, tax_code="304")
    async with await staff(rig, "ann", "accountant") as ann, await staff(rig, "olga", "onlooker") as olga:
        added = await ann.add_commission_rate(rate)
        assert await ann.add_commission_rate(rate) == added
        assert (await ann.list_commission_rates()).items == [added]
        assert (added.owner, added.made_by) == (A, "ann")
        with pytest.raises(Unprocessable):
            await ann.add_commission_rate(CommissionRateAdd(ppm=1, valid_from=date(2000, 1, 1)))
        put = StationGroupPut(station_group="centre", station_ids=["S1"])
        groups = await ann.put_station_group(A, put)
        assert await ann.list_station_groups(A) == groups
        with pytest.raises(NotFound):
            await ann.put_station_group("MA5XXXXX9", put)
        code = await ann.add_tax_code(TaxCodeAdd(kind="commission", tax_code="304", valid_from=day))
        assert (await ann.list_tax_codes()).items == [code]
        for refused in (olga, rig.client(A)):
            with pytest.raises(Forbidden):
                await refused.add_commission_rate(rate)
            with pytest.raises(Forbidden):
                await refused.list_commission_rates()


async def a_cycle(rig: Rig) -> str:
    """A closed one: B owes A three times, A owes C once."""
    market = Market(rig.hub.database, ManualClock(rig.hub.clock.business()))
    market.clearing = rig.hub.clearing
    for fen in (100, 250, 7):
        await market.accept(B, A, fen)
    await market.accept(A, C, 1_000)
    return (await rig.hub.clearing.close_cycle(rig.hub.clock.business())).cycle.cycle_id


async def test_an_operator_fetches_its_own_statement_as_a_file(rig: Rig) -> None:
    cycle_id = await a_cycle(rig)
    mine = rig.client(A)
    (sheet,) = sheets_of_lines(await mine.get_statement_paper(cycle_id))
    assert sheet.sums["Total"] == (357, 1_000)
    book = read_book(await mine.get_statement_paper(cycle_id, "xlsx"))
    assert sorted(row[9] for row in book.rows["Lines"]) == [-1_000, 7, 100, 250]
    assert (await mine.get_statement_paper(cycle_id, "html")).startswith(b"<!doctype html>")
    (theirs,) = sheets_of_lines(await rig.client(B).get_statement_paper(cycle_id))
    assert theirs.sums["Total"] == (0, 357), "and nothing of what A and C have with each other"
    assert sheets_of_lines(await rig.client(D).get_statement_paper(cycle_id)) == []
    with pytest.raises(NotFound):
        await mine.get_statement_paper("cyc_none")
    operation = HUB["get_statement"]
    for form, kind, how in (
        ("pdf", "application/pdf", "attachment"),
        ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "attachment"),
        ("csv", "text/csv; charset=utf-8", "attachment"),
        ("html", "text/html; charset=utf-8", "inline"),
    ):
        answer = await send(rig, operation, f"/v1/cycles/{cycle_id}/statement?format={form}", b"", party=A)
        assert answer.headers["content-type"] == kind
        assert answer.headers["content-disposition"] == f'{how}; filename="statement-{cycle_id}-{A}.{form}"'
    refused = await send(rig, operation, f"/v1/cycles/{cycle_id}/statement?format=docx", b"", party=A)
    assert (refused.status_code, refused.json()["code"]) == (400, "malformed")


async def test_staff_fetch_anybodys_statement_and_operators_do_not(rig: Rig) -> None:
    cycle_id = await a_cycle(rig)
    async with await staff(rig, "ann", "accountant") as ann, await staff(rig, "olga", "onlooker") as olga:
        assert await ann.get_party_statement(cycle_id, A) == await rig.client(A).get_statement(cycle_id)
        paper = await ann.get_party_statement_paper(cycle_id, A)
        assert paper == await rig.client(A).get_statement_paper(cycle_id)
        with pytest.raises(NotFound):
            await ann.get_party_statement_paper(cycle_id, "MA5XXXXX9")
        for refused in (olga, rig.client(B)):
            with pytest.raises(Forbidden):
                await refused.get_party_statement_paper(cycle_id, A)
    token = await rig.staff_token("sync", "accountant")

    def fetch() -> bytes:
        with HubClient(rig.url, BearerToken(token)) as client:
            assert client.get_party_statement(cycle_id, A).party_id == A
            return client.get_party_statement_paper(cycle_id, A)

    assert await asyncio.to_thread(fetch) == paper


async def test_a_statement_that_is_too_long_to_draw_is_had_as_a_list(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    cycle_id = await a_cycle(rig)
    monkeypatch.setattr(on_demand, "LINES_MOST", 3)
    with pytest.raises(Unprocessable) as refused:
        await rig.client(A).get_statement_paper(cycle_id)
    assert refused.value.details == {
        "reason": "statement_too_long",
        "lines": 4,
        "most": 3,
        "instead": "csv",
    }
    assert (await rig.client(A).get_statement_paper(cycle_id, "csv")).count(b"\r\n") == 6
    assert sheets_of_lines(await rig.client(B).get_statement_paper(cycle_id)), "three lines are not too many"


async def test_who_comes_when_too_many_wait_is_told_to_come_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    cycle_id = await a_cycle(rig)
    monkeypatch.setattr(on_demand, "_places", places := threading.BoundedSemaphore(1))
    assert places.acquire(blocking=False)
    operation, path = HUB["get_statement"], f"/v1/cycles/{cycle_id}/statement?format="
    busy = await send(rig, operation, f"{path}pdf", b"", party=A)
    assert (busy.status_code, busy.headers["retry-after"]) == (429, "5")
    assert (await send(rig, operation, f"{path}csv", b"", party=A)).status_code == 200, "a list is not drawn"
    places.release()
    assert (await send(rig, operation, f"{path}pdf", b"", party=A)).status_code == 200
    assert places.acquire(blocking=False), "the place is free again"
