"""What a pull of many stations asks a host for prices: some together, and never all at once."""

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from hub.core.clock import ManualClock
from hub.core.ids import SeededIds
from hub.parties.link import LinkError, LinkRefused, PulledStations, StationGap
from hub.protocols.tcec102.link_host import PRICES_AT_ONCE, HostPart
from hub.protocols.tcec102.policies import Policies
from operator_sdk.contract.tcec102 import messages
from tests.tcec_host_rig import station
from tests.tcec_host_world import BEGUN, HOST, HUB, profile


@dataclass
class Host:
    """A host with so many stations of one connector each, some of which it tells no price of."""

    count: int
    unpriced: dict[str, LinkError] = field(default_factory=dict)
    under_way: int = 0
    most: int = 0

    async def call(self, _party_id: str, interface: str, message: Any, *, timeout_s: int) -> Any:
        if interface == "query_stations_info":
            return messages.QueryStationsInfoReply(
                page_no=1,
                page_count=1,
                item_size=self.count,
                station_infos=list(map(_named, range(self.count))),
            )
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        if message.connector_id in self.unpriced:
            raise self.unpriced[message.connector_id]
        period = messages.PolicyInfo(start_time="000000", elec_price=Decimal(1), service_price=Decimal(0))
        return messages.QueryEquipBusinessPolicyReply(
            equip_biz_seq=message.equip_biz_seq,
            connector_id=message.connector_id,
            succ_stat=0,
            policy_infos=[period],
        )


def _named(number: int) -> messages.StationInfo:
    one = station(1)
    (pile,) = one.equipment_infos
    (plug,) = pile.connector_infos
    plugs = [msgspec.structs.replace(plug, connector_id=f"C{number}")]
    piles = [msgspec.structs.replace(pile, connector_infos=plugs)]
    return msgspec.structs.replace(one, station_id=f"S{number}", equipment_infos=piles)


def pull(host: Host) -> PulledStations:
    clock = ManualClock(BEGUN)
    tools: Any = SimpleNamespace(caller=host, clock=clock, ids=SeededIds(clock), policies=Policies())
    partner: Any = SimpleNamespace(party_id=HOST, operator_id=HUB, profile=profile())
    return asyncio.run(HostPart(partner, tools).list_stations())


def test_prices_are_asked_for_some_together_and_each_station_gets_its_own() -> None:
    host = Host(3 * PRICES_AT_ONCE + 1, {"C5": LinkRefused("tariff_unknown")})
    pulled = pull(host)
    assert host.most == PRICES_AT_ONCE
    numbers = [number for number in range(host.count) if number != 5]
    assert [(name, put.tariff_id) for name, put in pulled.stations] == [
        (f"S{number}", f"tcec-C{number}") for number in numbers
    ]
    assert set(pulled.tariffs) == {f"tcec-C{number}" for number in numbers}
    assert pulled.gaps == [StationGap("S5", ("PolicyInfos",))]


def test_a_host_that_falls_silent_over_its_prices_has_told_no_list() -> None:
    with pytest.raises(LinkError, match="too slow"):
        pull(Host(20, {"C9": LinkError("too slow")}))
