"""The canonical forms on the page about the ledger, made by the ledger and by the auditor."""

import hashlib
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hub.auditor import holds, postings, seals
from hub.auditor.kinds import rule_of
from hub.ledger.model import (
    CLEARING,
    CLEARING_KINDS,
    FIRST_LINK,
    HUB,
    HUB_KINDS,
    OPERATOR_KINDS,
    Account,
    DayFacts,
    EntryFacts,
    EventFacts,
    Hold,
    HoldState,
    PostingFacts,
    chain_digest,
    day_digest,
    hold_event_digest,
    posting_digest,
)

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "ledger.md").read_text("utf-8")
BOOKS = {CLEARING: CLEARING_KINDS, HUB: HUB_KINDS, "MA5CCCCC3": OPERATOR_KINDS}


def example(name: str) -> tuple[str, list[Any], str]:
    """The line as it stands there, what it says, and the digest given for it."""
    found = re.search(rf"<!-- {name} -->\n```json\n(.+)\n```\n\n.*?`([0-9a-f]{{64}})`", PAGE)
    assert found is not None
    line, digest = found.groups()
    return line, json.loads(line), digest


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize("name", ["posting", "hold event", "day"])
def test_the_digest_is_that_of_the_line(name: str) -> None:
    line, _, digest = example(name)
    assert hashlib.sha256(line.encode()).hexdigest() == digest


def test_a_posting_is_made_so_on_both_sides() -> None:
    _, whole, digest = example("posting")
    *head, entries = whole
    posting_id, kind, reference, event_at, booked_at, day, note = head
    facts = PostingFacts(posting_id, kind, reference, at(event_at), at(booked_at), day, note)
    lines = [EntryFacts(Account(*account), *rest) for account, *rest in reversed(entries)]
    assert posting_digest(facts, lines) == digest
    assert postings.posting_digest(head, entries[::-1]) == digest


def test_a_seal_is_made_so_on_both_sides() -> None:
    _, whole, digest = example("posting")
    found = re.search(r"as number 1 it is\n`([0-9a-f]{64})`", PAGE)
    assert found is not None
    assert chain_digest(FIRST_LINK, 1, whole[0], digest) == found[1]
    assert seals.link(seals.FIRST, 1, whole[0], digest) == found[1]


def test_an_event_of_a_hold_is_made_so_on_both_sides() -> None:
    _, whole, digest = example("hold event")
    *event, facts = whole
    reference, account, amount_fen, made_at, _ = facts
    hold = Hold(
        event[0], reference, Account(*account), amount_fen, 1250, 3750, HoldState.CAPTURED, at(made_at), None
    )
    told = EventFacts(event[1], event[2], event[3], at(event[4]), event[5])
    assert hold_event_digest(hold, told) == digest
    assert holds.hold_event_digest(event, facts) == digest


def test_a_day_is_made_so_on_both_sides() -> None:
    _, whole, digest = example("day")
    *facts, before = whole
    assert day_digest(DayFacts(facts[0], at(facts[1]), *facts[2:]), before) == digest
    assert seals.day_digest(facts, before) == digest


@pytest.mark.parametrize("book", BOOKS)
def test_the_auditor_and_the_page_know_the_kinds_that_the_ledger_knows(book: str) -> None:
    shown = {"MA5CCCCC3": "a hosted operator"}.get(book, f"`{book}`")
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| {shown} |")]
    _, _, debit, credit, _ = row.split("|")
    for name, kind in BOOKS[book].items():
        assert rule_of(book, name) == (kind.side.value, kind.may_overdraw)
        side = debit if kind.side.value == "debit" else credit
        assert f"`{name}`" + ("" if kind.may_overdraw else "*") in side
        assert (f"`{name}`*" in side) is not kind.may_overdraw
    listed = set(re.findall(r"`(\w+)`", debit + credit))
    assert listed == set(BOOKS[book])
    assert rule_of(book, "gifts") is None
