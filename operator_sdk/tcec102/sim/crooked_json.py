"""Business JSON as some partners write it: the strict message first, then spoilt by name."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from operator_sdk.tcec102.sim.pains import Pains

Json = Any
_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode

DRIFT = {
    "QRCode": "QrCode",
    "SumPeriod": "Sumperiod",
    "ElecMoney": "ElectMoney",
    "StartTime": "StarTime",
    "ConnectorID": "connectorID",
    "PageCount": "pageCount",
    "Soc": "SOC",
}
"""Spellings seen in the field. `StarTime` only in orders and status: a policy's StartTime has no such twin."""
_KEEPS_START_TIME = ("ElecPrice", "CheckOrderSeq", "StationElectricity")


def spoil(plain: bytes, pains: Pains) -> bytes:
    """The bytes of a message, as this partner would have written them."""
    wanted = [(name, work) for name, work in _WORKS if name in pains]
    if wanted:
        value = _decode(plain)
        for _, work in wanted:
            value = work(value)
        plain = _encode(value)
    return _dirty(plain) if "dirty_json" in pains else plain


def _each(value: Json, work: Callable[[dict[str, Json]], dict[str, Json]]) -> Json:
    """Every object of a value, the inner ones first."""
    if isinstance(value, dict):
        return work({name: _each(one, work) for name, one in value.items()})
    if isinstance(value, list):
        return [_each(one, work) for one in value]
    return value


def _drift(value: Json) -> Json:
    def rename(one: dict[str, Json]) -> dict[str, Json]:
        kept = any(name in one for name in _KEEPS_START_TIME)
        return {
            name if name == "StartTime" and kept else DRIFT.get(name, name): inner
            for name, inner in one.items()
        }

    return _each(value, rename)


def _strings(value: Json) -> Json:
    def quote(one: dict[str, Json]) -> dict[str, Json]:
        return {name: str(inner) if _is_number(inner) else inner for name, inner in one.items()}

    return _each(value, quote)


def _details_as_text(value: Json) -> Json:
    def fold(one: dict[str, Json]) -> dict[str, Json]:
        return {
            name: _encode(inner).decode() if name.lower() in _FOLDED and isinstance(inner, list) else inner
            for name, inner in one.items()
        }

    return _each(value, fold)


_FOLDED = ("chargedetails", "policyinfos")
_SINGULAR = {"StationStatusInfos": "StationStatusInfo", "ConnectorStatusInfos": "ConnectorStatusInfo"}


def _shapes(value: Json) -> Json:
    def shape(one: dict[str, Json]) -> dict[str, Json]:
        made = {}
        for name, inner in one.items():
            single = _SINGULAR.get(name)
            alone = isinstance(inner, list) and len(inner) == 1
            made[single or name] = inner[0] if single and alone else inner
        return made

    return _each(value, shape)


def _soc(value: Json) -> Json:
    def switch(one: dict[str, Json]) -> dict[str, Json]:
        return {name: int(Decimal(inner) > 0) if name == "Soc" else inner for name, inner in one.items()}

    return _each(value, switch)


def _phases(value: Json) -> Json:
    def fill(one: dict[str, Json]) -> dict[str, Json]:
        zeros = dict.fromkeys(("CurrentB", "CurrentC", "VoltageB", "VoltageC"), 0)
        return {**one, **zeros} if "CurrentA" in one else one

    return _each(value, fill)


def _foreign(value: Json) -> Json:
    def rename(one: dict[str, Json]) -> dict[str, Json]:
        return {**one, "OperatorID": "MA5OTHER1"} if "StationName" in one else one

    return _each(value, rename)


def _lie(value: Json) -> Json:
    def double(one: dict[str, Json]) -> dict[str, Json]:
        return {**one, "TotalMoney": 2 * one["TotalMoney"]} if "StopReason" in one else one

    return _each(value, double)


def _area(value: Json) -> Json:
    def name_it(one: dict[str, Json]) -> dict[str, Json]:
        return {**one, "AreaCode": "浦东新区"} if "AreaCode" in one else one

    return _each(value, name_it)


def _hhmm(value: Json) -> Json:
    def shorten(one: dict[str, Json]) -> dict[str, Json]:
        start = one.get("StartTime")
        if "ElecPrice" not in one or not isinstance(start, str):
            return one
        return {**one, "StartTime": f"{start[:2]}:{start[2:4]}"}

    return _each(value, shorten)


def _is_number(value: Json) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _dirty(plain: bytes) -> bytes:
    """A field nobody asked for and a trailing comma, as bytes: no JSON writer would do it."""
    if not plain.endswith(b"}"):
        return plain
    comma = b"" if plain == b"{}" else b","
    return plain[:-1] + comma + b'"serialVersionUID":' + json.dumps(str(2**63 - 1)).encode() + b",}"


# The order matters: what looks for standard names comes before what changes names or types.
_WORKS: tuple[tuple[str, Callable[[Json], Json]], ...] = (
    ("policy_hhmm", _hhmm),
    ("soc_0_1", _soc),
    ("dc_in_phase_a", _phases),
    ("foreign_operator_ids", _foreign),
    ("area_name", _area),
    ("lying_order", _lie),
    ("spelling_drift", _drift),
    ("status_shapes", _shapes),
    ("numbers_as_strings", _strings),
    ("details_as_text", _details_as_text),
)
