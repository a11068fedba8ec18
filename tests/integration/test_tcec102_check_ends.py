"""A charge that `interpile check tcec102` started is over only where the platform says so."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from operator_sdk.clock import Clock
from operator_sdk.contract.tcec102 import messages as m
from operator_sdk.contract.tcec102.profile import read_profile
from operator_sdk.tcec102.check.charge import CHARGE
from operator_sdk.tcec102.check.ending import told_over
from operator_sdk.tcec102.check.guest import release_guest
from operator_sdk.tcec102.check.listener import Ears, Listener
from operator_sdk.tcec102.check.plan import Bench, carry_out
from operator_sdk.tcec102.check.probe import Probe
from operator_sdk.tcec102.check.report import FAILS, HOLDS, SKIPPED, Finding
from operator_sdk.tcec102.check.running import listening
from tests.tcec_partner import Pair, Simulator, free_port, simulator

PAIR = Pair(sim_id="MA5PARTN1", hub_id="MA5CHECK1")
NO_STATUS = 'query_equip_charge_status = "/evcs/v1/check_charge_orders"'
NO_STOP = 'query_stop_charge = "/evcs/v1/check_charge_orders"'
"""Nobody tells a host orders: it answers what it does not offer, with 4004."""


@asynccontextmanager
async def _bench(
    folder: Path, *paths: str, patience_s: int = 2, role: str = "host"
) -> AsyncIterator[tuple[Bench, Simulator]]:
    """A simulated platform, and a check of it that listens; some interfaces are not offered."""
    address = f"127.0.0.1:{free_port()}"
    clock = Clock()
    async with simulator(folder, PAIR, f"http://{address}", role=role) as partner:
        text = PAIR.hub_profile(partner.url, roles=[role], more="\n".join(["[paths]", *paths]))
        profile, secrets = read_profile(text)
        listener = Listener(profile, secrets, operator_id=PAIR.hub_id, clock=clock)
        async with httpx.AsyncClient(trust_env=False) as http, listening(listener, address):
            probe = Probe(profile, secrets, operator_id=PAIR.hub_id, clock=clock, http=http)
            bench = Bench(probe, listener=listener, patience_s=patience_s)
            if role == "host":
                bench.connector_id = (await partner.get("connectors"))[0]["connector_id"]
            probe.token = (await probe.sign_in()).reply(m.QueryTokenReply).access_token
            yield bench, partner


async def _find(bench: Bench, name: str) -> Finding:
    return await carry_out(next(one for one in CHARGE if one.name == f"charge.{name}"), bench)


async def _begun(bench: Bench, partner: Simulator) -> str:
    """A charge that runs, by its number."""
    assert (await _find(bench, "start")).state == HOLDS
    assert bench.charge
    seq = bench.charge
    await partner.until(lambda: partner.charge(seq), lambda one: one["started_at"])
    return seq


async def test_a_stop_is_tried_again_until_it_is_taken(tmp_path: Path) -> None:
    async with _bench(tmp_path) as (bench, partner):
        seq = await _begun(bench, partner)
        await partner.post("pains", on=["refusing_busy"])
        looking = asyncio.create_task(_find(bench, "nothing_left"))
        await partner.until(lambda: partner.count("in:query_stop_charge"), lambda count: count)
        await partner.post("pains", off=["*"])
        found = await looking
        assert (await partner.charge(seq))["ended_at"] is not None
    assert (found.state, found.title) == (HOLDS, "nothing is left charging")
    assert bench.charge is None


async def test_a_stop_that_no_platform_takes_is_told_with_the_charge_and_what_to_do(tmp_path: Path) -> None:
    async with _bench(tmp_path, NO_STATUS, NO_STOP, patience_s=1) as (bench, partner):
        seq = await _begun(bench, partner)
        found = await _find(bench, "nothing_left")
        assert (await partner.charge(seq))["ended_at"] is None
    assert found.state == FAILS
    assert found.said.startswith(
        f"the charge {seq} at {bench.connector_id} may still run: the platform took no stop of ours"
    )
    assert "query_stop_charge: Ret 4004" in found.said
    assert found.said.endswith("Stop it at the pile or by the platform's own staff")
    assert found.evidence


async def test_a_platform_without_the_question_is_believed_by_what_it_tells(tmp_path: Path) -> None:
    async with _bench(tmp_path, NO_STATUS) as (bench, partner):
        seq = await _begun(bench, partner)
        found = await _find(bench, "nothing_left")
        assert (await partner.charge(seq))["ended_at"] is not None
    assert found.state == HOLDS
    assert found.said.startswith("the charge is over: ")


async def test_a_token_that_has_ended_meanwhile_does_not_keep_a_charge_running(tmp_path: Path) -> None:
    async with _bench(tmp_path) as (bench, partner):
        seq = await _begun(bench, partner)
        bench.probe.token = "over"
        found = await _find(bench, "nothing_left")
        assert (await partner.charge(seq))["ended_at"] is not None
    assert found.state == HOLDS


async def test_a_start_that_is_refused_leaves_nothing_to_follow(tmp_path: Path) -> None:
    async with _bench(tmp_path) as (bench, partner):
        await partner.post("unplug", connector_id=bench.connector_id)
        assert (await _find(bench, "start")).state == FAILS
        assert {(await _find(bench, name)).state for name in ("result", "order", "nothing_left")} == {SKIPPED}
        await partner.post("plug", connector_id=bench.connector_id)
        await partner.post("pains", on=["refusing_busy"])
        assert (await _find(bench, "start")).state == FAILS
    assert bench.charge, "busy is no decision: the charge may have begun"


async def test_a_check_that_is_broken_off_stops_its_charge_and_hears_of_its_end(tmp_path: Path) -> None:
    port = free_port()
    silent = ["start_never_reports"]  # the check waits for the start's result until it is broken off
    async with simulator(tmp_path, PAIR, f"http://127.0.0.1:{port}", role="host", pains=silent) as partner:
        profile = tmp_path / "checked.toml"
        profile.write_text(PAIR.hub_profile(partner.url, roles=["host"], more=f"[paths]\n{NO_STATUS}"))
        connector_id = (await partner.get("connectors"))[0]["connector_id"]
        options = ["--listen", f"127.0.0.1:{port}", "--charge", connector_id]
        command = [sys.executable, "-m", "operator_sdk.tcec102.check.command", "tcec102", str(profile)]
        checking = await asyncio.create_subprocess_exec(*command, *options, stderr=subprocess.PIPE)
        await partner.until(lambda: partner.get("charges"), lambda all_: all_ and all_[0]["started_at"])
        checking.send_signal(signal.SIGINT)
        _, said = await checking.communicate()
        (charge,) = await partner.get("charges")
        assert await partner.count("out:notification_stop_charge_result:ok") == 1
    assert charge["ended_at"] is not None
    seq = charge["seq"]
    assert said.decode().splitlines() == [
        f"broken off: the charge {seq} at {connector_id} is being stopped",
        f"the charge {seq} is over",
    ]
    assert checking.returncode == 130


async def test_a_home_that_does_not_take_a_stop_is_sent_the_empty_order_all_the_same(tmp_path: Path) -> None:
    async with _bench(tmp_path, role="home") as (bench, partner):
        assert bench.listener
        bench.guest, bench.listener.pile.begun_at = bench.probe.new_seq(), "2026-03-02 10:00:00"
        await release_guest(bench)
        assert await partner.count("in:notification_charge_order_info")


SEQ = "MA5CHECK1" + "0" * 18
_HOW: dict[str, Any] = {"start_charge_seq": SEQ, "connector_id": "C1"}


def _started(stat: int) -> m.NotificationStartChargeResult:
    return m.NotificationStartChargeResult(start_charge_seq_stat=stat, start_time="2026-03-02 10:00:00", **_HOW)


def _stopped(stat: int, fail_reason: int = 0) -> m.NotificationStopChargeResult:
    return m.NotificationStopChargeResult(
        start_charge_seq_stat=stat, succ_stat=int(fail_reason > 0), fail_reason=fail_reason, **_HOW
    )


@pytest.mark.parametrize(
    ("told", "is_over"),
    [
        ([], False),
        ([_started(2)], False),
        ([_started(4)], True),
        ([_started(5)], False),
        ([_started(4), _started(2)], False),
        ([_started(2), _stopped(4)], True),
        ([_stopped(4), _started(2)], True),
        ([_stopped(3)], False),
        ([_stopped(5, 3)], True),
        ([_stopped(2, 1)], False),
    ],
)
def test_only_what_says_that_a_charge_is_over_ends_it(told: list[m.Part], is_over: bool) -> None:
    assert bool(told_over(Ears(told=told), SEQ)) is is_over
