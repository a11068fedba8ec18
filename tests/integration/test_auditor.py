"""The auditor: backups restored elsewhere verify, and whatever somebody changes in them is named."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import SQLModel

from hub.auditor.rebuild import Balances, replay
from hub.auditor.source import Unreadable
from hub.auditor.verify import verify
from hub.ledger.triggers import PROTECTED
from tests.audit_world import Backup, audited_books, restored

GUARDED = (*PROTECTED, "ledger_hold", "ledger_account", "ledger_unsealed")
COLUMNS = [
    (table, column.name, "1 = 1") for table in GUARDED for column in SQLModel.metadata.tables[table].columns
]
CLEARED = [
    *(
        ("obligation", column, f"kind = '{kind}'")
        for column in (
            "amount_fen",
            "debtor_party_id",
            "creditor_party_id",
            "currency",
            "cycle_id",
            "frequency",
        )
        for kind in ("charge", "commission")
    ),
    ("obligation", "record_id", "kind = 'charge'"),
    *(
        ("cycle_position", column, "amount_fen <> 0")
        for column in ("cycle_id", "party_id", "owes_fen", "is_owed_fen", "amount_fen")
    ),
    *(
        ("suspense_item", column, "closed_at IS NULL")
        for column in ("item_id", "amount_fen", "host_party_id", "currency")
    ),
]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def backup(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backup]:
    with audited_books(request.param) as url, restored(url, tmp_path_factory.mktemp("restored")) as backup:
        yield backup


def test_a_backup_restored_elsewhere_verifies(backup: Backup) -> None:
    report = verify(backup.url)
    assert report.problems == []
    assert report.verified
    assert (report.days, report.holds, report.postings - report.sealed) == (3, 7, 11)


@pytest.mark.parametrize(("table", "column", "where"), [*COLUMNS, *CLEARED])
def test_one_changed_digit_is_found(backup: Backup, table: str, column: str, where: str) -> None:
    keys = [key.name for key in SQLModel.metadata.tables[table].primary_key]
    order = ", ".join(f"{key} DESC" for key in keys)
    found = f"SELECT {column}, {', '.join(keys)} FROM {table} WHERE {column} IS NOT NULL AND {where}"
    value, *key = backup.run(f"{found} ORDER BY {order} LIMIT 1")[0]
    here = " AND ".join(f"{key} = ?" for key in keys)
    report = backup.report_after(f"UPDATE {table} SET {column} = ? WHERE {here}", other(value), *key)
    assert not report.verified, f"{table}.{column} was changed unseen"
    assert report.problems


def test_a_hold_in_whatever_state_has_no_other_state_unseen(backup: Backup) -> None:
    holds = backup.run("SELECT hold_id, state FROM ledger_hold")
    assert {state for _, state in holds} == {"open", "captured", "voided", "expired", "refused"}
    for hold_id, state in holds:
        for lie in {"open", "captured", "voided", "expired", "refused", "opened"} - {state}:
            report = backup.report_after("UPDATE ledger_hold SET state = ? WHERE hold_id = ?", lie, hold_id)
            assert not report.verified, f"{state} became {lie}"


def other(value: Any) -> Any:
    """The value with the smallest change there is: one more, or another last digit or letter."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case datetime():
            return value + timedelta(microseconds=1)
        case "":
            return "0"
        case str():
            at = max((n for n, sign in enumerate(value) if sign.isdigit()), default=len(value) - 1)
            sign = str((int(value[at]) + 1) % 10) if value[at].isdigit() else chr(ord(value[at]) ^ 1)
            return value[:at] + sign + value[at + 1 :]
    raise TypeError(value)


OF_T1 = "(SELECT posting_id FROM ledger_posting WHERE reference = 't1')"
OF_LATE = "(SELECT posting_id FROM ledger_posting WHERE reference = 'waits for its seal')"
OF_W1 = "(SELECT account_id FROM ledger_account WHERE subject = 'w1')"
OF_DEBT = (
    "INSERT INTO ledger_account (book, kind, subject, currency, side, may_overdraw, posted_fen, held_fen,"
    " version) VALUES ('MA5CCCCC3', '{}', 'x', 'CNY', '{}', true, 0, 0, 0)"
)
PLANTED = {
    "an entry's amount": (
        f"UPDATE ledger_entry SET amount_fen = amount_fen + 1 WHERE posting_id = {OF_T1}",
        "posting pos_.*: its entries do not sum to zero",
    ),
    "two amounts that still balance": (
        f"UPDATE ledger_entry SET amount_fen = amount_fen * 2 WHERE posting_id = {OF_T1}",
        "posting pos_.*: changed since it was booked",
    ),
    "a note": (
        "UPDATE ledger_posting SET note = 'x' WHERE reference = 't1'",
        "posting pos_.*: changed since it was booked",
    ),
    "a balance after an entry": (
        f"UPDATE ledger_entry SET balance_after_fen = 0 WHERE account_version = 2 AND account_id = {OF_W1}",
        "posting pos_.*: changed since it was booked",
    ),
    "a deleted entry": (
        f"DELETE FROM ledger_entry WHERE posting_id = {OF_T1} AND amount_fen > 0",
        "posting pos_.*: fewer than two entries",
    ),
    "a deleted posting": (
        "DELETE FROM ledger_posting WHERE reference = 'waits for its seal'",
        "entry .*/.*: its posting pos_.* does not exist",
    ),
    "a posting deleted with its entries": (
        f"DELETE FROM ledger_entry WHERE posting_id = {OF_LATE}",
        "posting pos_.*: fewer than two entries",
    ),
    "an account's balance": (
        f"UPDATE ledger_account SET posted_fen = posted_fen - 1 WHERE account_id = {OF_W1}",
        "account MA5CCCCC3/wallet/w1/CNY: its balance is not the sum of its entries",
    ),
    "an account's version": (
        f"UPDATE ledger_account SET version = version + 1 WHERE account_id = {OF_W1}",
        "account MA5CCCCC3/wallet/w1/CNY: its version is not the number of its entries",
    ),
    "an account's holds": (
        f"UPDATE ledger_account SET held_fen = 99 WHERE account_id = {OF_W1}",
        "account MA5CCCCC3/wallet/w1/CNY: what it holds is not the sum of its open holds",
    ),
    "more held than there is": (
        f"UPDATE ledger_account SET held_fen = 100000 WHERE account_id = {OF_W1}",
        "account MA5CCCCC3/wallet/w1/CNY: more is held than there is",
    ),
    "an account of a kind that there is not": (
        OF_DEBT.format("gifts", "debit"),
        "account MA5CCCCC3/gifts/x/CNY: not what accounts of kind gifts are in book MA5CCCCC3",
    ),
    "an account on the wrong side": (
        OF_DEBT.format("payable", "debit"),
        "account MA5CCCCC3/payable/x/CNY: not what accounts of kind payable are in book MA5CCCCC3",
    ),
    "a hold that came back": (
        "UPDATE ledger_hold SET state = 'open', captured_fen = 0, released_fen = 0"
        " WHERE reference = 'taken as nothing'",
        "account MA5CCCCC3/wallet/w1/CNY: what it holds is not the sum of its open holds",
    ),
    "a hold that ended silently": (
        "UPDATE ledger_hold SET state = 'voided', released_fen = amount_fen WHERE reference = 'open'",
        "account MA5CCCCC3/wallet/w1/CNY: what it holds is not the sum of its open holds",
    ),
    "a refused hold that revived": (
        "UPDATE ledger_hold SET state = 'voided', released_fen = amount_fen WHERE reference = 'too much'",
        "hold hld_.*: its events tell another story",
    ),
    "a deleted event": (
        "DELETE FROM ledger_hold_event WHERE number = 2 AND event = 'expired'",
        "hold hld_.*: its events tell another story",
    ),
    "a deleted hold": (
        "DELETE FROM ledger_hold WHERE reference = 'voided'",
        "event 1 of hold hld_.*: there is no such hold",
    ),
    "a capture that took less than its posting": (
        "UPDATE ledger_hold SET captured_fen = 39, released_fen = 61 WHERE reference = 'captured'",
        "hold hld_.*: it ended with another amount",
    ),
    "a seal": ("UPDATE ledger_seal SET chain_digest = 'x' WHERE number = 3", "seal 3: the chain is broken"),
    "a missing seal": ("DELETE FROM ledger_seal WHERE number = 2", "seal 3: the chain is broken"),
    "the last seal": ("DELETE FROM ledger_seal WHERE number = 6", "seal 5: the sealer says .* is 6"),
    "two seals exchanged": ("UPDATE ledger_seal SET number = 106 - number", "seal 100: the chain is broken"),
    "a forgotten posting": (
        "DELETE FROM ledger_unsealed",
        "posting pos_.*: neither sealed nor waiting for its seal",
    ),
    "a posting that waits and is sealed": (
        f"INSERT INTO ledger_unsealed VALUES ({OF_T1})",
        "posting pos_.*: waits for a seal although it has seal .",
    ),
    "a day": (
        "UPDATE ledger_day SET day = '2026-02-28' WHERE day = '2026-03-02'",
        "day 2026-02-28: changed since it was closed",
    ),
    "a deleted day": (
        "DELETE FROM ledger_day WHERE day = '2026-03-02'",
        "day 2026-03-03: changed since it was closed",
    ),
    "a deleted position": (
        "DELETE FROM cycle_position WHERE amount_fen > 0",
        "cycle cyc_.*: the position of .* is not what its obligations come to",
    ),
    "an item of suspense closed without a posting": (
        "UPDATE suspense_item SET closed_at = opened_at WHERE closed_at IS NULL",
        "suspense item sus_.*: 321 fen stand in the books for it, not what is open",
    ),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_the_first_thing_that_is_wrong_is_named(backup: Backup, planted: str) -> None:
    statement, finding = PLANTED[planted]
    report = backup.report_after(statement)
    assert not report.verified
    assert re.fullmatch(finding, report.problems[0]), report.problems


def test_a_bank_number_booked_as_two_things_is_named(backup: Backup) -> None:
    booked = "INSERT INTO {} SELECT 'N-1', {}, opened_at, opened_at, 'ann' FROM suspense_item LIMIT 1"
    backup.run(booked.format("deposit_movement", "'MA5BBBBB2', 0, NULL"))
    try:
        assert verify(backup.url).problems == []
        report = backup.report_after(booked.format("payment_movement", "'pay_1', 5"))
    finally:
        backup.run("DELETE FROM deposit_movement")
    assert report.problems == ["bank number N-1: booked as a payment and as a deposit"]


def test_a_flood_of_problems_is_counted_and_not_kept(backup: Backup) -> None:
    many = "INSERT INTO ledger_unsealed SELECT {} FROM {}"
    if backup.url.startswith("sqlite"):
        numbers = (
            "(WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 130) SELECT x FROM n)"
        )
        statement = many.format("x", numbers)
    else:
        statement = many.format("x::text", "generate_series(1, 130) AS x")
    problems = backup.report_after(statement).problems
    assert len(problems) == 101
    assert problems[-1] == "and 30 more"


def test_a_replay_shows_every_balance_that_is_not_that_of_its_entries(backup: Backup) -> None:
    before = replay(backup.url)
    assert (before.accounts, before.differences) == (14, [])
    wrong = f"UPDATE ledger_account SET posted_fen = posted_fen + {{}}, held_fen = 7 WHERE account_id = {OF_W1}"
    backup.run(wrong.format(3))
    try:
        (one,) = replay(backup.url).differences
    finally:
        backup.run(wrong.format(-3).replace("held_fen = 7", "held_fen = 100"))
    assert one.account == "MA5CCCCC3/wallet/w1/CNY"
    assert one.replayed == Balances(-982, 100, 7)
    assert one.stored == Balances(-979, 7, 7)


@pytest.mark.parametrize("url", ["sqlite:////nowhere/hub.db", "mysql://x/y", "postgresql://127.0.0.1:1/x"])
def test_what_is_no_database_of_ours_is_said_to_be_none(url: str) -> None:
    with pytest.raises(Unreadable):
        verify(url)
