"""What the host's engineers see and do: a JSON API below /local and a page. It has no sign-in of its own:
listen on a private address.
"""

from typing import Annotated

from msgspec import Meta
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from operator_sdk.contract.codes import StopReason
from operator_sdk.contract.edge_link.frames import BadItem, UpdateItem
from operator_sdk.contract.messages.common import Message, Token
from operator_sdk.contract.public_codes import Code
from operator_sdk.examples import web
from operator_sdk.examples.host.desk import Desk
from operator_sdk.examples.host.fleet import Fleet
from operator_sdk.examples.host.page import PAGE
from operator_sdk.examples.host.publish import Publisher
from operator_sdk.examples.host.site import Place, SiteTariff
from operator_sdk.examples.host.store import Session, Store
from operator_sdk.guard import Refuse
from operator_sdk.site_gateway import KeptItem, SqliteInbox

_SHOWN_MOST = 100


class LocalStop(Message, frozen=True):
    """An engineer ends a charge."""

    reason: StopReason = StopReason.HOST


class NewBlacklist(Message, frozen=True):
    """The whole list of tokens that no pile accepts."""

    tokens: Annotated[list[Token], Meta(max_length=20_000)]


class Local:
    """The control API and the page."""

    def __init__(
        self,
        *,
        places: dict[str, Place],
        store: Store,
        inbox: SqliteInbox,
        fleet: Fleet,
        desk: Desk,
        publisher: Publisher,
    ) -> None:
        self._places, self._store, self._inbox = places, store, inbox
        self._fleet, self._desk, self._publisher = fleet, desk, publisher

    def routes(self) -> list[Route]:
        """Everything below /local, and the page."""
        return [
            web.route("/", "GET", self._page),
            web.route("/local/connectors", "GET", self._connectors),
            web.route("/local/sites", "GET", self._sites),
            web.route("/local/sessions", "GET", self._sessions),
            web.route("/local/sessions/{session_id}", "GET", self._session),
            web.route("/local/sessions/{session_id}/stop", "POST", self._stop),
            web.route("/local/faults", "GET", self._faults),
            web.route("/local/tariffs", "GET", self._tariffs),
            web.route("/local/tariffs", "POST", self._add_tariff),
            web.route("/local/blacklist", "GET", self._blacklist),
            web.route("/local/blacklist", "PUT", self._replace_blacklist),
        ]

    async def _page(self, _: Request) -> Response:
        return HTMLResponse(PAGE)

    async def _connectors(self, _: Request) -> dict[str, object]:
        running = {one.connector_id: one for one in self._store.open_sessions()}
        shown = []
        for status in self._publisher.statuses():
            place, session = self._places[status.connector_id], running.get(status.connector_id)
            shown.append(
                {
                    "connector_id": status.connector_id,
                    "kind": place.kind,
                    "rated_power_w": place.rated_power_w,
                    "station_name": place.station_name,
                    "site_id": self._fleet.site_of(status.connector_id),
                    "state": status.state,
                    "session_id": session.session_id if session else None,
                }
            )
        return {"published": self._publisher.is_published, "connectors": shown}

    async def _sites(self, _: Request) -> dict[str, object]:
        return {"sites": [self._site(site_id) for site_id in self._fleet.agents]}

    def _site(self, site_id: str) -> dict[str, object]:
        said = self._store.site(site_id)
        health = said.health
        return {
            "site_id": site_id,
            "connected": self._fleet.is_connected(site_id),
            "since": said.since,
            "agent_version": said.agent_version,
            "connectors": self._fleet.agents[site_id].connectors,
            "can_frames": health.can_frames if health else 0,
            "meter_frames": health.meter_frames if health else 0,
            "spool_waiting": health.spool_waiting if health else 0,
            "health_at": health.at if health else None,
        }

    async def _sessions(self, _: Request) -> dict[str, object]:
        return {"sessions": [await self._shown(one) for one in self._store.latest_sessions()]}

    async def _session(self, request: Request) -> dict[str, object]:
        return await self._shown(self._known(request))

    async def _stop(self, request: Request) -> dict[str, object]:
        stop = await web.read(request, LocalStop)
        return {"state": await self._desk.stop(self._known(request).session_id, stop.reason)}

    async def _faults(self, _: Request) -> dict[str, object]:
        bad = await self._inbox.waiting("bad", most=_SHOWN_MOST)
        faults = self._store.faults(_SHOWN_MOST)
        return {
            "faults": [
                {
                    "site_id": site_id,
                    "connector_id": fault.connector_id,
                    "code": fault.code,
                    "text": fault.text,
                    "at": fault.at,
                    "cleared": fault.cleared,
                }
                for site_id, fault in faults
            ],
            "alarms": self._store.alarms(),
            "bad_items": [
                {"site_id": one.site_id, "number": one.number, "problem": one.item.problem}
                for one in bad
                if isinstance(one.item, BadItem)
            ],
        }

    async def _tariffs(self, _: Request) -> dict[str, object]:
        return {"tariffs": self._store.tariffs(), "refused": self._publisher.refused}

    async def _add_tariff(self, request: Request) -> dict[str, object]:
        put = await web.read(request, SiteTariff)
        known = {(one.tariff_id, one.version): one for one in self._store.tariffs()}
        if known.get((put.tariff_id, put.version), put) != put:
            raise Refuse(Code.ID_REUSED)
        # The sites first: when the hub knows the price, a start may name it.
        await self._fleet.add_tariff(put)
        self._publisher.again()
        return {"tariff_id": put.tariff_id, "version": put.version}

    async def _blacklist(self, _: Request) -> object:
        return self._store.blacklist()

    async def _replace_blacklist(self, request: Request) -> object:
        given = await web.read(request, NewBlacklist)
        await self._fleet.replace_blacklist(given.tokens)
        return self._store.blacklist()

    def _known(self, request: Request) -> Session:
        session = self._store.session(request.path_params["session_id"])
        if session is None:
            raise Refuse(Code.NOT_FOUND)
        return session

    async def _shown(self, session: Session) -> dict[str, object]:
        last, reply = session.last, session.reply
        return {
            "session_id": session.session_id,
            "site_id": session.site_id,
            "connector_id": session.connector_id,
            "host_ref": (last.host_ref if last else None) or (reply.host_ref if reply else None),
            "state": session.state,
            "refusal": reply.refusal if reply else None,
            "stop_reason": last.stop_reason if last else None,
            "energy_wh": last.energy_wh if last else 0,
            "amount_fen": last.amount_fen if last else 0,
            "power_w": last.power_w if last else 0,
            "soc_percent": last.soc_percent if last else None,
            "meter_wh": last.meter_wh if last else None,
            "at": last.at if last else None,
            "limit_fen": session.limit_fen,
            "numbers": _numbers(await self._inbox.of_session(session.session_id)),
            "bill": session.bill,
            "record": session.record,
            "settlement": session.settlement,
        }


def _numbers(kept: list[KeptItem]) -> dict[str, list[int]]:
    """The numbers of the updates that the site made, and what the hub said to them."""
    updates = [(one.item.update.number, one.state) for one in kept if isinstance(one.item, UpdateItem)]
    return {
        "made": [number for number, _ in updates],
        "acknowledged": [number for number, state in updates if state == "done"],
        "refused": [number for number, state in updates if state == "refused"],
    }
