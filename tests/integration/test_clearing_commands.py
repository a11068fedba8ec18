"""The accountant's command line: closing, proving offline, rates of commission."""

import gzip
import io
import sys
from pathlib import Path

import pytest

from hub.commands.shell import progress_bar, with_hub
from hub.core.clock import ManualClock
from hub.wiring import Hub
from operator_sdk.contract.codes import Frequency
from tests.clearing_world import A, B, Market
from tests.integration.test_commands import Terminal, hub_at, interpile

__all__ = ["hub_at", "interpile"]
"""Fixtures."""


async def _trade(hub: Hub) -> str:
    """Two operators, records of a week and of a day; the instant at which to cut off."""
    market = Market(hub.database, ManualClock(hub.clock.business()))
    market.clearing = hub.clearing
    await market.open({A: "甲充电", B: "乙出行"})
    await market.accept(B, A, 10_000, ppm=20_000)
    await market.accept(A, B, 3_000)
    await market.accept(A, B, 70, frequency=Frequency.WEEKLY)
    return hub.clock.business().isoformat()


def test_a_cycle_is_closed_shown_and_proven_offline(
    interpile: Terminal, hub_at: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = with_hub(_trade)
    closed = interpile.json(f"cycle close --cutoff {at}")
    cycle_id = closed["cycle"]["cycle_id"]
    assert closed["cycle"]["state"] == "fixed"
    assert interpile.err == "", "no progress where nobody looks"
    assert {one["party_id"]: one["amount_fen"] for one in closed["positions"]} == {
        A: 6_800,
        B: -7_000,
        "MA5HUB000": 200,
    }
    weekly = interpile.json(f"cycle close --cutoff {at} --frequency weekly")
    assert (weekly["cycle"]["frequency"], weekly["cycle"]["obligations"]) == ("weekly", 1)
    assert interpile("cycle list") == 0
    assert "weekly" in interpile.out
    assert interpile.json("cycle advance") == []
    hub_and_spoke = [
        {"payer": B, "payee": "settlement", "amount_fen": 7_000},
        {"payer": "settlement", "payee": A, "amount_fen": 6_800},
        {"payer": "settlement", "payee": "MA5HUB000", "amount_fen": 200},
    ]
    assert interpile.json(f"cycle transfers {cycle_id}") == hub_and_spoke
    assert interpile.json(f"cycle transfers {cycle_id} --peer") == [
        {"payer": B, "payee": A, "amount_fen": 6_800},
        {"payer": B, "payee": "MA5HUB000", "amount_fen": 200},
    ]
    file = hub_at / "proof.jsonl.gz"
    assert interpile(f"cycle export-proof {cycle_id}", str(file)) == 0
    # Whoever checks it has neither the database nor the hub's settings.
    monkeypatch.setenv("DATABASE_URL", "sqlite:////nowhere/at/all.db")
    proven = interpile.json("cycle proof", str(file), "--digest", closed["cycle"]["digest"])
    assert proven["net_fen"] == {A: 6_800, B: -7_000, "MA5HUB000": 200}
    assert interpile("cycle proof", str(file)) == 0
    assert "130.00" not in interpile.out
    assert "132.00" in interpile.out, "the total of what is owed"


def test_what_is_wrong_with_a_proof_is_said_in_one_line(interpile: Terminal, hub_at: Path) -> None:
    at = with_hub(_trade)
    closed = interpile.json(f"cycle close --cutoff {at}")
    file = hub_at / "proof.jsonl"
    assert interpile(f"cycle export-proof {closed['cycle']['cycle_id']}", str(file)) == 0
    whole = file.read_bytes()
    packed = gzip.compress(whole)
    for spoilt, words in (
        (whole.replace(b",10000,", b",10001,", 1), "not what MA5BBBBB2 owes MA5AAAAA1"),
        (whole[:-1], "cut short"),
        (b"", "the file ends too early"),
        (packed[:-9], "Compressed file ended"),
        (packed[:20] + b"\x00" + packed[21:], ""),
        (packed + b"x", "Not a gzipped file"),
        (b"\x1f\x8b", ""),
    ):
        file.write_bytes(spoilt)
        assert interpile("cycle proof", str(file)) == 1
        assert interpile.err.count("\n") == 1
        assert words in interpile.err
    assert interpile("cycle proof", str(hub_at / "none")) == 1
    file.write_bytes(whole)
    assert interpile("cycle proof", str(file), "--digest", "0" * 64) == 1
    assert "not that of the statement" in interpile.err
    assert interpile(f"cycle export-proof {closed['cycle']['cycle_id']}", str(hub_at / "no" / "folder")) == 1
    assert "No such file" in interpile.err
    assert interpile("cycle export-proof cyc_none", str(hub_at / "proof")) == 1
    assert not (hub_at / "proof").exists()


def test_rates_groups_and_tax_codes(interpile: Terminal) -> None:
    interpile.json(f"party add {A} --name X --role host --base-url http://127.0.0.1:9000")
    assert interpile("commission add 20000 --from 2000-01-01") == 1
    assert "the_day_is_gone_by" in interpile.err
    assert interpile("commission add 2000000 --from 2999-01-01") == 2
    assert interpile("commission add 20000 --from tomorrow") == 2
    added = interpile.json(
        f"commission add 20000 --from 2999-01-01 --owner {A} --fee-kind service --tax-code 304"
    )
    assert (added["ppm"], added["owner"], added["fee_kind"], added["seller"]) == (20_000, A, "service", None)
    assert added["made_by"].startswith("cli")
    assert interpile.json("commission list")["items"] == [added]
    assert interpile("commission list") == 0
    assert "2999-01-01" in interpile.out
    groups = interpile.json(f"commission group {A} centre S1 S2")["groups"]
    assert groups == [{"station_group": "centre", "station_ids": ["S1", "S2"]}]
    assert interpile.json(f"commission group {A}")["groups"] == groups
    code = interpile.json("commission tax-code commission 304 --from 2999-01-01")
    assert interpile.json("commission tax-codes")["items"] == [code]
    assert interpile("commission tax-code rent 304 --from 2999-01-01") == 2


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def test_who_looks_sees_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    with progress_bar() as told:
        told("digest", 5_000, 20_000)
        told("digest", 20_000, 20_000)
    assert "digest" in screen.getvalue()
    assert "20000/20000" in screen.getvalue()


def test_a_statement_is_written_in_the_form_of_the_files_name(interpile: Terminal, hub_at: Path) -> None:
    at = with_hub(_trade)
    cycle_id = interpile.json(f"cycle close --cutoff {at}")["cycle"]["cycle_id"]
    for form, begins in (("pdf", b"%PDF-"), ("xlsx", b"PK"), ("html", b"<!doctype"), ("csv", b"\xef\xbb\xbf")):
        file = hub_at / f"statement.{form}"
        assert interpile(f"cycle statement {cycle_id} {A} --out", str(file)) == 0
        assert file.read_bytes().startswith(begins)
    assert interpile(f"cycle statement {cycle_id} {A} --out", str(hub_at / "statement.docx")) == 1
    assert ".pdf or .xlsx" in interpile.err
    assert interpile(f"cycle statement {cycle_id} {A} --out", str(hub_at / "no" / "folder.pdf")) == 1
    assert "folder.pdf: No such file or directory" in interpile.err
    assert interpile.err.count("\n") == 1


def test_everybodys_papers_are_written_to_a_folder(interpile: Terminal, hub_at: Path) -> None:
    at = with_hub(_trade)
    cycle_id = interpile.json(f"cycle close --cutoff {at}")["cycle"]["cycle_id"]
    folder = hub_at / "papers"
    assert interpile(f"cycle papers {cycle_id}", str(folder)) == 0
    assert "files" in interpile.out
    parties = (A, B, "MA5HUB000")
    assert {file.name for file in folder.iterdir()} == {
        f"{p}.{kind}" for p in parties for kind in ("csv", "html")
    }
    written = interpile.json(f"cycle papers {cycle_id}", str(folder), "--pdf", "--xlsx")
    assert written == sorted(str(folder / f"{p}.{f}") for p in parties for f in ("csv", "html", "pdf", "xlsx"))
    assert interpile.err == "", "no progress where nobody looks"
    assert folder.joinpath(f"{A}.pdf").read_bytes().startswith(b"%PDF-")
    assert interpile("cycle papers cyc_none", str(hub_at / "none")) == 1
    assert not (hub_at / "none").exists()
    taken = hub_at / "taken"
    taken.write_text("mine")
    assert interpile(f"cycle papers {cycle_id}", str(taken)) == 1
    assert "taken: File exists" in interpile.err
    assert interpile.err.count("\n") == 1
    assert taken.read_text() == "mine"
