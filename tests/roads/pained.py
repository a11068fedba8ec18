"""The hub and one T/CEC 102 platform that is host and home, in a process of its own, with pains on demand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hub.directory.keeping import Kept
from hub.protocols.tcec102.link_host import HostPart
from hub.protocols.tcec102.profiles import Partner
from hub.roaming.tables import SessionRow
from operator_sdk.clock import Clock
from operator_sdk.contract.codes import AuthorizationState
from operator_sdk.contract.messages.admin import AgreementAdd
from operator_sdk.contract.tcec102.profile import read_profile
from operator_sdk.tcec102 import Tcec102Client
from tests.rig import EXPOSURE_FEN, HOLD_FEN, HUB, A, B, open_rig
from tests.roads_world import HOST, SPEED, NativeHome, Tcec102Host, Town, clock_of
from tests.tcec_home_world import described
from tests.tcec_partner import Pair, free_port, simulator

PAIR, ROLES = Pair(sim_id=HOST, hub_id=HUB), ("host", "home")
BASE = "[push]\nstatus_s = 30\n"
"""Ten pushes a second are two a minute at this speed."""

STATIONS = 51
"""More than the fifty that may be asked for at once."""

MIDNIGHT, FIRST_DAY = datetime(2026, 3, 2, 16, tzinfo=UTC), "2026-03-02"
EVENING = MIDNIGHT - timedelta(minutes=50)
"""In Shanghai. There are ten seconds to begin a charge before midnight."""

ASKED_ALWAYS = "[pricing]\npolicy_life_s = 0\n"
"""Every start asks for the price."""


@dataclass(frozen=True)
class Case:
    """A pain (with others that it needs to show) and the profile of a partner that has it."""

    pain: str
    profile: str = ""
    needs: tuple[str, ...] = ()

    def __str__(self) -> str:
        policy = self.profile.partition("\n")[2].strip() or "standard profile"
        return f"{self.pain}, {policy}"


@dataclass
class Pained(Town):
    """The hub, and one platform that is host and home."""

    url: str
    other: Tcec102Client
    """The hub's other process, as the platform sees it: asks for a token of its own."""
    partner: Partner
    profile: str = ""
    home_side: NativeHome = field(init=False)
    host_side: Tcec102Host = field(init=False)

    def __post_init__(self) -> None:
        self.home_side, self.host_side = NativeHome(self), Tcec102Host(self)

    async def suffer(self, case: Case) -> None:
        """The profile and these pains from now on; where it is about tokens, the hub's is a new one."""
        await self.host.post("pains", off=["*"], on=["token_kills_old"])
        await self.agree_on(ASKED_ALWAYS + case.profile)
        if case.needs or "token" in case.pain:
            await self.other.query_token()
            await self.link.query_tariff((await self.host_side.code()).partition(".")[0])
        await self.host.post("pains", off=["*"], on=[case.pain, *case.needs])

    async def agree_on(self, profile: str) -> None:
        """The platform's profile is this from now on."""
        if profile == self.profile:
            return
        text = PAIR.hub_profile(self.url, roles=ROLES, more=BASE + profile)
        profiles = self.rig.hub.tcec102.profiles
        await profiles.replace(HOST, text, "test")
        self.partner, self.profile = await profiles.of(HOST), profile

    async def pulled(self, *, complete: bool = True) -> Kept:
        """What came of asking for stations."""
        report = await self.rig.hub.station_pulls.pull(HOST, complete=complete)
        assert report.problem is None
        assert report.kept is not None
        return report.kept

    async def is_past_midnight(self) -> bool:
        """Is the first day over?"""
        return self.rig.hub.clock.business() > MIDNIGHT

    @property
    def link(self) -> HostPart:
        """How the hub speaks to the platform."""
        return HostPart(self.partner, self.rig.hub.tcec102)

    async def start(self) -> SessionRow:
        """B's driver starts there."""
        return await self.rig.session(await self.home_side.start(await self.host_side.code()))

    async def has_given_energy(self, session: SessionRow) -> SessionRow:
        """The session, once a status with energy has come and the home knows that it charges."""

        async def holds() -> SessionRow | None:
            row = await self.rig.session(session.session_id)
            seen = row.energy_wh > 0 and await self.home_side.sees_charging(row)
            return row if seen else None

        row = await self.until(holds, "energy")
        assert isinstance(row, SessionRow)
        return row

    async def confirmed(self, session: SessionRow) -> dict[str, Any]:
        """The platform's charge, once its order was answered."""

        async def holds() -> Any:
            charge = await self.host.charge(session.host_ref or "")
            return charge if charge["confirm_result"] is not None else None

        return dict(await self.until(holds, "order"))

    async def holds_nothing(self, session: SessionRow, owed_fen: int) -> None:
        """The home owes what it did before, and nothing is reserved for it any more."""
        assert await self.rig.exposure(B) == (owed_fen, 0)
        authorization = await self.rig.authorization(session.session_id)
        assert authorization.reserved_fen == 0
        assert authorization.state in {AuthorizationState.REFUSED, AuthorizationState.RELEASED}


@asynccontextmanager
async def open_pained(folder: Path) -> AsyncIterator[Pained]:
    """Hub and platform up; it has more stations than may be asked for at once, and asks back on that."""
    epoch, port = datetime.now(UTC), free_port()
    async with open_rig("sqlite", speed=SPEED, epoch=epoch, business_epoch=EVENING) as rig:
        url, partners = f"http://127.0.0.1:{port}", rig.hub.tcec102
        text = PAIR.hub_profile(url, roles=ROLES, more=BASE)
        await partners.profiles.add(text, "test", deposit_fen=EXPOSURE_FEN, limit_fen=EXPOSURE_FEN)
        for home, host in ((B, HOST), (HOST, A)):
            terms = AgreementAdd(home_party_id=home, host_party_id=host, hold_fen=HOLD_FEN)
            await rig.hub.parties.add_agreement(terms, actor="test")
        await rig.hub.directory.put_station(A, "S1", described())
        many = ("--stations", str(STATIONS), "--connectors", str(STATIONS))
        options = (*many, "--push-s", "0.1", "--slow-s", "0.1", "--vehicle-wh", "200000")
        profile, secrets = read_profile(text)
        up = simulator(
            folder,
            PAIR,
            rig.url,
            port=port,
            pains=["fifty_ids"],
            options=options,
            environment=clock_of(epoch, EVENING),
        )
        async with up as both, Tcec102Client(profile, secrets, operator_id=HUB, clock=Clock()) as other:
            yield Pained(rig, both, both, url, other, await partners.profiles.of(HOST))
