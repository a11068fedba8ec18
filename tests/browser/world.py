"""A city of stations, drivers of two homes and the phone's service before a real hub, for a browser."""

import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from operator_sdk import SigningKey, new_key
from operator_sdk.clock import unix_s
from operator_sdk.contract.codes import Band, ConnectorState, Role, SessionState, StopReason
from operator_sdk.contract.messages.access import KeyAdd
from operator_sdk.contract.messages.admin import PartyAdd
from operator_sdk.contract.messages.directory import (
    Connector,
    ConnectorStatus,
    Pile,
    StationPut,
    StatusPush,
    Tariff,
    TariffPeriod,
    TariffPut,
)
from operator_sdk.keys import save_key, sign_token
from tests.bff_rig import Bff, open_bff
from tests.rig import PHONE, A, B, Rig, open_rig
from tests.rig_charges import Charge, turn_of

APP, TARIFF, STATION = "MA5APP001", "day", "南山科技园站"
HOSTILE = "<img src=x onerror=\"document.title='broken in'\"><script>alert(1)</script>"
MINUTES, PERIOD_MINUTES = 40, 48
"""How long ago a charge of these tests began; its two halves lie in different periods of the tariff."""

_FLAT, _PEAK, _SERVICE = 650_000, 1_050_000, 400_000
_PLACES = (
    "科技园南", "科苑路", "深大北门", "软件基地", "后海总部", "登良路", "海岸城", "南山中心",
    "前海湾", "桃园路", "大新", "蛇口港", "海上世界", "红树湾", "世界之窗", "侨城东",
)  # fmt: skip
_LATITUDE_E6, _LONGITUDE_E6 = 22_540_000, 114_050_000


@dataclass
class World:
    """Everything that a browser's page stands on."""

    rig: Rig
    bff: Bff
    tariff: Tariff
    charges: dict[str, Charge] = field(default_factory=dict)

    def code(self, connector: str = f"A1.{A}") -> str:
        """What the label on a connector says."""
        return self.rig.hub.roaming.scans.url_for(connector)

    def landing(self) -> str:
        """The same, as a phone's own camera app opens it: here the page has an address of its own."""
        return self.code().replace(self.rig.url, self.bff.url)

    def one_time_code(self, phone: str = PHONE) -> str:
        """The last one that was sent."""
        said = [json.loads(line) for line in self.rig.codes.read_text("utf-8").splitlines()]
        return str([one["code"] for one in said if one["phone"].endswith(phone)][-1])

    def assertion(self, subject: str = "u-1") -> str:
        """B says who its driver is."""
        claims = {
            "iss": B,
            "sub": subject,
            "aud": self.rig.url,
            "jti": self.rig.ref("jti"),
            "exp": unix_s(self.rig.hub.clock.wall()) + 60,
        }
        return sign_token(self.rig.b.key, claims)

    async def begins(self, session_id: str) -> Charge:
        """The pile begins: updates follow from the test. Each charge lies before the last one of this world."""
        _, _, meter_wh = await turn_of(self.rig, session_id)
        ago = MINUTES + 2 * PERIOD_MINUTES * len(self.charges)
        started = self.rig.hub.clock.business() - timedelta(minutes=ago)
        charge = self.charges[session_id] = Charge(self.rig, session_id, self.tariff, started, meter_wh)
        await charge.runs(0)
        return charge

    async def ends(self, charge: Charge, minutes: int = MINUTES) -> None:
        """The pile stops, the bill goes to the hub and on to the home, which settles."""
        await charge.push(charge.update(minutes, SessionState.ENDED, reason=StopReason.DRIVER_REMOTE))
        await charge.bill(stop_reason=StopReason.DRIVER_REMOTE)
        await self.rig.work()


@asynccontextmanager
async def open_world(*, stations: int = 0) -> AsyncIterator[World]:
    """The rig's own station and so many more, one of them named by somebody who means harm."""
    async with AsyncExitStack() as stack:
        rig = await stack.enter_async_context(open_rig("sqlite"))
        tariff = await _publish_prices(rig)
        await _publish_stations(rig, stations)
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        key_file = Path(folder) / "app.jwk"
        save_key(await _add_app(rig), key_file)
        bff = await stack.enter_async_context(open_bff(rig.url, party_id=APP, key_file=key_file))
        yield World(rig, bff, tariff)


async def _add_app(rig: Rig) -> SigningKey:
    """The phone's service may read the directory before anybody has signed in."""
    key = new_key("app-1")
    party = PartyAdd(party_id=APP, name="手机服务", roles=[Role.APP], protocol="app")
    await rig.hub.parties.add_party(party, actor="test")
    public = KeyAdd(key_id=key.key_id, public_key=key.public_b64url())
    await rig.hub.parties.add_key(APP, public, actor="test", alone=True)
    return key


async def _publish_prices(rig: Rig) -> Tariff:
    """Another price every 48 minutes, all day: whatever the hour, a charge has lines of two."""
    now = rig.hub.clock.business()
    edge = _minute(rig, -MINUTES // 2) % PERIOD_MINUTES
    edges = sorted({0, *range(edge, 1440, PERIOD_MINUTES), 1440})
    periods = [
        TariffPeriod(
            start_minute=start,
            end_minute=end,
            electricity_micro=_PEAK if number % 2 else _FLAT,
            service_micro=_SERVICE,
            band=Band.PEAK if number % 2 else Band.FLAT,
        )
        for number, (start, end) in enumerate(pairwise(edges))
    ]
    put = TariffPut(valid_from=now - timedelta(days=1), periods=periods)
    return await rig.hub.directory.put_tariff(A, TARIFF, 1, put)


def _minute(rig: Rig, offset: int) -> int:
    local = rig.hub.clock.business() + timedelta(hours=8, minutes=offset)
    return local.hour * 60 + local.minute


async def _publish_stations(rig: Rig, count: int) -> None:
    """Scattered over the city, some full and one hostile."""
    own = await rig.hub.directory.get_station(A, "S1")
    put = StationPut(
        name=STATION,
        address="深圳市南山区科苑路 1 号",
        latitude_e6=own.latitude_e6,
        longitude_e6=own.longitude_e6,
        tariff_id=TARIFF,
        piles=own.piles,
    )
    await rig.hub.directory.put_station(A, "S1", put)
    statuses = []
    at = rig.hub.clock.business()
    for number in range(count):
        name = HOSTILE if number == 3 else f"{_PLACES[number % len(_PLACES)]}充电站"
        plugs = [Connector(connector_id=f"N{number}X{plug}") for plug in range(2 + number % 4)]
        kind, power_w = ("dc", 120_000) if number % 3 else ("ac", 7_000)
        put = StationPut(
            name=name,
            address=f"深圳市南山区第{number + 1}路",
            latitude_e6=_LATITUDE_E6 + (number * 7_919 % 61 - 30) * 1_700,
            longitude_e6=_LONGITUDE_E6 + (number * 6_007 % 83 - 41) * 2_100,
            tariff_id=TARIFF,
            piles=[Pile(pile_id=f"P{number}", kind=kind, rated_power_w=power_w, connectors=plugs)],
        )
        await rig.hub.directory.put_station(A, f"N{number}", put)
        states = (ConnectorState.AVAILABLE, ConnectorState.CHARGING, ConnectorState.FAULTED)
        statuses += [
            ConnectorStatus(
                connector_id=plug.connector_id,
                state=ConnectorState.CHARGING if number % 5 == 0 else states[(place * 7 + number) % 8 % 3],
                at=at,
            )
            for place, plug in enumerate(plugs)
        ]
    if statuses:
        await rig.hub.directory.push_status(A, StatusPush(statuses=statuses))
