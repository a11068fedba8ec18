"""What the database sums and hashes is what anybody can work out by hand; the proof says it byte for byte."""

import gzip
import hashlib
import json
import random
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select

from hub.clearing.jobs import advance
from hub.clearing.proof import Proofs
from hub.clearing.tables import CycleRow, ObligationRow
from hub.clearing.tables_cycles import positions_of, stream_lines, stream_pairs
from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.errors import HubError, NotFoundError
from hub.parties.scope import HUB
from operator_sdk.contract.cycle_proof import ProofProblem, check
from operator_sdk.contract.messages.clearing import CycleResult
from operator_sdk.contract.money import part_ppm
from operator_sdk.contract.public_codes import Code
from tests.clearing_world import HUB_PARTY, MIDNIGHT, NAMES, A, B, C, Market, net
from tests.databases import fresh_database

CYCLE_ID = "cyc_019aa000-0000-7000-8000-000000000001"


@pytest.fixture
async def market(database: Database, clock: ManualClock) -> Market:
    return await Market(database, clock).open()


async def members(market: Market, cycle_id: str) -> list[ObligationRow]:
    async with market.database.reading() as unit:
        statement = select(ObligationRow).where(col(ObligationRow.cycle_id) == cycle_id)
        return list((await unit.session.exec(statement)).all())


def hashed(rows: list[ObligationRow]) -> str:
    """The digest with plain JSON, line by line."""
    lines = b""
    for row in sorted(rows, key=lambda row: row.obligation_id.encode()):
        fields = [row.obligation_id, row.kind, row.debtor_party_id, row.creditor_party_id, row.amount_fen]
        fields += [row.currency, row.booked_day, row.record_id]
        lines += json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    return hashlib.sha256(lines).hexdigest()


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_cycle_comes_to_what_its_obligations_come_to(market: Market, seed: int) -> None:
    chance = random.Random(seed)
    commission: Counter[str] = Counter()
    owed: Counter[tuple[str, str]] = Counter()
    for _ in range(12):
        home, host = chance.sample([A, B, C], 2)
        fen, ppm = chance.randrange(1, 50_000), chance.choice([0, 5_000, 12_345])
        record_id = await market.accept(home, host, fen, ppm=ppm)
        what = chance.choice(["stands", "stands", "credited", "disputed", "withdrawn"])
        if what in {"disputed", "withdrawn"}:
            await market.dispute(record_id)
            if what == "withdrawn":
                await market.withdraw(record_id)
            continue
        owed[home, host] += fen
        commission[host] += part_ppm(fen, ppm)
        if what == "credited":
            await market.credit(record_id, home, host, fen)
            owed[host, home] += fen
            commission[host] -= part_ppm(fen, ppm)
    market.clock.now = MIDNIGHT
    result = await market.clearing.close_cycle(MIDNIGHT)
    for host, fen in commission.items():
        owed[(host, HUB_PARTY) if fen > 0 else (HUB_PARTY, host)] += abs(fen)
    expected = dict.fromkeys(sorted(NAMES), 0)
    for (debtor, creditor), fen in owed.items():
        expected[debtor] -= fen
        expected[creditor] += fen
    assert net(result) == expected
    rows = await members(market, result.cycle.cycle_id)
    assert result.cycle.digest == hashed(rows)
    assert result.cycle.obligations == len(rows)
    async with market.database.reading() as unit:
        pairs = [pair async for block in stream_pairs(unit, result.cycle.cycle_id) for pair in block]
        sides = await positions_of(unit, result.cycle.cycle_id)
    assert [(debtor, creditor, fen) for debtor, creditor, fen, _ in pairs] == [
        (*pair, fen) for pair, fen in sorted(owed.items()) if fen
    ]
    assert sum(count for *_, count in pairs) == len(rows)
    assert {party: side.owes_fen for party, side in sides.items()} == {
        party: sum(fen for (d, _), fen in owed.items() if d == party) for party in expected
    }
    await market.audit()


async def test_more_credits_than_charges_and_the_hub_owes_the_host_its_commission(market: Market) -> None:
    record_id = await market.accept(B, A, 10_000, ppm=20_000)
    market.clock.now = MIDNIGHT
    await market.clearing.close_cycle(MIDNIGHT)
    await market.credit(record_id, B, A, 10_000, ppm=99_999)
    market.clock.now = MIDNIGHT + timedelta(days=1)
    result = await market.clearing.close_cycle(market.clock.now)
    assert net(result) == {A: -10_000 + 200, B: 10_000, C: 0, HUB_PARTY: -200}
    owed = {(one.kind, one.debtor, one.creditor): one.amount_fen for one in result.obligations}
    assert owed == {("credit", A, B): 10_000, ("commission", HUB_PARTY, A): 200}
    assert await market.posted("receivable", HUB_PARTY) == 200
    await market.audit()


def row(number: int, **more: Any) -> ObligationRow:
    chance = random.Random(number)
    debtor, creditor = chance.sample([A, B, C], 2)
    fen = chance.randrange(1, 10**6)
    usual: dict[str, Any] = {
        "obligation_id": f"obl_019aa000-0000-7000-8000-{chance.getrandbits(48):012x}",
        "kind": "charge",
        "debtor_party_id": debtor,
        "creditor_party_id": creditor,
        "amount_fen": fen,
        "service_fen": fen,
        "service_ppm": 10_000,
        "commission_fen": part_ppm(fen, 10_000),
        "currency": "CNY",
        "booked_day": "2026-03-02",
        "accepted_at": MIDNIGHT - timedelta(hours=1),
        "state": "in_cycle",
        "record_id": f"rec_{number}",
        "cycle_id": CYCLE_ID,
        "updated_at": MIDNIGHT - timedelta(hours=1),
    }
    return ObligationRow(**(usual | more))


async def fill(market: Market, rows: list[ObligationRow]) -> None:
    opened = MIDNIGHT - timedelta(days=1)
    async with market.database.unit() as unit:
        unit.session.add(
            CycleRow(
                cycle_id=CYCLE_ID,
                currency="CNY",
                frequency="daily",
                state="open",
                opened_at=opened,
                updated_at=opened,
            )
        )
        await unit.session.flush()
        for one in rows:
            unit.session.add(one)
            await unit.session.flush()
    market.clock.now = MIDNIGHT


def files_of(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def closed(database: Database, order: list[int]) -> tuple[Market, CycleResult]:
    market = await Market(database, ManualClock(MIDNIGHT)).open()
    await fill(market, [row(number) for number in order])
    return market, await market.clearing.close_cycle(MIDNIGHT)


@pytest.mark.integration
async def test_the_same_cycle_gives_the_same_bytes_on_any_engine_in_any_order(tmp_path: Path) -> None:
    written = []
    for number, (kind, order) in enumerate(
        [("sqlite", range(40)), ("sqlite", range(39, -1, -1)), ("postgresql", range(39, -1, -1))]
    ):
        async with fresh_database(kind) as database:
            await closed(database, list(order))
            for name in (f"{number}.jsonl", f"{number}.jsonl.gz", f"{number}.again.gz"):
                await Proofs(database).export(CYCLE_ID, tmp_path / name)
                written.append((tmp_path / name).read_bytes())
    assert len(set(written[0::3])) == 1
    assert len({*written[1::3], *written[2::3]}) == 1
    assert gzip.decompress(written[1]) == written[0]
    with (tmp_path / "0.jsonl").open("rb") as lines:
        assert check(lines).head.cycle_id == CYCLE_ID
    assert {file.suffix for file in files_of(tmp_path)} == {".jsonl", ".gz"}


async def test_a_proof_is_of_the_digest_on_the_statements(database: Database, tmp_path: Path) -> None:
    market, result = await closed(database, list(range(9)))
    await Proofs(database).export(CYCLE_ID, tmp_path / "proof")
    with (tmp_path / "proof").open("rb") as lines:
        proven = check(lines, digest=result.cycle.digest)
    assert proven.net_fen == net(result)
    assert proven.digest == hashed(await members(market, CYCLE_ID))
    with (tmp_path / "proof").open("rb") as lines, pytest.raises(ProofProblem, match="statement"):
        check(lines, digest=hashlib.sha256(b"").hexdigest())


async def test_there_is_no_proof_before_there_are_positions(market: Market, tmp_path: Path) -> None:
    await market.trade()
    ((_, cycle),) = await market.clearing.cycles(HUB)
    with pytest.raises(HubError) as refused:
        await Proofs(market.database).export(cycle.cycle_id, tmp_path / "proof")
    assert refused.value.code is Code.STATE_CONFLICT
    with pytest.raises(NotFoundError):
        await Proofs(market.database).export("cyc_none", tmp_path / "proof")
    assert files_of(tmp_path) == []


EVIL = ['"', "\\", "\x01\x1f", "\x7f", "\t\n\r\b\f", "甲😀", "</script>", "\u2028", "'; --", ""]


async def test_lines_are_plain_json_whatever_stands_in_them(market: Market) -> None:
    rows = [row(number, record_id=evil or None, kind="charge") for number, evil in enumerate(EVIL)]
    await fill(market, rows)
    async with market.database.reading() as unit:
        blocks = [lines async for lines, _ in stream_lines(unit, CYCLE_ID)]
    assert hashlib.sha256(b"".join(blocks)).hexdigest() == hashed(rows)


async def test_a_proof_is_not_written_of_obligations_that_were_changed_behind_the_hub(
    database: Database, tmp_path: Path
) -> None:
    await closed(database, list(range(3)))
    async with database.unit() as unit:
        for statement in REMOVED[database.dialect]:
            await (await unit.session.connection()).exec_driver_sql(statement)
    with pytest.raises(HubError) as refused:
        await Proofs(database).export(CYCLE_ID, tmp_path / "proof")
    assert refused.value.code is Code.RULE_VIOLATED
    assert files_of(tmp_path) == []


CHANGED = "UPDATE obligation SET booked_day = '2026-03-01' WHERE record_id = 'rec_1'"
REMOVED = {
    "sqlite": ["DROP TRIGGER obligation_rule_10", "DROP TRIGGER obligation_rule_11", CHANGED],
    "postgresql": ["SET LOCAL session_replication_role = replica", CHANGED],
}
"""Whoever owns the database can take the guards away."""


async def test_what_is_fixed_is_what_was_proposed_or_nothing_is(database: Database, clock: ManualClock) -> None:
    """A commission may change until its cycle is fixed; behind the hub's back it may not."""
    market = await Market(database, clock, env="production").open()
    await market.trade()
    clock.now = MIDNIGHT + timedelta(hours=4)
    cycle_id = (await market.clearing.close_cycle(MIDNIGHT)).cycle.cycle_id
    await advance(market.clearing, clock.business())
    async with database.unit() as unit:
        more = "UPDATE obligation SET amount_fen = amount_fen + 1 WHERE kind = 'commission'"
        await (await unit.session.connection()).exec_driver_sql(more)
    clock.now = MIDNIGHT + timedelta(hours=15)
    with pytest.raises(ExceptionGroup) as failed:
        await advance(market.clearing, clock.business())
    assert [type(problem) for problem in failed.value.exceptions] == [AssertionError]
    assert (await market.cycle(cycle_id)).state == "proposed"
    assert await market.posted("cycle", cycle_id) == 0
