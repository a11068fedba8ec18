"""The hub behind a port: what the graph asks for, in whose name, and what comes of trouble."""

import re
from dataclasses import dataclass
from typing import TypeVar

from mobile_bff.drivers import Drivers
from mobile_bff.refused import Refused, told
from mobile_bff.settings import Settings, SettingsError
from operator_sdk.client import AsyncHubClient, BearerToken, OperatorCredentials, Patience
from operator_sdk.clock import Clock
from operator_sdk.contract.messages import access, directory, places, records, roaming, upkeep
from operator_sdk.contract.public_codes import Code
from operator_sdk.keys import load_key

# A driver waits before a screen: one more try, soon. A start asks home and host, in turn.
PATIENCE = Patience(attempts=2, first_ms=100, wait_ms_max=1_000)
TIMEOUT_S = 15
_ID = re.compile(r"[A-Za-z0-9._:-]{1,80}\Z")


Reply = TypeVar("Reply")


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf the hub is asked: the driver's token, where there is one, and the id of his request."""

    token: str | None
    request_id: str


def plain_id(text: str) -> str:
    """An id that can stand in a path; nothing has another.

    Raises:
        Refused: not_found.
    """
    if not _ID.match(text):
        raise Refused(Code.NOT_FOUND)
    return text


def open_client(settings: Settings, clock: Clock) -> AsyncHubClient:
    """The client that all calls go through.

    Raises:
        SettingsError: the key file cannot be read.
    """
    credentials = None
    if settings.party_id is not None and settings.key_file is not None:
        try:
            credentials = OperatorCredentials(settings.party_id, load_key(settings.key_file))
        except (OSError, ValueError) as problem:
            raise SettingsError(f"BFF_KEY_FILE: {problem}") from problem
    return AsyncHubClient(
        settings.hub_url,
        credentials,
        clock=clock,
        issuer=settings.issuer,
        timeout_s=TIMEOUT_S,
        patience=PATIENCE,
        connections=settings.connections,
    )


class HubBackend:
    """Calls the hub: the directory in the app's own name, all else in the driver's."""

    def __init__(self, client: AsyncHubClient, drivers: Drivers, *, has_own_name: bool) -> None:
        self._client, self._drivers, self.has_own_name = client, drivers, has_own_name

    def as_driver(self, caller: Caller) -> "DriverBackend":
        """The calls of one driver.

        Raises:
            Refused: unauthenticated, there is no token.
        """
        return DriverBackend(self._as_driver(caller))

    async def home_of_reader(self, caller: Caller) -> str | None:
        """Whose drivers' prices this caller sees in the directory, which may come from memory.

        None: what everybody sees, for the app reads in its own name.

        Raises:
            Refused: the app has no name of its own, and the caller no valid token.
        """
        return None if self.has_own_name else (await self._drivers.of(caller.token)).home_party_id

    def _as_reader(self, caller: Caller) -> AsyncHubClient:
        return self._as_ourselves(caller) if self.has_own_name else self._as_driver(caller)

    def _as_ourselves(self, caller: Caller) -> AsyncHubClient:
        return self._client.carrying(caller.request_id)

    def _as_driver(self, caller: Caller) -> AsyncHubClient:
        token = caller.token
        if not token:
            raise Refused(Code.UNAUTHENTICATED)
        if not token.isascii() or not token.isprintable():
            raise Refused(Code.TOKEN_INVALID)
        return self._as_ourselves(caller).acting_as(BearerToken(token))

    # The directory.

    async def search(self, query: places.StationQuery, caller: Caller) -> places.StationHits:
        """Stations near a place or by name."""
        with told():
            return await self._as_reader(caller).search_stations(query)

    async def station(self, party_id: str, station_id: str, caller: Caller) -> places.StationDetail:
        """One station with its connectors."""
        with told():
            return await self._as_reader(caller).get_station_detail(plain_id(party_id), plain_id(station_id))

    async def connector(self, connector: str, caller: Caller) -> directory.ConnectorInfo:
        """One connector and where it stands."""
        with told():
            return await self._as_reader(caller).get_connector(plain_id(connector))

    # Signing in.

    async def homes(self, *, limit: int, after: str | None, caller: Caller) -> places.HomeOperatorPage:
        """The homes whose drivers can sign in."""
        with told():
            return await self._as_ourselves(caller).list_home_operators(limit=limit, after=after)

    async def send_code(self, request: access.CodeRequest, caller: Caller) -> access.CodeSent:
        """A one-time code for a hosted driver."""
        with told():
            return await self._as_ourselves(caller).send_code(request)

    async def sign_in(self, request: access.DriverTokenRequest, caller: Caller) -> access.DriverTokens:
        """By code, by the home's assertion, or with a refresh token."""
        with told():
            return await self._as_ourselves(caller).issue_driver_token(request)


class DriverBackend:
    """What a driver asks for; the hub knows him by his own token. Every call raises `Refused`."""

    def __init__(self, client: AsyncHubClient) -> None:
        self.client = client

    async def _newest(self, operation: str, page: type[Reply], limit: int, after: str | None) -> Reply:
        query = {"limit": limit, "after": after, "order": "newest"}
        return await self.client.call(operation, reply=page, query=query)

    async def account(self) -> roaming.DriverAccount:
        """Balance and holds."""
        with told():
            return await self.client.get_driver_account()

    async def session(self, session_id: str) -> roaming.Session:
        """One session."""
        with told():
            return await self.client.get_session(plain_id(session_id))

    async def sessions(self, *, limit: int, after: str | None) -> roaming.SessionPage:
        """The driver's sessions."""
        with told():
            return await self._newest("list_sessions", roaming.SessionPage, limit, after)

    async def record(self, record_id: str) -> records.Record:
        """One bill."""
        with told():
            return await self.client.get_record(plain_id(record_id))

    async def records(self, *, limit: int, after: str | None) -> records.RecordPage:
        """The driver's bills."""
        with told():
            return await self._newest("list_records", records.RecordPage, limit, after)

    async def faults(self, *, limit: int, after: str | None) -> upkeep.FaultPage:
        """What the driver reported."""
        with told():
            return await self._newest("list_my_faults", upkeep.FaultPage, limit, after)

    async def scan(self, code: str) -> roaming.Scan:
        """What is this code?"""
        with told():
            return await self.client.scan(roaming.ScanRequest(code=code))

    async def start(self, request: roaming.StartChargingRequest) -> roaming.Session:
        """Start what was scanned."""
        with told():
            return await self.client.start_charging(request)

    async def stop(self, session_id: str, request: roaming.StopRequest) -> roaming.StopReply:
        """Stop a charge."""
        with told():
            return await self.client.stop_charging(plain_id(session_id), request)

    async def report_fault(self, report: upkeep.FaultReport) -> upkeep.Fault:
        """Something is wrong with a connector."""
        with told():
            return await self.client.report_fault(report)
