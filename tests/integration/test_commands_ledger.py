"""`interpile ledger`: what an accountant sees of books that are in order, and of those that are not."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub import commands
from tests.audit_world import Backup, audited_books, restored

W1 = "MA5CCCCC3/wallet/w1/CNY"


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backup]:
    with audited_books("sqlite") as url, restored(url, tmp_path_factory.mktemp("restored")) as backup:
        yield backup


@pytest.fixture
def hub_at(backup: Backup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERPILE_ENV", "test")
    monkeypatch.setenv("DATABASE_URL", backup.url)
    monkeypatch.setenv("INTERPILE_SECRET_FILE", str(tmp_path / "secrets.json"))


@pytest.fixture
def changed(backup: Backup) -> Iterator[None]:
    backup.run("UPDATE ledger_account SET posted_fen = posted_fen - 1 WHERE subject = 'w1'")
    yield
    backup.run("UPDATE ledger_account SET posted_fen = posted_fen + 1 WHERE subject = 'w1'")


def test_a_backup_is_verified_by_its_address_alone(
    backup: Backup, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:////nowhere/hub.db")
    assert commands.ledger(["verify", "--database", backup.url, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["verified"] is True
    assert (report["holds"], report["days"]) == (7, 3)


def test_what_is_wrong_is_said_on_one_line_and_the_rest_above_it(
    hub_at: None, changed: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.ledger(["verify"]) == 1
    said = capsys.readouterr()
    assert said.err == (
        f"interpile: the ledger does not verify; first: account {W1}:"
        " its balance is not the sum of its entries\n"
    )
    assert "verified     no" in said.out


def test_the_books_go_through_the_seals_that_were_written_down_elsewhere(
    hub_at: None, backup: Backup, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.ledger(["days", "--json"]) == 0
    newest, *_, oldest = json.loads(capsys.readouterr().out)
    assert (newest["day"], oldest["day"]) == ("2026-03-04", "2026-03-02")
    for day in (newest, oldest):
        witness = f"{day['seal_number']}:{day['chain_digest']}"
        assert commands.ledger(["verify", "--witness", witness]) == 0
    assert commands.ledger(["verify", "--witness", f"{oldest['seal_number']}:{newest['chain_digest']}"]) == 1
    assert "first: seal 4: the witness knows another one" in capsys.readouterr().err
    assert commands.ledger(["verify", "--witness", newest["chain_digest"]]) == 2


def test_closed_days_are_listed_with_their_debits(hub_at: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.ledger(["days"]) == 0
    assert "CNY 11.45" in capsys.readouterr().out


def test_a_replay_writes_nothing_and_names_what_differs(
    hub_at: None, changed: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.ledger(["rebuild", "--dry-run"]) == 1
    said = capsys.readouterr()
    (line,) = [one for one in said.out.splitlines() if W1 in one]
    assert line.split()[1:5] == ["-9.83", "-9.82", "1.00", "1.00"]
    assert "1 balances" in said.err


def test_balances_are_not_written_over(hub_at: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.ledger(["rebuild"]) == 1
    assert "would hide" in capsys.readouterr().err
    assert commands.ledger(["rebuild", "--dry-run"]) == 0


def test_a_database_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.ledger(["verify", "--database", "sqlite:////nowhere/hub.db"]) == 1
    assert capsys.readouterr().err == "interpile: no file /nowhere/hub.db\n"
