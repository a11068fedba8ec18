"""`interpile check tcec102`: a package adds to another's command, and reports are readable and safe."""

from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Literal, cast

import pytest

from operator_sdk.command import GROUP, main
from operator_sdk.contract.tcec102.profile import Profile
from operator_sdk.tcec102.check.listener import Heard
from operator_sdk.tcec102.check.plan import Bench
from operator_sdk.tcec102.check.probe import Fails
from operator_sdk.tcec102.check.report import (
    FAILS,
    HOLDS,
    Evidence,
    Finding,
    Report,
    as_html,
    as_json,
    as_table,
)
from operator_sdk.tcec102.check.running import checks_for
from operator_sdk.tcec102.check.summing import SUMMING


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
    assert table.endswith("1 holds, 1 fails")


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
    bench = cast("Bench", SimpleNamespace(listener=SimpleNamespace(heard=heard)))
    taken = next(one for one in SUMMING if one.name == "calls.taken")
    if is_taken:
        await taken.work(bench)
    else:
        with pytest.raises(Fails, match="4002"):
            await taken.work(bench)
