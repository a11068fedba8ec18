"""A start by a home is written by one statement or by an ordinary unit: what is stored is the same."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from hub.core.tables import BusinessMessage, OutboxLane, OutboxLetter
from hub.protocols.native.link import NativeLink
from hub.roaming.tables import AuthorizationRow, LegRow, SessionRow
from operator_sdk.contract.codes import TargetKind
from operator_sdk.contract.messages.common import Target
from tests.rig import HOLD_FEN, Rig, open_rig
from tests.rig_charges import begin_by_home

pytestmark = pytest.mark.integration

OWN = frozenset({"signature", "body", "digest", "position", "letter_id"})
"""What no two starts have in common but that it is there; instants neither, but how long a letter waits is."""

STARTS: list[Mapping[str, Any]] = [
    {"limit_fen": None},
    {"limit_fen": HOLD_FEN},
    {"target": Target(kind=TargetKind.AMOUNT, value=2_000)},
    {"target": Target(kind=TargetKind.ENERGY, value=8_000)},
    {"target": Target(kind=TargetKind.TIME, value=1_800)},
]


async def stored(rig: Rig, session_id: str) -> list[str]:
    """Every row of a start, its own ids as words."""
    session = await rig.session(session_id)
    rows: list[Any] = [session]
    for model, where in (
        (AuthorizationRow, {"session_id": session_id}),
        (LegRow, {"session_id": session_id}),
        (BusinessMessage, {"subject_id": session_id}),
        (OutboxLetter, {"subject": session_id}),
    ):
        rows += await rig.rows(model, **where)
    waits = {row.lane: row.due_at - row.created_at for row in rows if isinstance(row, OutboxLetter)}
    for lane in waits:
        rows += await rig.rows(OutboxLane, lane=lane)
    own = (session_id, session.authorization_id, session.home_ref, session.host_ref)
    words = {name: f"({place})" for place, name in enumerate(own) if name}
    return sorted(_said(row, words, waits) for row in rows)


def _said(row: Any, words: Mapping[str, str], waits: Mapping[str, timedelta]) -> str:
    kept: dict[str, Any] = {
        name: bool(value) if name in OWN else value
        for name, value in row.model_dump().items()
        if not isinstance(value, datetime)
    }
    said = f"{type(row).__name__} {kept} {waits.get(kept.get('lane', ''))}"
    for name, word in words.items():
        said = said.replace(name, word)
    return said


@pytest.mark.parametrize("carries_limits", [True, False])
async def test_one_statement_stores_what_an_ordinary_unit_stores(
    carries_limits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = iter(f"HUB-{number:04d}" for number in range(100))
    monkeypatch.setattr(NativeLink, "carries_limits", carries_limits)
    monkeypatch.setattr(NativeLink, "mint_host_ref", lambda _: next(numbers))
    async with open_rig("postgresql") as rig:
        for asked in STARTS:
            quick = await begin_by_home(rig, **asked)
            with monkeypatch.context() as patch:
                patch.setattr(rig.hub.roaming.starting, "_fast", None)
                ordinary = await begin_by_home(rig, **asked)
            said = await stored(rig, quick.session_id)
            assert said == await stored(rig, ordinary.session_id)
            assert any(SessionRow.__name__ in row and "'state': 'starting'" in row for row in said)
