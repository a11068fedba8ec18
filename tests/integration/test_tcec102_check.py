"""`interpile check tcec102` against the simulated platform in its own process: honest, then with its pains."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from operator_sdk.tcec102.check.command import check
from tests.tcec_partner import ControlRefused, Pair, Simulator, free_port, simulator

PAIR = Pair(sim_id="MA5PARTN1", hub_id="MA5CHECK1")


async def _checked(folder: Path, partner: Simulator, *more: str, head: str = "") -> tuple[int, dict[str, Any]]:
    """The command's exit code and its report; found by name."""
    profile, report = folder / "checked.toml", folder / "report.json"
    profile.write_text(PAIR.hub_profile(partner.url, head=head))
    argv = ["tcec102", str(profile), "--json", str(report), "--html", str(folder / "report.html"), *more]
    code = await asyncio.to_thread(check, argv)
    findings = json.loads(report.read_text())["findings"]
    return code, {one["name"]: one for one in findings}


async def _scans(partner: Simulator) -> str:
    """A driver of the partner's scans the check's QR code, again until the check listens."""
    while True:
        try:
            scanned = await partner.post("scan", text="hlht://INTERPILECHECK101.MA5CHECK1/")
        except ControlRefused:
            await asyncio.sleep(0.05)
            continue
        assert scanned["accepted"], scanned
        return str(scanned["start_charge_seq"])


def _states(findings: dict[str, Any], state: str) -> set[str]:
    return {name for name, one in findings.items() if one["state"] == state}


async def test_a_platform_as_the_standard_says_passes_and_nothing_is_left_charging(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    async with simulator(tmp_path, PAIR, f"http://127.0.0.1:{port}") as partner:
        connector_id = (await partner.get("connectors"))[0]["connector_id"]
        listen = (
            "--listen",
            f"127.0.0.1:{port}",
            "--charge",
            connector_id,
            "--scan",
            "--patience-s",
            "8",
            "--slow-s",
            "1",
        )
        driver = asyncio.create_task(_scans(partner))
        code, findings = await _checked(tmp_path, partner, *listen)
        charges, guest = await partner.get("charges"), await partner.home_charge(await driver)
    assert (_states(findings, "fails"), code) == (set(), 0)
    assert _states(findings, "skipped") == set()
    assert findings["charge.order_again"]["said"].startswith("it came again, the same")
    assert len(charges) == 1
    assert charges[0]["ended_at"] is not None
    assert (guest["stat"], guest["confirm_result"], guest["order"]["TotalMoney"]) == (4, 0, 0)
    said = capsys.readouterr()
    shown = said.out
    assert "hlht://INTERPILECHECK101.MA5CHECK1/" in said.err
    assert "ok    charge.nothing_left" in shown
    page = (tmp_path / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    for secret in [*PAIR.sim_keys.values(), *PAIR.hub_keys.values()]:
        assert secret not in shown + page + (tmp_path / "report.json").read_text()


async def test_a_start_that_is_never_reported_is_stopped_all_the_same(tmp_path: Path) -> None:
    port = free_port()
    async with simulator(tmp_path, PAIR, f"http://127.0.0.1:{port}") as partner:
        await partner.post("pains", on=["start_never_reports"])
        connector_id = (await partner.get("connectors"))[0]["connector_id"]
        listen = ("--listen", f"127.0.0.1:{port}", "--charge", connector_id, "--patience-s", "1")
        code, findings = await _checked(tmp_path, partner, *listen)
        charges = await partner.get("charges")
    assert code == 1
    assert findings["charge.result"]["said"] == "no notification_start_charge_result within 1 s"
    assert findings["charge.nothing_left"]["state"] == "holds"
    assert [one["ended_at"] is not None for one in charges] == [True]


async def test_what_a_platform_does_wrong_is_named_with_its_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with simulator(tmp_path, PAIR, "http://127.0.0.1:9") as partner:
        await partner.post("pains", on=["token_kills_old", "unsigned_errors", "area_name", "policy_hhmm"])
        code, findings = await _checked(tmp_path, partner)
        assert code == 1
        assert {"token.reuse", "signature.wrong"} <= _states(findings, "fails")
        assert "unsigned_4002" in findings["answers.forms"]["said"]
        assert "stations.fields" in _states(findings, "note")
        assert _states(findings, "skipped") >= {"charge.start", "charge.nothing_left", "calls.taken"}
        wrong = findings["signature.wrong"]
        assert "has no Sig" in wrong["said"]
        assert '"Ret":4001' in wrong["evidence"][0]["received"]
        assert '"Ret":4001' in capsys.readouterr().out

        await partner.post("pains", off=["*"], on=["service_spelling", "numbers_as_strings", "mime_base64"])
        code, findings = await _checked(tmp_path, partner)
        assert {"text_number", "alias", "line_breaks"} <= set(
            findings["answers.forms"]["said"].replace("(", ":").replace(" ", ":").split(":")
        )
        await partner.post("pains", off=["*"], on=["wrong_answer_sig"])
        code, findings = await _checked(tmp_path, partner)
        assert code == 1
        assert "Sig does not match" in findings["token.issued"]["said"]


async def test_what_cannot_be_checked_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "none.toml"
    assert await asyncio.to_thread(check, ["tcec102", str(missing)]) == 2
    profile = tmp_path / "nobody.toml"
    profile.write_text(PAIR.hub_profile("http://127.0.0.1:9", roles=["host"]))
    assert await asyncio.to_thread(check, ["tcec102", str(profile)]) == 1
    said = capsys.readouterr()
    assert "none.toml" in said.err
    assert "FAIL  token.issued" in said.out
    assert "no answer: ConnectError" in said.out
    assert "-     signature.wrong         the platform cannot be reached" in said.out


async def test_swapped_keys_and_a_wrong_secret_are_named_and_nothing_more_is_asked(tmp_path: Path) -> None:
    swapped = Pair(PAIR.sim_id, PAIR.hub_id, sim_keys=PAIR.hub_keys, hub_keys=PAIR.sim_keys)
    other = {**PAIR.sim_keys, "operator_secret": "0123456789abcdef"}
    wrong = Pair(PAIR.sim_id, PAIR.hub_id, sim_keys=other, hub_keys=PAIR.hub_keys)
    async with simulator(tmp_path, PAIR, "http://127.0.0.1:9") as partner:
        for pair, said in (
            (swapped, "the two directions are swapped in the profile"),
            (wrong, "SuccStat 1, FailReason 2, no token"),
        ):
            profile, report = tmp_path / "wrong.toml", tmp_path / "report.json"
            profile.write_text(pair.hub_profile(partner.url))
            argv = ["tcec102", str(profile), "--json", str(report)]
            assert await asyncio.to_thread(check, argv) == 1
            first, *others = json.loads(report.read_text())["findings"]
            assert first["said"].endswith(said)
            assert {one["state"] for one in others} == {"skipped"}
