"""Requests made and signed ahead of their window, every one with ids and a nonce of its own."""

import json
import secrets
import time
from datetime import UTC, datetime, timedelta

import msgspec

from operator_sdk.contract.codes import SessionState, TargetKind, TokenKind
from operator_sdk.contract.ids import AUTHORIZATION, SESSION, connector_ref, hub_id
from operator_sdk.contract.messages.common import Target, Token
from operator_sdk.contract.messages.roaming import AuthorizeRequest, HomeAuthorizeRequest, SessionUpdate
from operator_sdk.contract.signing import SigningKey, sign_request
from tests.bench.wire import Request, render
from tests.bench.world import HOLD_FEN, LATITUDE_E6, LONGITUDE_E6, Operator, World

AUTHORIZE = "/v1/authorizations"
TARGET = Target(kind=TargetKind.ENERGY, value=20_000)
STATIONS_ASKED = 20
STATIONS = (
    f"query($near: PointInput) {{ stations(near: $near, first: {STATIONS_ASKED}) {{ edges {{ node {{"
    " id name address distanceM connectorsTotal connectorsAvailable maxPowerW priceNowMicro } } } }"
)
"""Eight fields of twenty stations."""

SQUARES, SQUARE_E6, SIDE_E6 = 20, 500, 600_000


class Job(msgspec.Struct, frozen=True):
    """What the generator is to do. `rate` 0 means closed loop: each connection asks again once answered.

    `kind` is authorize (at the hub or the forwarder), home (the stub itself), update, stations (GraphQL), or
    one of those of `tcec_traffic`; `places` says where the phones are that ask for stations: near, same or
    anywhere.
    """

    kind: str
    url: str
    seconds: float
    connections: int
    requests: int
    rate: float = 0.0
    warm_s: float = 0.0
    tokens: dict[str, str] = {}
    sessions: list[tuple[str, str, int]] = []
    collect: bool = False
    places: str = ""


class Traffic:
    """Makes requests for jobs."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._keys = {operator.party_id: operator.key() for operator in [*world.hosts, world.forwarder]}
        self._made = 0
        self._began = datetime.now(UTC).replace(microsecond=0)
        self._run = secrets.token_hex(3)

    def authorizations(self, job: Job) -> list[Request]:
        """Hosts ask for cards of all homes at all connectors."""
        return [self._authorization(job) for _ in range(job.requests)]

    def _authorization(self, job: Job) -> Request:
        self._made += 1
        world, number = self._world, self._made
        host = world.hosts[number % len(world.hosts)]
        home = world.homes[number // len(world.hosts) % len(world.homes)]
        plugs = world.connectors()
        body = msgspec.json.encode(
            AuthorizeRequest(
                authorization_ref=f"{self._run}-{number}",
                token=_card(home, self._run, number),
                connector_id=plugs[number % len(plugs)],
                target=TARGET,
            )
        )
        token = job.tokens.get(host.party_id, "")
        return Request(self._signed(self._keys[host.party_id], job.url + AUTHORIZE, body, token), host.party_id)

    def home_authorizations(self, job: Job) -> list[Request]:
        """What the hub would send on, straight to the homes."""
        found = []
        for _ in range(job.requests):
            self._made += 1
            number, now_ms = self._made, time.time_ns() // 1_000_000
            host = self._world.hosts[number % len(self._world.hosts)]
            home = self._world.homes[number // len(self._world.hosts) % len(self._world.homes)]
            ask = HomeAuthorizeRequest(
                authorization_id=hub_id(AUTHORIZATION, now_ms, secrets.randbits(74)),
                session_id=hub_id(SESSION, now_ms, secrets.randbits(74)),
                token=_card(home, self._run, number),
                host_party_id=host.party_id,
                connector=connector_ref(host.party_id, self._world.connectors()[0]),
                tariff=self._world.tariff(host),
                target=TARGET,
                hold_fen=HOLD_FEN,
            )
            key, body = self._keys[self._world.forwarder.party_id], msgspec.json.encode(ask)
            found.append(Request(self._signed(key, home.base_url + AUTHORIZE, body, ""), home.party_id))
        return found

    def updates(self, job: Job) -> list[list[Request]]:
        """A stream for each connection: its sessions in turn, so that none has two updates in flight."""
        streams: list[list[Request]] = [[] for _ in range(job.connections)]
        rounds = max(1, job.requests // max(1, len(job.sessions)))
        for step in range(rounds):
            for place, (session_id, host_id, last) in enumerate(job.sessions):
                number = last + 1 + step
                update = SessionUpdate(
                    number=number,
                    at=self._began + timedelta(seconds=10 * number),
                    state=SessionState.CHARGING,
                    meter_wh=1_000_000 + 150 * number,
                    energy_wh=150 * number,
                    amount_fen=20 * number,
                    power_w=54_000,
                    soc_percent=min(99, 20 + number),
                )
                url = f"{job.url}/v1/sessions/{session_id}/updates"
                headers = {"authorization": f"Bearer {job.tokens[host_id]}", "x-request-id": f"{number}"}
                raw = render("POST", url, headers, msgspec.json.encode(update))
                streams[place % job.connections].append(Request(raw, session_id))
        return streams

    def stations(self, job: Job) -> list[Request]:
        """Phones look for stations around them."""
        return [self._look(job) for _ in range(job.requests)]

    def _look(self, job: Job) -> Request:
        self._made += 1
        latitude_e6, longitude_e6 = place(self._made, job.places)
        near = {"latitudeE6": latitude_e6, "longitudeE6": longitude_e6}
        body = json.dumps({"query": STATIONS, "variables": {"near": near}}).encode()
        return Request(render("POST", f"{job.url}/graphql", {"accept-language": "zh"}, body))

    def _signed(self, key: SigningKey, url: str, body: bytes, token: str) -> bytes:
        signed = sign_request(
            key,
            method="POST",
            target_uri=url,
            body=body,
            created=int(time.time()),
            nonce=secrets.token_urlsafe(24),
        )
        headers = {
            "authorization": f"Bearer {token}",
            "x-request-id": f"bench-{self._run}-{self._made}",
            **signed.as_dict(),
        }
        return render("POST", url, headers, body)


def place(number: int, kind: str) -> tuple[int, int]:
    """Where a phone is. `near`: within one of a few squares of 50 m, and never where another was, so that the
    service asks the hub about a square once a second and executes every document; `same`: all at one place;
    `anywhere`: each in a square of its own.
    """
    square = {"near": number % SQUARES, "same": 0}.get(kind, number)
    within = number // SQUARES if kind == "near" else 0
    corner = [square * step % (SIDE_E6 // SQUARE_E6) * SQUARE_E6 for step in (733, 451)]
    return (
        LATITUDE_E6 + corner[0] + within % SQUARE_E6 - SQUARE_E6 // 2,
        LONGITUDE_E6 + corner[1] + within // SQUARE_E6 % SQUARE_E6 - SQUARE_E6 // 2,
    )


def _card(home: Operator, run: str, number: int) -> Token:
    return Token(kind=TokenKind.CARD, ref=f"{home.prefix}{run}{number:08d}")
