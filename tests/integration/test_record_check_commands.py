"""`interpile check records`: an accountant compares a list that an operator mailed."""

from datetime import timedelta
from pathlib import Path

import pytest

from hub.clearing.check_files import WrongFile, read_list
from hub.commands.shell import with_hub
from hub.core.clock import local_day
from hub.wiring import Hub
from operator_sdk.contract.messages.checks import ListedRecord
from tests.checks_world import kept
from tests.integration.test_commands import A, Terminal, add_parties, hub_at, interpile  # noqa: F401

HEAD = "record_ref,amount_yuan,energy_kwh,credit,remark\n"


async def two_wait(hub: Hub) -> str:
    """Two of A's records of yesterday wait, so that nobody owes them yet; the day."""
    day = local_day(hub.clock.business() - timedelta(days=1))
    async with hub.database.unit() as unit:
        unit.session.add_all(kept(number, "suspended", service_day=day) for number in (1, 2))
    return day


def test_an_accountant_compares_a_mailed_list(interpile: Terminal, tmp_path: Path) -> None:  # noqa: F811
    add_parties(interpile)
    day = with_hub(two_wait)
    file = tmp_path / "一月.csv"
    right = HEAD + "r-1,15.00,10,0,好\r\n\r\nr-2,15,10.000,,\r\n"
    file.write_bytes(b"\xef\xbb\xbf" + right.encode())
    compare = f"--party {A} --role host --day {day}"
    assert interpile(f"check records {file} {compare}") == 0, interpile.err
    assert "2 records, 30.00 CNY, 20000 Wh" in interpile.out
    assert interpile("suspense list") == 0
    assert "check" not in interpile.out

    file.write_bytes(f"{HEAD}r-1,14.99,10,0,好\nr-3,0.50,1,1,\n".encode("gb18030"))
    for _ in range(2):
        assert interpile(f"check records {compare} {file}") == 1
        for said in ("amount", "missing_there", "missing_here", "-0.50", "14.99", "15.51"):
            assert said in interpile.out, said
        assert interpile.err == ""
        items = interpile.json("suspense list")
        assert sorted(one["amount_fen"] for one in items) == [1, 50, 1_500]
    listed = interpile.json(f"check records list --day {day}")
    assert [one["differences_count"] for one in listed] == [3, 3, 0]
    assert interpile("check records list") == 0
    assert "staff" in interpile.out
    shown = interpile.json(f"check records show {listed[0]['check_id']}")
    assert [one["kind"] for one in shown["differences"]] == ["amount", "missing_there", "missing_here"]
    assert shown["check"]["state"] == "compared"

    file.write_bytes(right.encode())
    assert interpile(f"check records ./{file.name} {compare}") == 1, "not where we stand"
    assert interpile(f"check records {file} {compare}") == 0
    assert interpile.json("suspense list") == []


def test_what_cannot_be_compared_is_said(interpile: Terminal, tmp_path: Path) -> None:  # noqa: F811
    add_parties(interpile)
    file = tmp_path / "list.csv"
    file.write_text("record,amount_fen,energy_wh\nr-1,1,1\nr 2,1,1\nr-3,1.5,1\nr-4,1\n")
    today = with_hub(business_day)
    yesterday = f"--party {A} --role host --day 2026-01-01"
    assert interpile(f"check records {file} {yesterday}") == 1
    for line in (
        "line 3: the record's name",
        "line 4: the amount is not whole",
        "line 5: 2 columns instead of 3",
    ):
        assert line in interpile.err
    assert "nothing was compared" in interpile.err
    file.write_text("record,amount_fen,energy_wh\n")
    assert interpile(f"check records {file} --party {A} --role home --day 2026-01-01") == 1
    assert "rule_violated" in interpile.err
    assert interpile(f"check records {file} --party {A} --role host --day {today}") == 1
    assert "not over" in interpile.err
    assert interpile(f"check records {file} --party MA5NONE99 --role host --day 2026-01-01") == 1
    assert interpile(f"check records {file} --party {A} --role driver --day 2026-01-01") == 2
    assert interpile(f"check records {file} --party {A} --role host --day yesterday") == 2
    assert interpile(f"check records {tmp_path}/none.csv {yesterday}") == 1
    assert "No such file" in interpile.err
    assert interpile("check records show chk_none") == 1
    assert interpile.json("check records list") == []


async def business_day(hub: Hub) -> str:
    return local_day(hub.clock.business())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1: the file is empty"),
        ("\n \n", "line 1: the file is empty"),
        ("record,amount_fen\n", "line 1: the first line must name one column energy_wh or energy_kwh"),
        ("record,record_ref,amount_fen,energy_wh\n", "line 1: the first line must name one column record"),
        ("record,amount_fen,energy_wh\nr,-1,1\n", "line 2: the amount is not a number"),
        ("record,amount_fen,energy_wh\nr,1e3,1\n", "line 2: the amount is not a number"),
        ("record,amount_fen,energy_wh\nr,nan,1\n", "line 2: the amount is not a number"),
        ("record,amount_yuan,energy_wh\nr,0.001,1\n", "line 2: the amount has more than 2 decimals"),
        ("record,amount_fen,energy_kwh\nr,1,0.0001\n", "line 2: the energy has more than 3 decimals"),
        ("record,amount_fen,energy_kwh\nr,1,9999999999\n", "line 2: the energy is beyond all bounds"),
        ("record,amount_fen,energy_wh,credit\nr,1,1,maybe\n", "line 2: credit is not 1 or 0"),
        ('record,amount_fen,energy_wh\nr,"1,1\n', "line 2: not CSV"),
        ("record,amount_fen,energy_wh\n" + "r" * 65 + ",1,1\n", "line 2: the record's name"),
        ("record,amount_fen,energy_wh\n" + "r" * 20_000, "line 2: too long"),
    ],
)
def test_a_wrong_file_names_its_line(text: str, problem: str) -> None:
    with pytest.raises(WrongFile, match=problem):
        read_list(text.encode())


def test_a_file_with_many_wrong_lines_names_twenty() -> None:
    with pytest.raises(WrongFile) as problem:
        read_list(b"record,amount_fen,energy_wh\n" + b"?,1,1\n" * 1_000)
    assert len(problem.value.problems) == 20
    assert problem.value.problems[-1].startswith("line 21:")


def test_yuan_and_kilowatt_hours_are_exact() -> None:
    told: list[tuple[int, int]] = []
    data = b"energy_kwh,credit,amount_yuan,record\n" + b"0.001,yes,90071992.07,x\n" * 2_000
    lines = read_list(data, lambda done, of: told.append((done, of)))
    line = ListedRecord(record="x", amount_fen=9_007_199_207, energy_wh=1, credit=True)
    assert lines == [line] * 2_000
    assert [of for _, of in told] == [len(data)] * 3
    assert [done for done, _ in told] == sorted(done for done, _ in told)
