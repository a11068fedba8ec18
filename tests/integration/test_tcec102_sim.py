"""`interpile sim tcec102` as host and as home, two processes that speak T/CEC 102 with no hub between them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from operator_sdk.clock import Clock
from operator_sdk.contract.tcec102.messages import QueryEquipChargeStatus, QueryStartCharge
from operator_sdk.contract.tcec102.profile import read_profile
from operator_sdk.contract.tcec102.sequences import is_seq
from operator_sdk.tcec102.handlers import Caller
from operator_sdk.tcec102.sim.command import sim
from operator_sdk.tcec102.sim.life import Pace
from operator_sdk.tcec102.sim.platform import Options, Platform
from tests.tcec_partner import ControlRefused, Pair, Simulator, free_port, simulator

PAIR = Pair(sim_id="MA5HOST01", hub_id="MA5HOME01")
NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
FAST = {"SPEED": "600", "INTERPILE_ENV": "test"}


@asynccontextmanager
async def host_and_home(folder: Path, *options: str) -> AsyncIterator[tuple[Simulator, Simulator]]:
    """Both, in business time of noon today, ten minutes to the second."""
    begun = datetime.now(UTC).isoformat()
    noon = datetime.now(UTC).replace(hour=4, minute=0, second=0, microsecond=0).isoformat()
    environment = {**FAST, "INTERPILE_EPOCH": begun, "INTERPILE_EPOCH_BUSINESS": noon}
    ports = free_port(), free_port()
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    common: dict[str, Any] = {"options": options, "environment": environment}
    async with (
        simulator(folder, PAIR, urls[1], role="host", port=ports[0], **common) as host,
        simulator(folder, PAIR.mirrored(), urls[0], role="home", port=ports[1], **common) as home,
    ):
        yield host, home


async def begun(host: Simulator, home: Simulator, number: int) -> str:
    """A charge at this connector; its StartChargeSeq."""
    connector = (await host.get("connectors"))[number]
    scanned = await home.post("scan", text=connector["qr"])
    assert scanned["accepted"], scanned
    assert is_seq(scanned["start_charge_seq"])
    return str(scanned["start_charge_seq"])


async def ordered(home: Simulator, seq: str) -> Any:
    """The home's charge once its order was answered."""
    return await home.until(lambda: home.home_charge(seq), lambda one: one["confirm_result"] is not None)


async def test_charges_run_end_to_end_without_a_hub(tmp_path: Path) -> None:
    async with host_and_home(tmp_path, "--vehicle-wh", "20000") as (host, home):
        assert await home.post("sync") == {"stations": 2}
        seqs = [await begun(host, home, number) for number in range(4)]
        stopped, full, _, disputed = seqs
        await home.until(lambda: home.home_charge(stopped), lambda one: one["statuses"] >= 2)
        await home.post("stop", start_charge_seq=stopped)
        names = [one["connector_id"] for one in await host.get("connectors")]
        await host.post("unplug", connector_id=names[2])
        await home.post("dispute", start_charge_seq=disputed)
        await host.post("fault", connector_id=names[3], on=True)
        charges = {seq: await ordered(home, seq) for seq in seqs}
        reasons = [charges[seq]["order"]["StopReason"] for seq in seqs]
        assert reasons == [1, 2, 4, 3]
        assert [charges[seq]["confirm_result"] for seq in seqs] == [0, 0, 0, 1]
        assert charges[full]["order"]["TotalPower"] == 20
        assert charges[stopped]["stat"] == 4
        check = await host.post("check")
        assert check["sent"]["OrderCount"] == 4
        assert check["answer"]["DisputeOrders"] == []
        statuses = (await home.get("stations"))["statuses"]
        assert [statuses[name] for name in names] == [2, 2, 1, 255]
        state = await home.get("state")
        assert state["counts"]["in:query_token"] == 1, "a token is kept"
        assert state["tolerated"] == {}, "the simulator writes what the standard says"


async def test_a_host_that_is_killed_and_silent_loses_nothing(tmp_path: Path) -> None:
    options = ("--start-timeout-s", "1", "--push-s", "30", "--call-timeout-s", "1")
    async with host_and_home(tmp_path, "--folder", str(tmp_path / "kept"), *options) as (host, home):
        # A start that nobody reports is asked after.
        await host.post("pains", on=["start_never_reports"])
        seq = await begun(host, home, 0)
        assert (await home.home_charge(seq))["stat"] == 1
        charge = await home.until(lambda: home.home_charge(seq), lambda one: one["stat"] == 2)
        assert charge["last"]["ConnectorStatus"] == 3
        # Silence is not a refusal.
        await host.post("pains", on=["silent"])
        with pytest.raises(ControlRefused) as silent:
            await home.post("query", start_charge_seq=seq)
        assert silent.value.error == "TimedOut"
        # Killed before its order was acknowledged, it comes back and repeats it until it is.
        await host.post("pains", off=["*"])
        await home.post("pains", on=["refusing_busy"])
        await home.post("stop", start_charge_seq=seq)
        await host.until(lambda: host.charge(seq), lambda one: one["order_attempts"] >= 1)
        host.kill()
        with pytest.raises(ControlRefused) as gone:
            await home.post("query", start_charge_seq=seq)
        assert gone.value.error == "ConnectionFailed"
        await host.restart()
        charge = await host.until(lambda: host.charge(seq), lambda one: one["order_attempts"] >= 2)
        assert charge["confirm_result"] is None
        await home.post("pains", off=["*"])
        assert (await ordered(home, seq))["order"] == charge["order"]
        await host.until(lambda: host.charge(seq), lambda one: one["confirm_result"] == 0)


async def test_a_charge_goes_on_after_a_restart(tmp_path: Path) -> None:
    now = [NOON]
    clock = Clock(now=lambda: now[0])
    profile, secrets = read_profile(PAIR.sim_profile("http://127.0.0.1:9"))
    options = Options(
        profile=profile,
        secrets=secrets,
        operator_id=PAIR.sim_id,
        role="host",
        folder=tmp_path,
        pace=Pace(start_ms=1),
    )
    seq, caller = "MA5HOME01000000000000000001", Caller(PAIR.hub_id, profile)
    start = QueryStartCharge(start_charge_seq=seq, connector_id="C0000001", qr_code="0173")
    asked = QueryEquipChargeStatus(start_charge_seq=seq)
    readings = []
    for turn in range(3):
        platform = Platform(options, clock)
        host = platform.host
        assert host is not None
        platform.start()
        if not turn:
            assert (await host.query_start_charge(start, caller)).succ_stat == 0
        await asyncio.sleep(0.05)
        now[0] += timedelta(minutes=6)
        readings.append((await host.query_equip_charge_status(asked, caller)).total_power)
        assert host.life.charges[seq].qr_code == "0173"
        again = await host.query_start_charge(start, caller)
        assert (again.succ_stat, again.start_charge_seq_stat) == (0, 2), "the same start is the same charge"
        await platform.aclose()
    assert readings == [6, 12, 18], "kWh after 6, 12 and 18 minutes at 60 kW"


def test_the_command_line_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sim(["tcec102", "--list-pains"]) == 0
    assert "start_never_reports" in capsys.readouterr().out
    profile = tmp_path / "hub.toml"
    profile.write_text(PAIR.sim_profile("http://127.0.0.1:9"))
    for arguments, words in (
        ([], "--profile is required"),
        (["--profile", str(tmp_path / "none.toml")], "No such file"),
        (["--profile", str(profile), "--pains", "toothache"], "no pain 'toothache'"),
        (["--profile", str(profile), "--stations", "9"], "a connector for each"),
    ):
        assert sim(["tcec102", *arguments]) == 2
        assert words in capsys.readouterr().err
