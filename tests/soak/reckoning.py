"""Afterwards: what partners say was billed, against what the hub has stored. Nothing lost, nothing twice."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from hub.clearing.tables import ObligationRow
from hub.core.tables import OutboxLetter
from hub.parties.tables import Exposure
from hub.roaming.tables import AuthorizationRow, SessionRow
from hub.roaming.tables_records import RecordRow
from operator_sdk.contract.codes import SessionState
from tests.rig import A, B
from tests.soak.load import Load
from tests.soak.town import HOMES, HOSTS, Town

WITHIN_S = 40
SENT = (
    "push_session", "push_result", "push_record", "push_settlement", "release_authorization", "stop_at_host",
)  # fmt: skip
ASKED = ("start_check", "explain_unknown", "authorize_timeout")
MONEY = ("push_record", "push_settlement", "release_authorization")
OVER = (SessionState.BILLED, SessionState.SETTLED, SessionState.REFUSED, SessionState.START_FAILED)


@dataclass(frozen=True)
class Reckoning:
    """How many orders the partners' hosts sent that were accepted and refused, and native bills."""

    accepted: int
    refused: int
    never_began: int
    native: int


async def comes_to_rest(town: Town) -> None:
    """Wait until every order is answered and every letter delivered.

    A letter that waits for its next attempt is due at once, and a start that nobody reported is asked for.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + WITHIN_S
    while open_ones := [*await _unanswered(town), *await _undelivered(town)]:
        assert loop.time() < end, f"still {len(open_ones)}: {open_ones[:10]}"
        await town.rig.make_due(*SENT, *ASKED)
        await asyncio.sleep(0.3)


async def _unanswered(town: Town) -> list[str]:
    """Charges of hosts that run, or whose order nobody has answered."""
    return [
        f"{one['seq']} at {host} is {one['stat']}"
        for host in HOSTS
        for one in await town.partners[host].get("charges")
        if one["stat"] != 4 or (one["started_at"] is not None and one["confirm_result"] is None)
    ]


async def _undelivered(town: Town) -> list[str]:
    letters = await town.rig.rows(OutboxLetter, done_at=None, dead_at=None)
    return [f"{one.kind} {one.reason or ''}" for one in letters if one.kind in {*SENT, *ASKED}]


async def reckon(town: Town, load: Load) -> Reckoning:
    """Compare everything; whatever is wrong is an assertion."""
    seen = _Seen(
        {row.host_ref: row for row in await town.rig.rows(SessionRow) if row.host_ref},
        await town.rig.rows(RecordRow),
        Counter(row.record_id for row in await town.rig.rows(ObligationRow) if row.kind != "commission"),
    )
    found = Counter[str]()
    billed_at_homes = {
        one["seq"]: one for home in HOMES for one in await town.partners[home].get("home-charges")
    }
    told = {one["seq"]: one for host in HOSTS for one in await town.partners[host].get("charges")}
    for seq, charge in told.items():
        found[seen.judge(seq, charge, billed_at_homes)] += 1
    strangers = [row for row in seen.records if row.host_party_id in HOSTS and seen.seq_of(row) not in told]
    assert not strangers, [row.record_id for row in strangers]
    _native(town, load, seen)
    await _exposures(town, told)
    dead = [one for one in await town.rig.rows(OutboxLetter) if one.dead_at and one.kind in MONEY]
    assert not dead, [(one.kind, one.reason) for one in dead]
    return Reckoning(found["accepted"], found["refused"], found["never began"], len(load.native))


@dataclass
class _Seen:
    """What the hub has."""

    sessions: dict[str, SessionRow]
    records: list[RecordRow]
    obligations: Counter[str | None]

    def seq_of(self, row: RecordRow) -> str | None:
        """The host's number of a record."""
        return (row.record_ref or "").partition(".")[0]

    def judge(self, seq: str, charge: dict[str, Any], at_homes: dict[str, Any]) -> str:
        """One charge of a host's, and what became of it."""
        records = [row for row in self.records if self.seq_of(row) == seq]
        accepted = [row for row in records if row.state == "accepted"]
        if charge["started_at"] is None:
            assert not records, seq
            return "never began"
        if charge["confirm_result"] != 0:
            assert not accepted, (seq, "was told 1, and was accepted")
            return "refused"
        assert len(accepted) == 1, (seq, [(row.record_ref, row.state) for row in records])
        (record,) = accepted
        assert self.obligations[record.record_id] == 1, (seq, self.obligations[record.record_id])
        assert record.amount_fen == round(100 * charge["order"]["TotalMoney"]), seq
        session = self.sessions[seq]
        assert (session.state, record.settled_at is None) == (SessionState.SETTLED, False), (seq, session.state)
        at_home = at_homes[session.home_ref or ""]
        assert (at_home["confirm_result"], at_home["objection"]) == (0, None), at_home
        assert round(100 * at_home["order"]["TotalMoney"]) == record.owed_fen, seq
        return "accepted"


def _native(town: Town, load: Load, seen: _Seen) -> None:
    """The native pair was not disturbed: every bill was accepted, told to the home and settled, once."""
    records = [row for row in seen.records if row.host_party_id == A]
    assert sorted(row.session_id or "" for row in records) == sorted(load.native)
    assert [seen.obligations[row.record_id] for row in records] == [1] * len(records)
    told = Counter(record.record_id for record in town.rig.b.records)
    assert told == Counter(row.record_id for row in records)
    settled = Counter(said.record_id for said in town.rig.a.settlements)
    assert settled == told


async def _exposures(town: Town, told: dict[str, Any]) -> None:
    """What a home has open is what its sessions reserve, and each of these had its bill refused."""
    sessions = {row.session_id: row for row in await town.rig.rows(SessionRow)}
    reserving = [row for row in await town.rig.rows(AuthorizationRow) if row.reserved_fen]
    for home in (*HOMES, B):
        (exposure,) = await town.rig.rows(Exposure, home_party_id=home)
        reserved_fen = sum(row.reserved_fen for row in reserving if row.home_party_id == home)
        assert exposure.open_limits_fen == reserved_fen, home
        owed_fen = sum(
            row.amount_fen for row in await town.rig.rows(ObligationRow, debtor_party_id=home, kind="charge")
        )
        assert exposure.owed_fen == owed_fen, home
    for row in reserving:
        session = sessions[row.session_id]
        charge = told.get(session.host_ref or "")
        assert session.state not in OVER, (session.session_id, session.state)
        assert charge is not None, (session.session_id, session.state, "nobody knows it")
        assert charge["confirm_result"] == 1, (session.session_id, session.state, charge)


async def log_is_clean(town: Town) -> None:
    """No error, no secret and no token in what the hub has printed."""
    said = town.hub.said()
    bad = [line for line in said.splitlines() if '"level": "ERROR"' in line or '"level": "CRITICAL"' in line]
    assert not bad, bad[:5]
    assert "Traceback" not in said
    assert "Bearer" not in said
    for pair in town.pairs.values():
        for secret in (*pair.sim_keys.values(), *pair.hub_keys.values()):
            assert secret not in said


async def timed(work: Callable[[], Awaitable[None]]) -> float:
    """Do it; the seconds it took."""
    begun = time.monotonic()
    await work()
    return time.monotonic() - begun
