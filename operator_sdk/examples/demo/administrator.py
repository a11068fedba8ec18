"""The administrator's part, with the command line alone: parties, keys, agreements, customers, the cycle."""

import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec

from operator_sdk.contract.messages.common import Message
from operator_sdk.examples.demo.commands import installed
from operator_sdk.examples.demo.processes import Processes
from operator_sdk.examples.demo.sites import Gateway
from operator_sdk.examples.host.site import SiteStation, SiteTariff

HUB, A, B, C = "MA5HUB000", "MA5AAAAA1", "MA5BBBBB2", "MA5CCCCC3"
PHONES = "MA5PHONE4"
NAMES = {HUB: "互桩 Interpile", A: "A 特来桩 Telaizhuang", B: "B 便捷行 Bianjie", C: "C 城配充 Chengpei"}
PHONES_NAME = "手机端 Phone app"
ADMIN, WORKER, DISPATCHER = "demo-admin", "demo-worker", "demo-dispatcher"
STAFF_ROLES = {ADMIN: "admin", WORKER: "maintenance", DISPATCHER: "dispatcher"}
STAFF_PASSWORDS = {login: f"correct horse battery staple {login}" for login in STAFF_ROLES}
HOLD_FEN, COMMISSION_PPM, EXPOSURE_FEN = 5_000, 20_000, 1_000_000
# Commands at a time: each is mostly the start of an interpreter, and the hub wants a core too.
AT_ONCE = 3


class Administrator:
    """Runs `interpile`."""

    def __init__(self, processes: Processes, *, secret_file: Path, key_files: dict[str, Path]) -> None:
        self._processes = processes
        self._secret_file, self._key_files = secret_file, key_files
        self._free = asyncio.Semaphore(AT_ONCE)

    async def interpile(self, *arguments: str | int | Path, given: str = "") -> Any:
        """Run a subcommand that prints JSON; returns what it says.

        Raises:
            Trouble: it failed.
        """
        words = installed(["interpile", *map(str, arguments), "--json"])
        async with self._free:
            return json.loads(await self._processes.run(words, given=given))

    async def make_secrets(self) -> None:
        """The hub's own keys."""
        await self.interpile("key", "init", self._secret_file)

    async def add_operators(self, a_url: str, b_url: str) -> None:
        """A hosts, B is a home with a platform, C lives in the hub and is both; the phones' service reads."""
        money = ("--deposit-fen", EXPOSURE_FEN, "--exposure-limit-fen", EXPOSURE_FEN)
        b_cards = ("--token-prefix", "B2")
        c_cards = ("--token-prefix", "C3")
        await _all(
            self._party(A, "host", "--base-url", a_url),
            self._party(B, "home", "--base-url", b_url, *b_cards, *money),
            self._party(C, "home", "--role", "host", "--protocol", "hosted", *c_cards, *money),
            self.interpile("party", "add", PHONES, "--name", PHONES_NAME, "--role", "app", "--protocol", "app"),
            *(
                self.interpile("staff", "add", login, "--role", role, given=f"{STAFF_PASSWORDS[login]}\n")
                for login, role in STAFF_ROLES.items()
            ),
        )
        await _all(
            *(self.interpile("key", "add", party, "--file", file) for party, file in self._key_files.items()),
            *(self._agreement(home, host) for home, host in ((B, A), (C, A), (B, C))),
        )

    async def add_customer(self, ref: str, name: str, phone: str, *, card: str, balance_fen: int) -> str:
        """A driver of C, with money in the wallet; returns the hub's id."""
        added = await self.interpile("customer", "add", C, ref, "--phone", phone, "--name", name)
        customer_id = str(added["customer_id"])
        await self.interpile("customer", "token", "add", customer_id, "card", card)
        await self.interpile("customer", "top-up", customer_id, balance_fen, "--ref", f"bank-{ref}")
        return customer_id

    async def add_hosted_site(
        self, site_id: str, key: str, station: SiteStation, tariff: SiteTariff
    ) -> Gateway:
        """C publishes a tariff and a station; the site there may connect, and this is where."""
        published: dict[str, Message] = {"tariff": tariff, "station": station}
        for kind, message in published.items():
            file = self._secret_file.with_name(f"{C}-{kind}.json")
            file.write_bytes(msgspec.json.encode(message))
            await self.interpile(kind, "put", C, file)
        where = ("--party", C, "--station", station.station_id)
        await self.interpile("site", "add", site_id, *where, "--public-key", key)
        return Gateway(**await self.interpile("site", "gateway"))

    async def import_stations(self, file: Path) -> dict[str, Any]:
        """Load the stations of a file for A."""
        profile = ("--profile", "st-evcdp", "--datum", "wgs-84")
        report: dict[str, Any] = await self.interpile("station", "import", A, file, *profile)
        return report

    async def close_cycle(self, cutoff: str) -> dict[str, Any]:
        """Cut the cycle off; with the demonstration's settings it is fixed at once."""
        result: dict[str, Any] = await self.interpile("cycle", "close", "--cutoff", cutoff)
        return result

    async def statement(self, cycle_id: str, party_id: str) -> dict[str, Any]:
        """A party's statement: C has no platform that could fetch its own."""
        statement: dict[str, Any] = await self.interpile("cycle", "statement", cycle_id, party_id)
        return statement

    async def verify_ledger(self) -> dict[str, Any]:
        """Recompute the ledger from raw entries."""
        report: dict[str, Any] = await self.interpile("ledger", "verify")
        return report

    def _party(self, party_id: str, role: str, *more: str | int) -> Coroutine[Any, Any, Any]:
        return self.interpile("party", "add", party_id, "--name", NAMES[party_id], "--role", role, *more)

    def _agreement(self, home: str, host: str) -> Coroutine[Any, Any, Any]:
        terms = ("--commission-ppm", COMMISSION_PPM, "--hold-fen", HOLD_FEN)
        return self.interpile("agreement", "add", home, host, *terms)


async def _all(*work: Coroutine[Any, Any, Any]) -> None:
    """Together; the first that fails ends the others."""
    async with asyncio.TaskGroup() as group:
        for one in work:
            group.create_task(one)
