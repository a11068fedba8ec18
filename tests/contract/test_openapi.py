"""Schemathesis over the published OpenAPI: no reply is a 5xx, and every reply is as described."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from hub.export_contracts import contracts
from hub.upkeep.tables import WorkOrderRow
from hub.upkeep.tables_alarms import AlarmRow
from operator_sdk.contract.codes import ConnectorState, FaultKind
from operator_sdk.contract.messages.disputes import DisputeRaise
from operator_sdk.contract.messages.upkeep import FaultReport
from operator_sdk.contract.operations import HUB, Operation, Scope
from tests.edge_client import Site
from tests.rig import A, B, C, D, Rig, open_rig
from tests.rig_charges import begin_by_driver, begin_by_home, begin_by_host, charge_of
from tests.rig_raw import key_of, signature
from tests.site_world import SITE, set_up_site

pytestmark = pytest.mark.contract

EXAMPLES = 8
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]

SCHEMA = schemathesis.openapi.from_dict(contracts()["openapi-hub.json"])


def _sound(read: Any) -> Any:
    return read.ok()


OPERATIONS = {found.definition.raw["operationId"]: found for found in map(_sound, SCHEMA.get_all_operations())}


@dataclass
class Target:
    """A rig served from a thread, with real ids for paths and a token for every kind of caller."""

    rig: Rig
    ids: dict[str, str]
    staff: str

    def caller(self, operation: Operation) -> tuple[str, str | None] | None:
        """Who may call this: (party, driver), or None for the public and for staff."""
        if Scope.OPERATOR in operation.scopes:
            return (B if operation.role == "home" else A), None
        if Scope.DRIVER in operation.scopes:
            return C, self.rig.customer.customer_id
        return None


async def _fill(rig: Rig) -> Target:
    billed = await charge_of(rig, (await begin_by_home(rig)).session_id)
    await billed.whole()
    cycle = await rig.hub.clearing.close_cycle(rig.hub.clock.business())
    granted = await begin_by_host(rig)
    hosted = await begin_by_driver(rig)
    fault = await rig.driver().report_fault(
        FaultReport(request_ref="f-1", connector=f"A1.{A}", kind=FaultKind.DAMAGED)
    )
    await rig.report(ConnectorState.FAULTED, "A2")
    await set_up_site(rig, Site(site_id=SITE))
    (order,), (alarm,) = await rig.rows(WorkOrderRow), await rig.rows(AlarmRow)
    record = await rig.record(billed.session_id)
    dispute = await rig.client(B).raise_dispute(
        DisputeRaise(dispute_ref="d-1", record_id=record.record_id, reason="the driver was not there")
    )
    ids = {
        "party_id": A,
        "station_id": "S1",
        "connector": f"A1.{A}",
        "session_id": billed.session_id,
        "hosted": hosted.session_id,
        "authorization_id": granted.authorization_id,
        "record_id": record.record_id,
        "dispute_id": dispute.dispute_id,
        "cycle_id": cycle.cycle.cycle_id,
        "customer_id": rig.customer.customer_id,
        "tariff_id": "t",
        "version": "1",
        "fault_id": fault.fault_id,
        "order_id": order.order_id,
        "alarm_id": alarm.alarm_id,
        "site_id": SITE,
    }
    return Target(rig, ids, await rig.staff_token("boss"))


@contextmanager
def _in_a_thread(kind: str) -> Iterator[Target]:
    ready, done = threading.Event(), threading.Event()
    found: list[Target] = []

    async def live() -> None:
        async with open_rig(kind) as rig:
            found.append(await _fill(rig))
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=lambda: asyncio.run(live()), daemon=True)
    thread.start()
    while not ready.wait(0.1):
        assert thread.is_alive(), "the hub did not start"
    try:
        yield found[0]
    finally:
        done.set()
        thread.join(30)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    with _in_a_thread(request.param) as target:
        yield target


def answer_to(target: Target, operation: Operation, case: Any, *, real: bool, signs: bool) -> requests.Response:
    """Send a generated case: with ids of real objects, with the right credentials and a valid signature."""
    if real and case.path_parameters:
        ids = target.ids
        if operation.role == "keys":
            ids = ids | {"party_id": D, "key_id": "k1"}
        if Scope.DRIVER in operation.scopes and Scope.OPERATOR not in operation.scopes:
            ids = ids | {"session_id": ids["hosted"]}
        known = {name: ids[name] for name in case.path_parameters if name in ids}
        case.path_parameters = {**case.path_parameters, **known}
    given = case.as_transport_kwargs(base_url=target.rig.url)
    caller = target.caller(operation)
    token = target.rig.token(*caller) if caller else target.staff
    if Scope.PUBLIC not in operation.scopes:
        given["headers"]["Authorization"] = f"Bearer {token}"
    given.pop("cookies", None)
    request = requests.Request(**given, cookies={}).prepare()
    if operation.signed and caller and signs:
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        assert isinstance(body, bytes)
        key = key_of(target.rig, caller[0])
        assert key is not None
        path = (request.url or "").removeprefix(target.rig.url)
        request.headers.update(signature(target.rig, operation, path, body, key))
    with requests.Session() as session:
        session.trust_env = False
        return session.send(request, timeout=20)


@pytest.mark.parametrize("operation_id", sorted(OPERATIONS))
def test_whatever_is_sent_every_reply_is_as_published(target: Target, operation_id: str) -> None:
    operation, described = HUB[operation_id], OPERATIONS[operation_id]
    cases = st.one_of(
        described.as_strategy(generation_mode=GenerationMode.POSITIVE),
        described.as_strategy(generation_mode=GenerationMode.NEGATIVE),
    )

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, real=st.sampled_from([True, True, False]), signs=st.sampled_from([True, True, False]))
    def fuzz(case: Any, real: bool, signs: bool) -> None:
        answer = answer_to(target, operation, case, real=real, signs=signs)
        case.validate_response(answer, checks=CHECKS)

    fuzz()


def test_every_operation_of_the_table_is_published() -> None:
    assert OPERATIONS.keys() == HUB.keys()
