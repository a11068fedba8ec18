"""A host's interfaces, asked by us as a home: T/CEC 102.2 and 102.3. Nothing starts here."""

import re
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from typing import Any

from operator_sdk.contract.tcec102.coordinates import in_china
from operator_sdk.contract.tcec102.messages import (
    Part,
    QueryEquipAuth,
    QueryEquipAuthReply,
    QueryEquipBusinessPolicy,
    QueryEquipBusinessPolicyReply,
    QueryEquipChargeStatus,
    QueryEquipChargeStatusReply,
    QueryStartCharge,
    QueryStartChargeReply,
    QueryStationsInfo,
    QueryStationsInfoReply,
    QueryStationStats,
    QueryStationStatsReply,
    QueryStationStatus,
    QueryStationStatusReply,
    QueryStopCharge,
    QueryStopChargeReply,
    StationInfo,
)
from operator_sdk.contract.tcec102.problems import Ret
from operator_sdk.contract.tcec102.values import e6_of, format_day, format_time, parse_clock
from operator_sdk.tcec102.check.plan import Bench, Check
from operator_sdk.tcec102.check.probe import Exchange, Fails, Noted, Skipped
from operator_sdk.tcec102.check.protocol import UNKNOWN_CONNECTOR

_PAGES_MOST = 200
_IDS_MOST = 50
_AREA = re.compile(r"[0-9]{6}([0-9]{6})?")
_ID = re.compile(r"[0-9A-Za-z]+")
_ENDED, _UNKNOWN = 4, 5


async def _pages(bench: Bench) -> str:
    size = bench.profile.stations.page_size
    first = await _page(bench, 1, size)
    pages, stations = first.page_count, list(first.station_infos)
    for number in range(2, min(pages, _PAGES_MOST) + 1):
        stations += (await _page(bench, number, size)).station_infos
    bench.stations = stations
    twice = [name for name, count in Counter(one.station_id for one in stations).items() if count > 1]
    if twice:
        raise Fails(f"{len(twice)} stations are on more than one page, such as {twice[0]}")
    if pages <= _PAGES_MOST and len(stations) != first.item_size:
        raise Fails(f"ItemSize {first.item_size}, but {len(stations)} stations on {pages} pages")
    return f"{len(stations)} stations on {pages} pages of {size}"


async def _page(bench: Bench, number: int, size: int, since: str = "") -> QueryStationsInfoReply:
    message = QueryStationsInfo(last_query_time=since, page_no=number, page_size=size)
    page = (await bench.probe.ask("query_stations_info", message)).reply(QueryStationsInfoReply)
    if page.page_no != number:
        raise Fails(f"asked for page {number}, answered page {page.page_no}")
    if len(page.station_infos) > size:
        raise Fails(f"asked for {size} stations, got {len(page.station_infos)}")
    return page


async def _past_the_end(bench: Bench) -> str:
    message = QueryStationsInfo(page_no=100_000, page_size=bench.profile.stations.page_size)
    exchange = await bench.probe.ask("query_stations_info", message)
    if exchange.opened().ret != 0:
        raise Noted(f"refused with Ret {exchange.opened().ret}; an empty list is usual")
    if exchange.reply(QueryStationsInfoReply).station_infos:
        raise Fails("there are stations on page 100000")
    return "empty"


async def _since(bench: Bench) -> str:
    now = format_time(bench.probe.clock.wall() - timedelta(seconds=1), bench.profile.time.zone)
    found = (await _page(bench, 1, bench.profile.stations.page_size, now)).item_size
    if found and found >= len(bench.stations) > 0:
        raise Noted("all stations come, although LastQueryTime is a second ago: it is not heeded")
    return f"{found} changed within the last second"


async def _fields(bench: Bench) -> str:
    _need_stations(bench)
    wrong = [problem for station in bench.stations for problem in _problems(station)]
    ids = Counter(bench.connectors())
    wrong += [f"ConnectorID {name} is given {count} times" for name, count in ids.items() if count > 1]
    if wrong:
        raise Noted(f"{len(wrong)} remarks: " + "; ".join(wrong[:5]))
    return f"{len(bench.stations)} stations, {len(ids)} connectors"


def _problems(station: StationInfo) -> list[str]:
    wrong = []
    if not _AREA.fullmatch(station.area_code):
        wrong.append(f"AreaCode of {station.station_id} is no code of 6 digits")
    if not in_china(e6_of(station.station_lat), e6_of(station.station_lng)):
        wrong.append(f"{station.station_id} lies outside China: are longitude and latitude swapped?")
    if len(station.operator_id) != 9 or len(station.equipment_owner_id) != 9:
        wrong.append(f"OperatorID or EquipmentOwnerID of {station.station_id} has not 9 characters")
    lengths = [(station.station_id, 20)]
    for pile in station.equipment_infos:
        lengths.append((pile.equipment_id, 23))
        lengths += [(connector.connector_id, 26) for connector in pile.connector_infos]
        if not pile.connector_infos:
            wrong.append(f"pile {pile.equipment_id} has no connectors")
    wrong += [f"id {name} has more than {most} characters" for name, most in lengths if len(name) > most]
    wrong += [f"id {name} is not letters and digits" for name, _ in lengths if not _ID.fullmatch(name)]
    return wrong


async def _status(bench: Bench) -> str:
    _need_stations(bench)
    asked = bench.stations[:_IDS_MOST]
    message = QueryStationStatus(station_ids=[one.station_id for one in asked])
    said = (await bench.probe.ask("query_station_status", message)).reply(QueryStationStatusReply)
    told = {one.connector_id for station in said.station_status_infos for one in station.connector_status_infos}
    known = {
        connector.connector_id
        for station in asked
        for pile in station.equipment_infos
        for connector in pile.connector_infos
    }
    if known - told:
        raise Fails(f"no status of {len(known - told)} connectors, such as {min(known - told)}")
    return f"{len(told)} connectors of {len(said.station_status_infos)} stations"


async def _status_unknown(bench: Bench) -> str:
    message = QueryStationStatus(station_ids=[UNKNOWN_CONNECTOR])
    exchange = await bench.probe.ask("query_station_status", message)
    if exchange.opened().ret != 0:
        raise Noted(f"Ret {exchange.opened().ret}; an empty list is usual")
    said = exchange.reply(QueryStationStatusReply)
    if any(one.connector_status_infos for one in said.station_status_infos):
        raise Fails("a status for a station that does not exist")
    return f"Total {said.total}"


async def _status_limit(bench: Bench) -> str:
    message = QueryStationStatus(station_ids=[f"{UNKNOWN_CONNECTOR}{n}" for n in range(_IDS_MOST + 1)])
    ret = (await bench.probe.ask("query_station_status", message)).opened().ret
    if ret == 0:
        raise Noted("51 StationIDs are taken; the standard's limit is 50")
    return f"51 StationIDs are refused with Ret {ret}"


async def _stats(bench: Bench) -> str:
    _need_stations(bench)
    day = format_day(bench.probe.clock.wall() - timedelta(days=1), bench.profile.time.zone)
    station_id = bench.stations[0].station_id
    message = QueryStationStats(station_id=station_id, start_time=day, end_time=day)
    said = (await bench.probe.ask("query_station_stats", message)).reply(QueryStationStatsReply).station_stats
    if said.station_id != station_id:
        raise Fails(f"asked for {station_id}, answered {said.station_id}")
    piles = sum((pile.equipment_electricity for pile in said.equipment_stats_infos), bench.zero)
    if abs(piles - said.station_electricity) * 10 > max(1, len(said.equipment_stats_infos)):
        raise Noted(f"StationElectricity {said.station_electricity}, its piles together {piles}")
    return f"{said.station_electricity} kWh on {day}"


async def _auth(bench: Bench) -> str:
    connector_id, seq = _some_connector(bench), bench.probe.new_seq()
    message = QueryEquipAuth(equip_auth_seq=seq, connector_id=connector_id)
    said = (await bench.probe.ask("query_equip_auth", message)).reply(QueryEquipAuthReply)
    if (said.equip_auth_seq, said.connector_id) != (seq, connector_id):
        raise Fails("EquipAuthSeq or ConnectorID is not given back")
    return f"{connector_id}: SuccStat {said.succ_stat}, FailReason {said.fail_reason}"


async def _auth_unknown(bench: Bench) -> str:
    message = QueryEquipAuth(equip_auth_seq=bench.probe.new_seq(), connector_id=UNKNOWN_CONNECTOR)
    return _must_say_no(await bench.probe.ask("query_equip_auth", message), QueryEquipAuthReply)


async def _policy(bench: Bench) -> str:
    connector_id, seq = _some_connector(bench), bench.probe.new_seq()
    message = QueryEquipBusinessPolicy(equip_biz_seq=seq, connector_id=connector_id)
    exchange = await bench.probe.ask("query_equip_business_policy", message)
    said = exchange.reply(QueryEquipBusinessPolicyReply)
    if said.succ_stat != 0:
        raise Noted(
            f"SuccStat {said.succ_stat}, FailReason {said.fail_reason}: pricing.mode must not be policy"
        )
    if said.sum_period != len(said.policy_infos) or not said.policy_infos:
        raise Fails(f"SumPeriod {said.sum_period}, but {len(said.policy_infos)} PolicyInfos")
    try:
        starts = [parse_clock(one.start_time) for one in said.policy_infos]
    except ValueError as problem:
        raise Fails(f"StartTime: {problem}") from None
    if any(early >= late for early, late in pairwise(starts)):
        raise Fails("the periods are not in order")
    if starts[0]:
        raise Noted(f"the first period starts at {said.policy_infos[0].start_time}, not 000000")
    return f"{len(starts)} periods"


async def _policy_unknown(bench: Bench) -> str:
    message = QueryEquipBusinessPolicy(equip_biz_seq=bench.probe.new_seq(), connector_id=UNKNOWN_CONNECTOR)
    exchange = await bench.probe.ask("query_equip_business_policy", message)
    return _must_say_no(exchange, QueryEquipBusinessPolicyReply)


async def _start_unknown(bench: Bench) -> str:
    message = QueryStartCharge(
        start_charge_seq=bench.probe.new_seq(), connector_id=UNKNOWN_CONNECTOR, qr_code=""
    )
    return _must_say_no(await bench.probe.ask("query_start_charge", message), QueryStartChargeReply)


async def _stop_unknown(bench: Bench) -> str:
    message = QueryStopCharge(start_charge_seq=bench.probe.new_seq(), connector_id=UNKNOWN_CONNECTOR)
    return _must_say_no(await bench.probe.ask("query_stop_charge", message), QueryStopChargeReply)


async def _charge_unknown(bench: Bench) -> str:
    message = QueryEquipChargeStatus(start_charge_seq=bench.probe.new_seq())
    exchange = await bench.probe.ask("query_equip_charge_status", message)
    ret = exchange.opened().ret
    if ret != 0:
        return f"refused with Ret {ret}"
    said = exchange.reply(QueryEquipChargeStatusReply)
    if said.start_charge_seq_stat not in {_ENDED, _UNKNOWN}:
        raise Fails(f"a charge that never was is told as {said.start_charge_seq_stat}")
    return f"StartChargeSeqStat {said.start_charge_seq_stat}"


HOST = (
    Check("stations.pages", "query_stations_info: the pages hold ItemSize stations, each once", _pages),
    Check("stations.past_the_end", "a page past the last one is empty", _past_the_end),
    Check("stations.since", "LastQueryTime narrows the list down", _since),
    Check("stations.fields", "ids, AreaCode and coordinates are of the standard's form", _fields),
    Check("status.all", "query_station_status tells every connector", _status),
    Check("status.unknown", "an unknown station has no status", _status_unknown),
    Check("status.limit", "more than 50 StationIDs are refused", _status_limit),
    Check("stats.day", "query_station_stats tells a day's energy", _stats),
    Check("auth.known", "query_equip_auth gives back its number and connector", _auth),
    Check("auth.unknown", "an unknown connector is not ready", _auth_unknown),
    Check("policy.known", "query_equip_business_policy covers the day in order", _policy),
    Check("policy.unknown", "an unknown connector has no price", _policy_unknown),
    Check("start.unknown", "an unknown connector does not start", _start_unknown),
    Check("stop.unknown", "a charge that never was cannot be stopped", _stop_unknown),
    Check("charge.unknown", "a charge that never was does not charge", _charge_unknown),
)


def _must_say_no(exchange: Exchange, kind: type[Part]) -> str:
    """Refused by Ret 4004 or by SuccStat 1, whichever the platform prefers."""
    ret = exchange.opened().ret
    if ret == Ret.BUSINESS:
        return "refused with Ret 4004"
    if ret != 0:
        raise Noted(f"refused with Ret {ret}; SuccStat 1 or Ret 4004 is usual")
    said: Any = exchange.reply(kind)
    if said.succ_stat == 0:
        raise Fails(f"{exchange.interface}: SuccStat 0")
    return f"SuccStat {said.succ_stat}, FailReason {said.fail_reason}"


def _need_stations(bench: Bench) -> None:
    if not bench.stations:
        raise Skipped("the platform told no stations")


def _some_connector(bench: Bench) -> str:
    known = [bench.connector_id] if bench.connector_id else bench.connectors()
    if not known:
        raise Skipped("the platform told no connectors")
    return known[0]
