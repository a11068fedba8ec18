"""`interpile check tcec102`: a package adds to another's command, and reports are readable and safe."""

import contextlib
import io
import socket
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, cast

import httpx
import pytest

from operator_sdk.clock import Clock
from operator_sdk.command import GROUP, main
from operator_sdk.contract.tcec102.messages import ConnectorStatusInfo, NotificationStationStatus
from operator_sdk.contract.tcec102.profile import Profile, read_profile
from operator_sdk.tcec102 import Tcec102Client, TokenRefused
from operator_sdk.tcec102.check.command import check
from operator_sdk.tcec102.check.listener import Heard, Listener
from operator_sdk.tcec102.check.plan import Bench, carry_out
from operator_sdk.tcec102.check.probe import Probe
from operator_sdk.tcec102.check.report import (
    FAILS,
    HOLDS,
    NOTE,
    Evidence,
    Finding,
    Report,
    as_html,
    as_json,
    as_table,
)
from operator_sdk.tcec102.check.running import checks_for
from operator_sdk.tcec102.check.summing import SUMMING
from tests.tcec_partner import Pair, free_port


def theirs(argv: list[str]) -> int:
    """Their part."""
    return 10 + len(argv)


def added(argv: list[str]) -> int:
    """Our part."""
    return 20 + len(argv)


COMMANDS = [
    EntryPoint("check", f"{__name__}:theirs", GROUP),
    EntryPoint("check.tcec102", f"{__name__}:added", GROUP),
]
EVIDENCE = Evidence("query_token", '{"Data":"<script>"}', "received", "opened", 200, 12)
REPORT = Report(
    "395815801",
    "A <b>partner</b>",
    "https://a.example",
    "2026-08-01T02:00:00+00:00",
    [
        Finding("token.issued", "a token", HOLDS, "7200 s"),
        Finding("token.wrong", "4002", FAILS, "taken with Ret 0", (EVIDENCE,)),
    ],
)


def test_a_package_adds_a_subcommand_to_anothers_group(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "records", "list"], COMMANDS) == 12
    assert main(["check", "tcec102", "profile.toml"], COMMANDS) == 22
    assert main(["check"], COMMANDS) == 10
    assert main(["--help"], COMMANDS) == 0
    assert "check tcec102  Our part." in capsys.readouterr().out


def test_the_command_is_installed_beside_the_hubs() -> None:
    text = (Path(__file__).resolve().parents[2] / "pyproject.toml").read_text()
    assert '"check.tcec102" = "operator_sdk.tcec102.check.command:check"' in text
    assert 'check = "hub.commands:check"' in text


def test_the_table_shows_the_bytes_of_what_fails_alone() -> None:
    table = as_table(REPORT)
    assert "ok    token.issued  7200 s" in table
    assert "FAIL  token.wrong   taken with Ret 0" in table
    assert "received received" in table
    assert table.endswith("2 checks: 1 holds, 1 does not hold")
    twice = replace(REPORT, findings=[*REPORT.findings, *REPORT.findings, Finding("forms", "", NOTE, "")])
    assert twice.counts() == "5 checks: 2 hold, 2 do not hold, 1 note"


def test_the_page_holds_what_partners_sent_as_text_only() -> None:
    page = as_html(REPORT)
    assert "<script>" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;" in page
    assert as_json(REPORT)["failed"] == 1


def _names(roles: list[Literal["host", "home"]]) -> list[str]:
    profile = Profile(operator_id="395815801", name="n", roles=roles, base_url="https://a.example")
    return [one.name for one in checks_for(profile)]


def test_what_is_looked_at_follows_the_roles() -> None:
    both = {"token", "envelope", "limits", "signature", "encryption", "business", "answers", "calls"}
    host = {"stations", "status", "stats", "auth", "policy", "start", "stop", "charge"}
    assert {name.partition(".")[0] for name in _names(["host"])} == both | host
    assert {name.partition(".")[0] for name in _names(["home"])} == both | {"told", "guest"}
    every = _names(["host", "home"])
    assert len(every) == len(set(every))


@pytest.mark.parametrize(
    ("paths", "is_taken"), [(["stop", "query_token"], True), (["query_token", "stop"], False)]
)
async def test_a_token_of_an_earlier_check_may_be_refused_until_the_platform_asks_anew(
    paths: list[str], is_taken: bool
) -> None:
    answers = {"stop": b'{"Ret":4002,"Msg":"the token is over"}', "query_token": b'{"Ret":0}'}
    heard = [Heard(f"/evcs/v1/{path}", answer=answers[path]) for path in paths]
    found = await _found("calls.taken", SimpleNamespace(heard=heard))
    assert found.state == (HOLDS if is_taken else FAILS), found.said


async def test_calls_that_were_refused_are_shown_with_their_bytes() -> None:
    heard = [Heard("/evcs/v1/query_token", b"asked", b'{"Ret":0}')]
    heard += [Heard(f"/evcs/v1/stop{n}", b"said %d" % n, b'{"Ret":4001,"Msg":"Sig"}') for n in range(5)]
    found = await _found("calls.taken", SimpleNamespace(heard=heard))
    assert found.said == "5 of 6 calls were refused, the first (/evcs/v1/stop0) with Ret 4001: Sig"
    assert [one.received for one in found.evidence] == ["said 0", "said 1", "said 2"]
    assert {one.sent for one in found.evidence} == {'{"Ret":4001,"Msg":"Sig"}'}


async def _found(name: str, listener: Any) -> Finding:
    """What one of the last checks finds of what was heard."""
    bench = Bench(cast("Probe", SimpleNamespace(log=[])), listener=listener)
    return await carry_out(next(one for one in SUMMING if one.name == name), bench)


@pytest.mark.parametrize(("secret", "state"), [("0123456789abcdef", FAILS), (None, HOLDS)])
async def test_a_platform_that_has_another_secret_of_ours_is_named(secret: str | None, state: str) -> None:
    """The token that it works with may be good for hours; we know none of its tokens, so it must ask us."""
    pair = Pair(sim_id="MA5PARTN1", hub_id="MA5CHECK1")
    profile, secrets = read_profile(pair.hub_profile("http://127.0.0.1:9"))
    listener = Listener(profile, secrets, operator_id=pair.hub_id, clock=Clock())
    keys = pair.hub_keys if secret is None else {**pair.hub_keys, "operator_secret": secret}
    mine = read_profile(Pair(pair.sim_id, pair.hub_id, pair.sim_keys, keys).sim_profile("http://check"))
    status = NotificationStationStatus(connector_status_info=ConnectorStatusInfo(connector_id="A1", status=1))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=listener)) as http:
        platform = Tcec102Client(*mine, operator_id=pair.sim_id, clock=Clock(), http=http)
        with contextlib.suppress(TokenRefused):
            await platform.notification_stationStatus(status)
    found = await _found("calls.tokens", listener)
    assert found.state == state
    assert ("FailReason 2" in found.said) is (state == FAILS)


def test_the_code_to_scan_is_shown_once_the_pile_can_be_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, reached = free_port(), []

    class Screen(io.StringIO):
        def write(self, text: str) -> int:
            if "hlht://" in text:
                with socket.create_connection(("127.0.0.1", port), 1):
                    reached.append(text)
            return len(text)

    monkeypatch.setattr("sys.stderr", Screen())
    profile = tmp_path / "profile.toml"
    profile.write_text(Pair("MA5PARTN1", "MA5CHECK1").hub_profile("http://127.0.0.1:9", roles=["home"]))
    assert check(["tcec102", str(profile), "--scan", "--listen", f"127.0.0.1:{port}"]) == 1
    assert [f"listening on 127.0.0.1:{port}; scan this" in text for text in reached] == [True]
