"""Documents made up by hypothesis: whatever they ask, over a real hub, the answer is JSON and never a 5xx."""

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis_graphql import from_schema, nodes

from mobile_bff.graph.schema import make_schema
from mobile_bff.words import OWN_WORDS
from operator_sdk.contract.public_codes import Code
from tests.bff_rig import open_bff
from tests.rig import C, open_rig

pytestmark = pytest.mark.property
CODES = set(Code) | set(OWN_WORDS)
SCALARS = {
    "Fen": st.integers(-(10**13), 10**13).map(nodes.Int),
    "Wh": st.integers(-5, 10**13).map(nodes.Int),
    "DateTime": st.text(max_size=30).map(nodes.String),
}
SDL = make_schema(in_order=True).as_str()
MADE = from_schema(SDL, custom_scalars=SCALARS)


@dataclass
class Running:
    """The service in a thread of its own, and a token for it."""

    url: str
    token: str


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    ready: list[Running] = []
    up, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with (
            open_rig("sqlite", rate_per_s=10_000) as rig,
            open_bff(rig.url, rate_per_s=10_000, sign_ins_per_s=10_000) as bff,
        ):
            ready.append(Running(bff.url, rig.token(C, rig.customer.customer_id)))
            up.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert up.wait(60)
    yield ready[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(60)
    loop.close()


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=60) as client:
        yield client


def check(answer: httpx.Response, statuses: set[int]) -> dict[str, Any]:
    assert answer.status_code in statuses, (answer.status_code, answer.text)
    said = answer.json()
    for error in said.get("errors", ()):
        assert error["extensions"]["code"] in CODES - {Code.INTERNAL}, said
        assert len(error["message"]) <= 200
    return dict(said)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
        HealthCheck.data_too_large,
    ],
)
@given(document=MADE)
def test_any_document_of_the_schema_is_answered(running: Running, http: httpx.Client, document: str) -> None:
    headers = {"authorization": f"Bearer {running.token}"}
    answer = http.post(f"{running.url}/graphql", json={"query": document}, headers=headers)
    check(answer, {200})


@settings(max_examples=40, deadline=None)
@given(
    body=st.one_of(
        st.binary(max_size=300),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=20),
            lambda inner: (
                st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
            ),
        ),
        st.fixed_dictionaries(
            {"query": st.text('{}()[]!$:=@.,&|"\\ \n#abquery1', max_size=80)},
            optional={
                "variables": st.none() | st.dictionaries(st.text(max_size=5), st.integers()),
                "operationName": st.text(),
            },
        ),
    )
)
def test_any_body_at_all_is_answered(running: Running, http: httpx.Client, body: Any) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = http.post(
        f"{running.url}/graphql",
        content=content,
        headers={"content-type": "application/json"},
    )
    check(answer, {200, 400})


@settings(max_examples=30, deadline=None)
@given(
    variables=st.dictionaries(
        st.sampled_from(["first", "after", "near", "search", "id", "code"]),
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(),
            st.floats(allow_nan=False, allow_infinity=False),
            st.text(max_size=60),
            st.fixed_dictionaries(
                {
                    "latitudeE6": st.integers(-(2**40), 2**40),
                    "longitudeE6": st.integers(),
                }
            ),
        ),
    )
)
def test_any_variables_are_answered(running: Running, http: httpx.Client, variables: dict[str, Any]) -> None:
    document = (
        'query($first: Int! = 3, $after: String, $near: PointInput, $search: String! = "", $id: ID! = "x",'
        ' $code: String! = "x") { stations(first: $first, after: $after, near: $near, search: $search) {'
        " edges { node { id distanceM } } } station(id: $id) { name } chargingSession(id: $id) { state }"
        " chargeRecords(first: $first, after: $after) { edges { cursor } } scan: resolveScan(code: $code) {"
        " __typename } }"
    )
    headers = {"authorization": f"Bearer {running.token}"}
    content = {"query": document, "variables": variables}
    check(http.post(f"{running.url}/graphql", json=content, headers=headers), {200, 400})
