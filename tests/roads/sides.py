"""Homes and hosts of the nine roads, each asked where its own people look: an app, a phone, a control port."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from edge_agent.settings import read_settings
from edge_agent.status import StatusUnknown, read_status
from operator_sdk.contract.codes import SessionState
from operator_sdk.contract.messages.roaming import SessionProgress
from operator_sdk.examples.demo.patience import until
from operator_sdk.examples.demo.people import OwnApp
from operator_sdk.examples.demo.phone import OVER, Phone
from tests.rig import HOLD_FEN, A, B, C
from tests.roads.network import WALLET_FEN, Network
from tests.roads_world import HOME, HOST
from tests.site_world import E
from tests.tcec_partner import Simulator

WITHIN_S = 25
CHARGING, ENDED, BY_HAND = 2, 4, 1
"""StartChargeSeqStat and StopReason of T/CEC 102."""

Said = dict[str, Any]


async def _until(look: Callable[[], Awaitable[Said]], holds: Callable[[Said], Any], missing: str) -> Said:
    """What is said, once it is so."""

    async def found() -> Said | None:
        said = await look()
        return said if holds(said) else None

    return await until(found, within_s=WITHIN_S, missing=missing)


class HomeSide(Protocol):
    """A home with three drivers. `ref` is its own number of a charge."""

    party_id: str

    async def start(self, driver: int, code: str) -> str:
        """A driver starts there; the home's number of the charge."""

    async def hears_start(self, ref: str) -> None:
        """Wait until the home was told that energy flows."""

    async def stop(self, ref: str) -> None:
        """The driver stops."""

    async def hears_end(self, ref: str) -> None:
        """Wait until the home was told that it is over."""

    async def paid_fen(self, ref: str) -> int:
        """Wait for the home's own bill of it."""


class HostSide(Protocol):
    """A host with three connectors."""

    party_id: str

    async def plug(self, number: int) -> str:
        """One of its connectors."""

    async def billed_fen(self, session_id: str, plug: str) -> int:
        """Wait until its one bill of the charge is accepted; what is on it."""


@dataclass
class NativeHome:
    """B: drivers in the app of the example."""

    app: OwnApp
    party_id: str = B

    async def start(self, driver: int, code: str) -> str:
        """In the app; where the hub has not answered yet, the home asks again by itself."""
        name = f"B-{driver}"
        await self.app.post("/app/charges", driver=name, connector=code)
        shown = await _until(
            lambda: self.app.get(f"/app/drivers/{name}"),
            lambda said: said["charges"] and said["charges"][0]["session_id"],
            f"{name} has no session",
        )
        (charge,) = shown["charges"]
        return str(charge["session_id"])

    async def hears_start(self, ref: str) -> None:
        """An update came."""

        def charges(said: Said) -> bool:
            update = said["progress"]
            return bool(update and update["state"] == SessionState.CHARGING and update["energy_wh"])

        await self._until(ref, charges, "B never heard that it charges")

    async def stop(self, ref: str) -> None:
        """In the app."""
        await self.app.post(f"/app/charges/{ref}/stop")

    async def hears_end(self, ref: str) -> None:
        """The last update came."""
        await self._until(ref, lambda said: said["progress"]["state"] in OVER, "B never heard that it is over")

    async def paid_fen(self, ref: str) -> int:
        """What it took from its driver."""
        settled = await self._until(ref, lambda said: said["settlement"], "B never got a bill")
        return int(settled["settlement"]["driver_amount_fen"])

    async def _until(self, ref: str, holds: Callable[[Said], Any], missing: str) -> Said:
        return await _until(lambda: self.app.get(f"/app/charges/{ref}"), holds, f"{missing}: {ref}")


@dataclass
class HostedHome:
    """C: drivers with the hub's own app on their phones, each with a wallet at the hub."""

    phones: dict[int, Phone]
    party_id: str = C
    heard: dict[str, list[SessionProgress]] = field(default_factory=dict)
    _of: dict[str, Phone] = field(default_factory=dict)
    _following: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def start(self, driver: int, code: str) -> str:
        """Scan and start; the phone subscribes to the charge."""
        said = await self.phones[driver].start(code)
        assert "id" in said, said
        ref = str(said["id"])
        self._of[ref], self.heard[ref] = self.phones[driver], []
        self._following[ref] = asyncio.create_task(self._follow(ref))
        return ref

    async def _follow(self, ref: str) -> None:
        async for update in self._of[ref].follow(ref):
            self.heard[ref].append(update)

    async def hears_start(self, ref: str) -> None:
        """An update came over the phone's subscription."""

        async def charges() -> bool | None:
            told = [one for one in self.heard[ref] if one.state == SessionState.CHARGING and one.energy_wh]
            return bool(told) or None

        await until(charges, within_s=WITHIN_S, missing=f"the phone never heard that {ref} charges")

    async def stop(self, ref: str) -> None:
        """By phone."""
        await self._of[ref].stop(ref)

    async def hears_end(self, ref: str) -> None:
        """The subscription ends with the charge."""
        await asyncio.wait_for(self._following[ref], WITHIN_S)
        assert self.heard[ref][-1].state in OVER

    async def paid_fen(self, ref: str) -> int:
        """What the wallet has lost, with nothing held and no debt left."""

        async def wallet() -> Said:
            said = await self._of[ref].ask("{ me { wallet { balance held debt } } }")
            return {name: int(fen or 0) for name, fen in said["me"]["wallet"].items()}

        after = await _until(
            wallet, lambda one: not one["held"] and one["balance"] != WALLET_FEN, f"{ref} was never paid"
        )
        assert not after["debt"]
        return WALLET_FEN - int(after["balance"])


@dataclass
class Tcec102Home:
    """The simulated home: drivers in its app."""

    at: Simulator
    party_id: str = HOME

    async def start(self, driver: int, code: str) -> str:
        """Scan the code on the pile."""
        said = await self.at.post("scan", text=f"hlht://{code}/", balance_fen=HOLD_FEN)
        assert said["accepted"], said
        return str(said["start_charge_seq"])

    async def hears_start(self, ref: str) -> None:
        """Start result and status have both come."""
        await self._until(ref, lambda one: one["stat"] == CHARGING and one["statuses"], "started")

    async def stop(self, ref: str) -> None:
        """In its app."""
        said = await self.at.post("stop", start_charge_seq=ref)
        assert said["SuccStat"] == 0, said

    async def hears_end(self, ref: str) -> None:
        """The stop result or the last status has come."""
        await self._until(ref, lambda one: one["stat"] == ENDED, "ended")

    async def paid_fen(self, ref: str) -> int:
        """Its one order, which it found in order."""
        told = await self._until(ref, lambda one: one["orders"], "billed")
        assert (told["confirm_result"], told["objection"], told["orders"]) == (0, None, 1)
        total_fen: int = round(100 * told["order"]["TotalMoney"])
        return total_fen

    async def _until(self, ref: str, holds: Callable[[Said], Any], what: str) -> Said:
        return await _until(lambda: self.at.home_charge(ref), holds, f"the T/CEC 102 home never heard: {what}")


@dataclass
class NativeHost:
    """A: the example, with a site's agent and piles behind it."""

    app: OwnApp
    party_id: str = A

    async def plug(self, number: int) -> str:
        """Each pile has one."""
        return f"A{number}"

    async def billed_fen(self, session_id: str, plug: str) -> int:
        """Its bill, which the hub accepted and the home settled."""
        said = await _until(
            lambda: self.app.get(f"/local/sessions/{session_id}"),
            lambda one: one["settlement"],
            f"{plug} was never settled",
        )
        assert (said["connector_id"], said["record"]["state"]) == (plug, "accepted"), said
        return int(said["bill"]["amount_fen"])


@dataclass
class HostedHost:
    """E: a site's agent that reports to the hub, with piles behind it."""

    network: Network
    party_id: str = E

    async def plug(self, number: int) -> str:
        """Each pile has one."""
        return f"E{number}"

    async def billed_fen(self, session_id: str, plug: str) -> int:
        """The bill in the agent's file, which the hub has acknowledged."""
        settings = read_settings(self.network.site_of_e.file, environment="test")

        async def status() -> Said:
            with contextlib.suppress(StatusUnknown):
                return read_status(settings, session_id).as_json()
            return {"session": None}

        said = await _until(
            status,
            lambda one: one["session"] and one["session"]["bill"] and not one["spool"]["bills"],
            f"{plug} was never billed",
        )
        assert said["session"]["connector_id"] == plug
        return int(said["session"]["bill"]["amount_fen"])


@dataclass
class Tcec102Host:
    """The simulated host."""

    at: Simulator
    party_id: str = HOST

    async def plug(self, number: int) -> str:
        """The connectors have vehicles."""
        plugs = await self.at.get("connectors")
        return str(plugs[number]["connector_id"])

    async def billed_fen(self, session_id: str, plug: str) -> int:
        """Its one order of that connector, which was confirmed."""

        async def charge() -> Said:
            (found,) = [one for one in await self.at.get("charges") if one["connector_id"] == plug]
            return dict(found)

        said = await _until(charge, lambda one: one["confirm_result"] is not None, f"{plug} was never billed")
        assert (said["confirm_result"], said["stop_reason"], said["order_attempts"]) == (0, BY_HAND, 1), said
        total_fen: int = round(100 * said["order"]["TotalMoney"])
        return total_fen


def homes_of(network: Network) -> list[HomeSide]:
    """One of each kind."""
    app = OwnApp(network.http, network.plan.at[B], "B's app")
    return [NativeHome(app), HostedHome(network.phones), Tcec102Home(network.tcec_home)]


def hosts_of(network: Network) -> list[HostSide]:
    """One of each kind."""
    app = OwnApp(network.http, network.plan.at[A], "A's platform")
    return [NativeHost(app), HostedHost(network), Tcec102Host(network.tcec_host)]
