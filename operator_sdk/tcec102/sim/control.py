"""The control port of a simulated platform: plain JSON over HTTP, for tests, demonstrations and people.

GET gives state, POST takes a JSON object. 400 says what was wrong with it; 502 that the partner did not do what
was asked of it, with the error's word. Listen on this machine only: there is no sign-in.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from operator_sdk.chance import fresh_id
from operator_sdk.contract.tcec102.messages import ConnectorStatusInfo
from operator_sdk.contract.tcec102.messages_base import standard_name
from operator_sdk.contract.tcec102.profile import read_profile
from operator_sdk.contract.tcec102.sequences import make_qr, make_seq
from operator_sdk.contract.tcec102.values import format_day, parse_day, zone_of
from operator_sdk.errors import InterpileError
from operator_sdk.tcec102.sim.charges import BY_HAND, FAULT, PULLED
from operator_sdk.tcec102.sim.home import SimulatedHome
from operator_sdk.tcec102.sim.host import SimulatedHost
from operator_sdk.tcec102.sim.pains import PAINS
from operator_sdk.tcec102.sim.platform import Platform
from operator_sdk.tcec102.sim.world import Plug

_EXTRA = standard_name("extra")
_encode = msgspec.json.Encoder(decimal_format="number").encode


class _Wrong(Exception):
    """The request is not one that can be done; the words are for who made it."""


class Control:
    """What can be asked of a platform, and done to it."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._journal = platform.journal

    def app(self) -> Starlette:
        """The routes: GET for `show_*`, POST for `do_*`."""
        found = {name: getattr(self, name) for name in dir(self) if name.startswith(("show_", "do_"))}
        return Starlette(routes=[_route(name, work) for name, work in sorted(found.items())])

    async def show_state(self, asked: dict[str, Any]) -> Any:
        """Who this is, what is switched on, and all counts."""
        options = self._platform.options
        return {
            "operator_id": options.operator_id,
            "partner": options.profile.operator_id,
            "role": options.role,
            "pains": self._platform.pains.names(),
            "counts": dict(sorted(self._journal.counts.items())),
            "tolerated": {word: count for (_, word), count in self._platform.server.tolerated.items()},
        }

    async def show_pains(self, asked: dict[str, Any]) -> Any:
        """All pains, and whether they are on."""
        return [
            {"number": one.number, "name": one.name, "what": one.what, "on": one.name in self._platform.pains}
            for one in PAINS
        ]

    async def do_pains(self, asked: dict[str, Any]) -> Any:
        """{on: [name], off: [name]}, `*` in `off` for all."""
        names = self._platform.pains.names() if "*" in asked.get("off", []) else asked.get("off", [])
        for name in names:
            self._platform.pains.switch(name, on=False)
        for name in asked.get("on", []):
            self._platform.pains.switch(name, on=True)
        return self._platform.pains.names()

    async def do_keys(self, asked: dict[str, Any]) -> Any:
        """{profile}: from now on the key sets of this profile (TOML); the rest of it is not looked at."""
        _, secrets = read_profile(_text(asked, "profile"))
        self._platform.put_secrets(secrets)
        return {"theirs": [one.id for one in secrets.theirs], "ours": [one.id for one in secrets.ours]}

    async def show_journal(self, asked: dict[str, Any]) -> Any:
        """The last messages; `interface` and `way` (in, out) narrow it down."""
        wanted = {name: asked[name] for name in ("interface", "way") if name in asked}
        return [
            one
            for one in self._journal.entries
            if all(getattr(one, name) == value for name, value in wanted.items())
        ]

    # The host's.

    async def show_connectors(self, asked: dict[str, Any]) -> Any:
        """The host's connectors with their QR codes."""
        operator_id = self._platform.options.operator_id
        return [
            {
                "connector_id": name,
                "station_id": plug.station_id,
                "status": plug.status,
                "qr": make_qr(name, operator_id),
                "charge": plug.charge,
            }
            for name, plug in self._host.world.plugs.items()
        ]

    async def show_charges(self, asked: dict[str, Any]) -> Any:
        """The host's charges, with their bills once there are some."""
        host, now = self._host, self._platform.clock.business()
        return [
            {
                **msgspec.to_builtins(charge, builtin_types=(datetime,)),
                "energy_wh": charge.energy_wh_at(now),
                "order": host.told.order(charge) if charge.started_at and charge.ended_at else None,
            }
            for charge in host.life.charges.values()
        ]

    async def do_plug(self, asked: dict[str, Any]) -> Any:
        """{connector_id}: a vehicle comes."""
        plug = self._plug(asked)
        plug.is_plugged = True
        return self._changed(plug)

    async def do_unplug(self, asked: dict[str, Any]) -> Any:
        """{connector_id}: the vehicle leaves; a charge that runs ends with StopReason 4."""
        plug = self._plug(asked)
        if plug.charge is not None and self._host.life.stop(plug.charge, PULLED):
            return plug.as_status(None)
        plug.is_plugged = False
        return self._changed(plug)

    async def do_fault(self, asked: dict[str, Any]) -> Any:
        """{connector_id, on}: the pile breaks, or is repaired; a charge that runs ends with StopReason 3."""
        plug = self._plug(asked)
        plug.is_faulted = bool(asked.get("on", True))
        if plug.is_faulted and plug.charge is not None:
            self._host.life.stop(plug.charge, FAULT)
        return self._changed(plug)

    async def do_offline(self, asked: dict[str, Any]) -> Any:
        """{connector_id, on}: the pile cannot be reached; its charge goes on."""
        plug = self._plug(asked)
        plug.is_offline = bool(asked.get("on", True))
        return self._changed(plug)

    async def do_button(self, asked: dict[str, Any]) -> Any:
        """{start_charge_seq}: the driver stops at the pile."""
        return {"stopped": self._host.life.stop(_text(asked, "start_charge_seq"), BY_HAND)}

    async def do_statuses(self, asked: dict[str, Any]) -> Any:
        """Tell the state of every connector."""
        plugs = list(self._host.world.plugs.values())
        for plug in plugs:
            self._host.life.tell_status(plug)
        return {"told": len(plugs)}

    async def do_remove_station(self, asked: dict[str, Any]) -> Any:
        """{station_id}: it is gone for good."""
        return {"removed": self._host.world.remove(_text(asked, "station_id"))}

    async def do_rename_station(self, asked: dict[str, Any]) -> Any:
        """{station_id, name}: a change for LastQueryTime to find."""
        place = self._host.world.places.get(_text(asked, "station_id"))
        if place is None:
            raise _Wrong("there is no such station")
        place.info = msgspec.structs.replace(place.info, station_name=_text(asked, "name"))
        place.changed_at = self._platform.clock.business()
        return place.info

    async def do_check(self, asked: dict[str, Any]) -> Any:
        """{day}: send check_charge_orders of that local day (yyyy-MM-dd), today where none is named."""
        zone = self._platform.options.profile.time.zone
        try:
            day = parse_day(asked.get("day") or format_day(self._platform.clock.business(), zone))
        except ValueError as wrong:
            raise _Wrong("day: yyyy-MM-dd is expected") from wrong
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone_of(zone))
        seq = make_seq(self._platform.options.operator_id, fresh_id("chk"))
        check = self._host.check(midnight, seq)
        return {"sent": check, "answer": await self._platform.client.check_charge_orders(check)}

    # The home's.

    async def show_home_charges(self, asked: dict[str, Any]) -> Any:
        """The charges of the home's drivers."""
        return list(self._home.charges.values())

    async def show_stations(self, asked: dict[str, Any]) -> Any:
        """The stations that the home fetched, and the statuses that it knows."""
        return {"stations": list(self._home.stations.values()), "statuses": self._home.statuses}

    async def do_scan(self, asked: dict[str, Any]) -> Any:
        """{text, balance_fen}: a driver scans; `text` is hlht://... or a ConnectorID."""
        return await self._home.scan(_text(asked, "text"), asked.get("balance_fen"))

    async def do_stop(self, asked: dict[str, Any]) -> Any:
        """{start_charge_seq}: the driver stops in the app."""
        return await self._home.stop(self._known(asked))

    async def do_query(self, asked: dict[str, Any]) -> Any:
        """{start_charge_seq}: ask the host how it stands."""
        return await self._home.query(self._known(asked))

    async def do_sync(self, asked: dict[str, Any]) -> Any:
        """{since}: fetch stations and statuses; `since` (yyyy-MM-dd HH:mm:ss) for what changed."""
        return {"stations": await self._home.sync(asked.get("since"))}

    async def do_dispute(self, asked: dict[str, Any]) -> Any:
        """{start_charge_seq, on}: answer this charge's order (`*`: every order) with ConfirmResult 1."""
        change = self._home.disputing.add if asked.get("on", True) else self._home.disputing.discard
        change(_text(asked, "start_charge_seq"))
        return sorted(self._home.disputing)

    @property
    def _host(self) -> SimulatedHost:
        if self._platform.host is None:
            raise _Wrong("this platform is no host")
        return self._platform.host

    @property
    def _home(self) -> SimulatedHome:
        if self._platform.home is None:
            raise _Wrong("this platform is no home")
        return self._platform.home

    def _plug(self, asked: dict[str, Any]) -> Plug:
        plug = self._host.world.plugs.get(_text(asked, "connector_id"))
        if plug is None:
            raise _Wrong("there is no such connector")
        return plug

    def _changed(self, plug: Plug) -> ConnectorStatusInfo:
        self._host.life.tell_status(plug)
        return plug.as_status()

    def _known(self, asked: dict[str, Any]) -> str:
        seq = _text(asked, "start_charge_seq")
        if seq not in self._home.charges:
            raise _Wrong("there is no such charge")
        return seq


def _text(asked: dict[str, Any], name: str) -> str:
    value = asked.get(name)
    if not isinstance(value, str) or not value:
        raise _Wrong(f"{name}: text is expected")
    return value


def _route(name: str, work: Callable[[dict[str, Any]], Awaitable[Any]]) -> Route:
    verb, _, noun = name.partition("_")

    async def endpoint(request: Request) -> Response:
        try:
            asked = dict(request.query_params) if verb == "show" else await _body(request)
            return _json(await work(asked))
        except (_Wrong, ValueError) as wrong:
            return _json({"error": str(wrong)}, 400)
        except InterpileError as problem:
            return _json({"error": type(problem).__name__, "words": str(problem)}, 502)

    return Route(f"/{noun.replace('_', '-')}", endpoint, methods=["GET" if verb == "show" else "POST"])


async def _body(request: Request) -> dict[str, Any]:
    body = msgspec.json.decode(await request.body() or b"{}")
    if not isinstance(body, dict):
        raise _Wrong("a JSON object is expected")
    return body


def _json(value: Any, status: int = 200) -> Response:
    plain = _plain(msgspec.to_builtins(value, builtin_types=(Decimal,)))
    return Response(_encode(plain), status, media_type="application/json")


def _plain(value: Any) -> Any:
    """Messages as on the wire: what they do not say is left out, unknown fields stand beside the others."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    unknown = value.pop(_EXTRA, None)
    if unknown is None:
        return {name: _plain(one) for name, one in value.items()}
    return {**{name: _plain(one) for name, one in value.items() if one is not None}, **unknown}
