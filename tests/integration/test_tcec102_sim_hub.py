"""Every pain of the field between simulated partners and the real hub: charges go through, money is right.

A host and a home in processes of their own, the hub between them; pains are switched on while all three run.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from operator_sdk.contract.messages.admin import AgreementAdd, ExposurePut
from operator_sdk.tcec102.sim.pains import PAINS
from tests.rig import HOLD_FEN, HUB, Rig, open_rig
from tests.tcec_partner import Pair, Simulator, free_port, keys_of, simulator

pytestmark = pytest.mark.integration

HOST, HOME, SPEED, WITHIN_S = "MA5SIMUL1", "MA5SIMUL2", 300, 15
NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
PROFILE = """[push]
status_s = 60
[signature]
answers = "if_present"
lower_case_sig = true
"""

WRITING = (
    "service_spelling spelling_drift details_as_text status_shapes soc_0_1 dc_in_phase_a foreign_operator_ids"
    " odd_money wgs84 policy_hhmm dirty_json"
)
ENVELOPES = (
    "lower_camel numbers_as_strings ret_as_string unsigned_answers unsigned_errors data_null lower_case_sig"
    " mime_base64 epoch_ms constant_seq"
)
RUNNING = (
    "token_absolute_ms token_4002_once fifty_ids incremental_unreliable stations_removed"
    " flapping order_before_stop order_twice cross_midnight slow replayed area_name"
)
STARTS = "token_kills_old start_never_reports order_twice_new_envelope seq_prefix_checked data_absent"
GOOD = (WRITING, ENVELOPES, RUNNING, STARTS)
"""With these, one set at a time, a charge ends as if there were nothing."""
BAD = ("start_fails_4", "start_fails_5", "start_hangs", "lying_order", "wrong_answer_sig", "refusing_busy")
OF_HOMES = (
    "service_spelling spelling_drift numbers_as_strings dirty_json ret_as_string unsigned_answers data_null"
    " lower_case_sig mime_base64 epoch_ms"
    " constant_seq token_absolute_ms token_4002_once replayed"
)


@dataclass
class Town:
    """A host, a home and the hub."""

    rig: Rig
    host: Simulator
    home: Simulator

    async def charge(self, pains: str = "", *, of_home: str = "", billed: bool = True) -> dict[str, Any]:
        """Scan, follow, stop, and wait for the bill; the home's charge with the scan's answer."""
        await self.host.post("pains", off=["*"], on=pains.split())
        await self.home.post("pains", off=["*"], on=of_home.split())
        free = [
            one for one in await self.host.get("connectors") if one["charge"] is None and one["status"] == 2
        ]
        scanned = await self.home.post("scan", text=free[0]["qr"])
        if not scanned["accepted"]:
            return {"scanned": scanned}
        seq = scanned["start_charge_seq"]
        hangs = pains == "start_hangs"
        running = await self.until(seq, lambda one: hangs or one["statuses"] >= 2 or one["stat"] == 4)
        if running["stat"] != 4:
            await self.home.post("stop", start_charge_seq=seq)
        ended = await self.until(seq, lambda one: one["stat"] == 4)
        if ended["statuses"] and billed:
            ended = await self.until(seq, lambda one: one["confirm_result"] is not None)
        return {"scanned": scanned, **ended}

    async def until(self, seq: str, holds: Any) -> dict[str, Any]:
        """The home's charge as soon as it is so."""
        end = time.monotonic() + WITHIN_S
        while not holds(charge := await self.home.home_charge(seq)):
            assert time.monotonic() < end, f"still {charge}"
            await self.rig.work()
            await asyncio.sleep(0.03)
        return dict(charge)


@asynccontextmanager
async def open_town(folder: Path) -> AsyncIterator[Town]:
    epoch, ports = datetime.now(UTC), (free_port(), free_port())
    host_pair = Pair(HOST, HUB)
    home_pair = Pair(HOME, HUB, keys_of("issued by the home"), keys_of("issued to the home"))
    environment = {
        "SPEED": str(SPEED),
        "INTERPILE_EPOCH": epoch.isoformat(),
        "INTERPILE_EPOCH_BUSINESS": NOON.isoformat(),
        "INTERPILE_ENV": "test",
    }
    async with open_rig("sqlite", speed=SPEED, epoch=epoch, business_epoch=NOON) as rig:
        for pair, port, role in ((host_pair, ports[0], "host"), (home_pair, ports[1], "home")):
            text = pair.hub_profile(f"http://127.0.0.1:{port}", roles=[role], more=PROFILE)
            await rig.hub.tcec102.profiles.add(text, "test")
        money = ExposurePut(deposit_fen=1_000_000, exposure_limit_fen=1_000_000)
        await rig.hub.parties.set_exposure(HOME, money, actor="test")
        terms = AgreementAdd(home_party_id=HOME, host_party_id=HOST, hold_fen=HOLD_FEN)
        await rig.hub.parties.add_agreement(terms, actor="test")
        common: dict[str, Any] = {"environment": environment}
        quick = ("--connectors", "40", "--slow-s", "0.1", "--push-s", "0.1")
        async with (
            simulator(folder, host_pair, rig.url, role="host", port=ports[0], options=quick, **common) as host,
            simulator(folder, home_pair, rig.url, role="home", port=ports[1], **common) as home,
        ):
            yield Town(rig, host, home)


def test_all_pains_are_tried() -> None:
    tried = {name for names in (*GOOD, *BAD) for name in names.split()}
    rest = {"foreign_answer_sig", "silent"}  # as a wrong signature, and as a partner that is down
    assert tried | rest == {pain.name for pain in PAINS}


async def test_charges_go_through_whatever_pains_there_are_and_money_is_right(tmp_path: Path) -> None:
    async with open_town(tmp_path) as town:
        await town.host.post("pains", on=WRITING.split())
        (report,) = await town.rig.hub.station_pulls.advance()
        assert report is not None
        assert report.kept is not None
        assert (report.problem, report.kept.stations, report.kept.gaps) == (None, 2, 0)
        assert await town.home.post("sync") == {"stations": 2}
        paid = [await _paid(town, pains, "") for pains in GOOD]
        paid.append(await _paid(town, "", OF_HOMES))
        await _costs_nothing(town)
        assert await town.rig.obligations() == [(HOME, HOST, fen, "open") for fen in paid]
        assert await town.host.count("replayed:0") == await town.home.count("replayed:0") == 0
        assert await town.host.count("replayed:4004") > 10
        assert await town.host.count("twice:other") == 0


async def _paid(town: Town, of_host: str, of_home: str) -> int:
    charge = await town.charge(of_host, of_home=of_home)
    assert charge["scanned"]["accepted"], (of_host, of_home, charge)
    assert (charge["confirm_result"], charge["objection"]) == (0, None), (of_host, of_home)
    fen: int = round(100 * charge["order"]["TotalMoney"])
    return fen


async def _costs_nothing(town: Town) -> None:
    for pain in ("start_fails_4", "start_fails_5", "start_hangs"):
        charge = await town.charge(pain)
        assert (charge["stat"], charge["statuses"], charge["order"]) == (4, 0, None), pain
    for pain in ("wrong_answer_sig", "refusing_busy"):
        assert (await town.charge(pain))["scanned"]["accepted"] is False, pain
    charge = await town.charge("lying_order", billed=False)
    seqs = [one["seq"] for one in await town.host.get("charges")]
    asked = await town.host.until(
        lambda: town.host.charge(seqs[-1]), lambda one: one["confirm_result"] is not None
    )
    assert (asked["confirm_result"], charge["orders"]) == (1, 0)
