"""The yardstick of the phones' service: graphql-core executing parsed documents over plain objects in memory.

It asks nobody and checks nothing. No server of GraphQL in this language can do less for the same answer.
"""

from dataclasses import dataclass
from typing import Any

import orjson
from graphql import DocumentNode, build_schema, parse, validate
from graphql.execution import execute_sync
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.bench.traffic import STATIONS_ASKED

SCHEMA = build_schema(
    """
    input PointInput { latitudeE6: Int! longitudeE6: Int! }
    type Query { stations(near: PointInput, first: Int): Stations }
    type Stations { edges: [Edge!]! }
    type Edge { node: Station! }
    type Station {
      id: ID! name: String! address: String! distanceM: Int
      connectorsTotal: Int! connectorsAvailable: Int! maxPowerW: Int! priceNowMicro: Int
    }
    """
)


@dataclass(frozen=True)
class Station:
    """A station."""

    id: str
    name: str
    address: str
    distanceM: int  # noqa: N815 (the schema's own names)
    connectorsTotal: int  # noqa: N815
    connectorsAvailable: int  # noqa: N815
    maxPowerW: int  # noqa: N815
    priceNowMicro: int  # noqa: N815


@dataclass(frozen=True)
class Edge:
    """A station's place in a list."""

    node: Station


@dataclass(frozen=True)
class Stations:
    """The list."""

    edges: list[Edge]


@dataclass(frozen=True)
class Root:
    """What can be asked for."""

    stations: Stations


def core_app() -> Starlette:
    """The application."""
    found = [
        Station(f"N{number}.MA5HOST00", f"福田{number}号充电站", "深圳市", number, 2, 1, 7_000, 1_300_000)
        for number in range(STATIONS_ASKED)
    ]
    root = Root(Stations([Edge(one) for one in found]))
    documents: dict[str, DocumentNode] = {}

    async def answer(request: Request) -> Response:
        asked: dict[str, Any] = orjson.loads(await request.body())
        document = documents.get(asked["query"])
        if document is None:
            document = documents[asked["query"]] = _valid(parse(asked["query"]))
        result = execute_sync(SCHEMA, document, root, variable_values=asked["variables"])
        return Response(orjson.dumps(result.formatted), media_type="application/json")

    return Starlette(routes=[Route("/graphql", answer, methods=["POST"])])


def _valid(document: DocumentNode) -> DocumentNode:
    assert not validate(SCHEMA, document)
    return document
