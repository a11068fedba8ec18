"""`interpile record`, over a database with records that wait."""

from typing import Any

import pytest
from sqlmodel import select

from hub.commands.shell import with_hub
from hub.core.clock import local_day
from hub.parties.tables import AuditRow
from hub.roaming.tables import AuthorizationRow, LegRow, SessionRow
from hub.roaming.tables_records import RecordRow
from hub.roaming.trust import DISPUTES_MOST, count_dispute
from hub.wiring import Hub
from tests.integration.test_commands import A, B, Terminal, add_parties, hub_at, interpile  # noqa: F401
from tests.integration.test_record_states import row

SESSION, AUTHORIZATION = (f"{kind}_0198c0de-0000-7000-8000-000000000003" for kind in ("ses", "aut"))
RECORD, OTHER = (f"rec_0198c0de-0000-7000-8000-00000000000{n}" for n in (1, 2))


async def suspend(hub: Hub) -> None:
    """Two of A's records wait, one for somebody to say who owes it; and A is disputed too often."""
    async with hub.database.unit() as unit:
        unit.session.add(row(RECORD, "suspended", session_id=None, session_ref="offline-7", home_party_id=None))
        unit.session.add(row(OTHER, "suspended", session_id=None, verdicts="pppsp" + "n" * 20))
        for _ in range(DISPUTES_MOST + 1):
            await count_dispute(unit, A, local_day(hub.clock.business()))


async def audited(hub: Hub) -> list[tuple[str, str]]:
    async with hub.database.reading() as unit:
        rows = (await unit.session.exec(select(AuditRow))).all()
    return [(one.action, one.subject) for one in rows]


async def states(hub: Hub) -> dict[str, tuple[str, str | None]]:
    async with hub.database.reading() as unit:
        rows = (await unit.session.exec(select(RecordRow))).all()
    return {one.record_id: (one.state, one.home_party_id) for one in rows}


def test_an_accountant_decides_what_waits(interpile: Terminal) -> None:  # noqa: F811
    add_parties(interpile)
    assert interpile(f"agreement add {B} {A}") == 0, interpile.err
    with_hub(suspend)
    listed = interpile.json("record list --state suspended")
    assert {one["record_id"] for one in listed} == {RECORD, OTHER}
    assert interpile.json("record list --state accepted") == []
    assert interpile("record list --state nonsense") == 2
    assert interpile(f"record show {OTHER}") == 0
    assert "session" in interpile.out
    assert "15.00" in interpile.out
    assert interpile.json(f"record show {OTHER}")["outcomes"][3]["verdict"] == "suspend"
    assert interpile(f"record decide {RECORD} maybe --reason x") == 2
    assert interpile(f"record decide {RECORD} accept --reason seen") == 1
    assert "name the home that owes it" in interpile.err
    decided = interpile.json(f"record decide {RECORD} accept --reason seen --home {B}")
    assert (decided["state"], decided["home_party_id"]) == ("accepted", B)
    assert interpile(f"record decide {OTHER} reject --reason nobody-charged") == 0
    assert with_hub(states) == {RECORD: ("accepted", B), OTHER: ("rejected", B)}
    assert interpile("record show rec_none") == 1
    (host,) = interpile.json("record partners")
    assert host["stopped_day"] is not None
    assert interpile(f"record restore {A} --reason mended --most 7") == 0
    (host,) = interpile.json("record partners")
    assert (host["stopped_day"], host["disputes_most"]) == (None, 7)
    done = with_hub(audited)
    assert ("accept_record", RECORD) in done
    assert ("reject_record", OTHER) in done
    assert ("restore_trust", A) in done


async def leave_unknown(hub: Hub) -> None:
    """A start of a home's driver at A's, of which nobody heard again."""
    now = hub.clock.business()
    same: dict[str, Any] = {
        "home_party_id": B,
        "host_party_id": A,
        "session_id": SESSION,
        "authorization_id": AUTHORIZATION,
    }
    async with hub.database.unit() as unit:
        unit.session.add(AuthorizationRow(**same, state="granted", limit_fen=1, created_at=now, updated_at=now))
        unit.session.add(
            SessionRow(
                **same,
                connector_id="A1",
                start_mode="home",
                state="unknown",
                token_ref="t",
                target_kind="full",
                tariff_id="t",
                created_at=now,
                updated_at=now,
            )
        )
        number = {"protocol": "native", "external_ref": "theirs-7", "direction": "in"}
        unit.session.add(LegRow(session_id=SESSION, side="home", party_id=B, **number))


def test_a_session_is_found_by_anybodys_number_of_it(interpile: Terminal) -> None:  # noqa: F811
    add_parties(interpile)
    with_hub(leave_unknown)
    for number in (SESSION, "theirs-7"):
        (found,) = interpile.json(f"session find {number}")
        assert found["session"]["session_id"] == SESSION
        assert [(leg["side"], leg["party_id"], leg["number"]) for leg in found["legs"]] == [
            ("home", B, "theirs-7")
        ]
    assert interpile("session find theirs-7") == 0
    assert SESSION in interpile.out
    assert "unknown" in interpile.out
    assert interpile("session find nobodys") == 1
    assert "nobody knows" in interpile.err


def test_an_accountant_lets_go_what_no_bill_stands_for(interpile: Terminal) -> None:  # noqa: F811
    add_parties(interpile)
    with_hub(leave_unknown)
    assert interpile(f"record release {SESSION}") == 2
    released = interpile.json(f"record release {SESSION} --reason no-bill-comes")
    assert (released["state"], released["authorization_state"]) == ("start_failed", "released")
    assert interpile(f"record release {SESSION} --reason no-bill-comes") == 0
    assert f"{AUTHORIZATION} released" in interpile.out
    assert interpile("record release ses_none --reason x") == 1
    assert with_hub(audited).count(("release_session", SESSION)) == 1


@pytest.mark.parametrize("words", ["record list", "record partners"])
def test_an_empty_list_is_shown(interpile: Terminal, words: str) -> None:  # noqa: F811
    assert interpile(words) == 0
    assert interpile.json(words) == []
