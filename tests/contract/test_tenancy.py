"""Every operation of the hub, tried by every other tenant with the ids of real objects.

The walk goes over `contract.operations.HUB` itself: an operation that nobody has thought about fails it.
"""

import asyncio
import re
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
import pytest

from hub.clearing.tables import ObligationRow
from hub.roaming.tables import ScanRow
from hub.upkeep.tables import WorkOrderRow
from hub.upkeep.tables_alarms import AlarmRow
from operator_sdk.contract.codes import ConnectorState, FaultKind
from operator_sdk.contract.messages.directory import TariffAssignmentPut
from operator_sdk.contract.messages.roaming import ScanRequest
from operator_sdk.contract.messages.upkeep import FaultReport
from operator_sdk.contract.operations import HUB, Operation, Scope
from tests.contract.tenancy_kinds import CLOSED, KIND, LIST, OWN, RIGHTFUL
from tests.contract.tenancy_objects import (
    NAMES,
    bodies_about,
    bodies_of,
    bury_a_letter,
    check_a_day,
    close_and_ask,
    leave_waiting,
    raise_a_dispute,
)
from tests.rig import A, B, C, D, Rig, open_rig
from tests.rig_charges import begin_by_driver, begin_by_home, begin_by_host, charge_of
from tests.rig_raw import send

pytestmark = pytest.mark.contract


@dataclass
class World:
    """A rig with one of everything that belongs to A, B and C, and nothing to D."""

    rig: Rig
    ids: dict[str, str]
    bodies: dict[str, bytes]
    fingerprint: str


async def build(rig: Rig) -> World:
    """Charges in every stage, a dispute, a statement, a dead letter, a scan, a fault, its order, an alarm."""
    billed = await charge_of(rig, (await begin_by_home(rig)).session_id)
    await billed.whole()
    agreed = TariffAssignmentPut(tariff_id="t", valid_from=rig.hub.clock.business(), home_party_id=B)
    await rig.hub.directory.assign_tariff(A, agreed)
    asked = await close_and_ask(rig)
    doubtful = await charge_of(rig, (await begin_by_home(rig)).session_id)
    dispute_id, said = await raise_a_dispute(rig, (await doubtful.whole()).record_id)
    running = await charge_of(rig, (await begin_by_home(rig)).session_id)
    await running.runs(0, 10)
    granted = await begin_by_host(rig)
    hosted = await charge_of(rig, (await begin_by_driver(rig)).session_id)
    await hosted.runs(0, 10)
    scan = await rig.driver().scan(ScanRequest(code=f"A1.{A}"))
    fault = await rig.driver().report_fault(
        FaultReport(request_ref="f-1", connector=f"A1.{A}", kind=FaultKind.DAMAGED, text="call me: 13800001111")
    )
    await rig.report(ConnectorState.FAULTED, "A2")
    await rig.work()
    record = await rig.record(billed.session_id)
    (order,), (alarm,) = await rig.rows(WorkOrderRow), await rig.rows(AlarmRow)
    (obligation,) = await rig.rows(ObligationRow, record_id=record.record_id)
    ids = {
        **NAMES,
        "session_id": running.session_id,
        "authorization_id": granted.authorization_id,
        "record_id": record.record_id,
        "cycle_id": obligation.cycle_id,
        "payment_id": asked[B].payment_id,
        "item_id": await leave_waiting(rig, record.record_id),
        "letter_id": await bury_a_letter(rig),
        "check_id": await check_a_day(rig),
        "dispute_id": dispute_id,
        "customer_id": rig.customer.customer_id,
        "hosted": hosted.session_id,
        "scan_id": scan.scan_id,
        "fault_id": fault.fault_id,
        "order_id": order.order_id,
        "alarm_id": alarm.alarm_id,
    }
    theirs = msgspec.structs.replace(rig.b.settlement(rig.b.records[0]), settlement_ref="theirs")
    bodies = {
        **bodies_of(ids, rig.hub.clock.business()),
        **bodies_about(running),
        **said,
        "push_settlement": msgspec.json.encode(theirs),
    }
    return World(rig, ids, bodies, await rig.fingerprint())


@pytest.fixture(scope="module")
def loop_of_the_module() -> Any:
    """One loop and one world for the whole walk: nothing in it may change anything."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def world(loop_of_the_module: asyncio.Runner) -> Any:
    opened: list[Any] = []

    async def begin() -> World:
        manager = open_rig("sqlite")
        opened.append(manager)
        return await build(await manager.__aenter__())

    world = loop_of_the_module.run(begin())
    yield world
    loop_of_the_module.run(opened[0].__aexit__(None, None, None))


def named_ids(world: World, operation: Operation) -> dict[str, str]:
    names = re.findall(r"{(\w+)}", operation.path)
    ids = {**world.ids, "session_id": world.ids["hosted"]} if operation.id == "stop_charging" else world.ids
    return {name: ids[name] for name in names}


async def attempt(world: World, operation: Operation, party: str, subject: str | None = None) -> httpx.Response:
    """A well-formed, well-signed call by somebody else with the ids of real objects."""
    path = operation.path.format(**named_ids(world, operation))
    body = world.bodies.get(operation.id, b"" if operation.method == "GET" else b"{}")
    return await send(world.rig, operation, path, body, party=party, subject=subject)


STRANGERS: list[tuple[str, str | None]] = [(D, None), (D, "somebody"), (C, "somebody"), (B, "somebody")]
"""An operator with no part in anything; drivers of no charge, of its home and of others."""


def test_no_operation_is_forgotten() -> None:
    served = {name for name, op in HUB.items() if op.scopes != {Scope.STAFF}}
    assert KIND.keys() == served


@pytest.mark.parametrize("operation_id", sorted(name for name, kind in KIND.items() if kind == CLOSED))
def test_a_stranger_gets_nothing_and_changes_nothing(
    world: World, loop_of_the_module: asyncio.Runner, operation_id: str
) -> None:
    operation = HUB[operation_id]

    async def walk() -> None:
        for party, subject in STRANGERS:
            answer = await attempt(world, operation, party, subject)
            expected = {403, 404}
            if operation_id == "start_charging" and subject:
                expected = {422}
                assert answer.json()["code"] == "scan_unknown"
            assert answer.status_code in expected, (party, subject, answer.text)
            assert set(answer.json()) == {"code", "message", "request_id", "details"}
            for secret in world.ids.values():
                assert len(secret) < 20 or secret not in answer.text
        assert await world.rig.fingerprint() == world.fingerprint

    loop_of_the_module.run(walk())


@pytest.mark.parametrize("operation_id", sorted(name for name, kind in KIND.items() if kind == CLOSED))
def test_somebody_elses_and_nobodys_look_the_same(
    world: World, loop_of_the_module: asyncio.Runner, operation_id: str
) -> None:
    operation = HUB[operation_id]
    driver = operation.scopes == {Scope.DRIVER}

    async def compare() -> None:
        theirs = await attempt(world, operation, D, "somebody" if driver else None)
        nobodys = World(world.rig, dict(world.ids), dict(world.bodies), "")
        for name, value in world.ids.items():
            if len(value) > 20:
                other = value[:-4] + ("0000" if value[-4:] != "0000" else "1111")
                nobodys.ids[name] = other
                for key, body in nobodys.bodies.items():
                    nobodys.bodies[key] = body.replace(value.encode(), other.encode())
        unknown = await attempt(nobodys, operation, D, "somebody" if driver else None)
        assert (theirs.status_code, len(theirs.content)) == (unknown.status_code, len(unknown.content))
        assert {**theirs.json(), "request_id": ""} == {**unknown.json(), "request_id": ""}
        names = [set(one.headers) for one in (theirs, unknown)]
        assert names[0] == names[1]

    loop_of_the_module.run(compare())


@pytest.mark.parametrize("operation_id", sorted(name for name, kind in KIND.items() if kind == LIST))
def test_a_list_never_holds_what_is_others(
    world: World, loop_of_the_module: asyncio.Runner, operation_id: str
) -> None:
    operation = HUB[operation_id]

    async def look() -> None:
        for party, subject in STRANGERS:
            answer = await attempt(world, operation, party, subject)
            if answer.status_code == 403:
                continue
            items = answer.json()["items"]
            assert operation_id == "list_cycles" or items == [], (party, subject)
        for party in (A, B, C):
            answer = await attempt(world, operation, party)
            if answer.status_code == 403:
                continue
            for item in answer.json()["items"]:
                sides = {item.get(name) for name in SIDES if name in item}
                assert not sides or party in sides, item

    loop_of_the_module.run(look())


SIDES = ("home_party_id", "host_party_id", "debtor", "creditor", "party_id")


def test_a_driver_sees_his_own_charges_and_no_other_of_his_home(
    world: World, loop_of_the_module: asyncio.Runner
) -> None:
    async def look() -> None:
        mine = await attempt(world, HUB["list_sessions"], C, world.rig.customer.customer_id)
        assert [one["session_id"] for one in mine.json()["items"]] == [world.ids["hosted"]]
        other = await attempt(world, HUB["list_sessions"], C, "somebody")
        assert other.json()["items"] == []

    loop_of_the_module.run(look())


def test_a_fault_is_its_drivers_own_and_its_order_the_hosts_without_the_driver(
    world: World, loop_of_the_module: asyncio.Runner
) -> None:
    async def look() -> None:
        mine = await attempt(world, HUB["list_my_faults"], C, world.rig.customer.customer_id)
        assert [one["fault_id"] for one in mine.json()["items"]] == [world.ids["fault_id"]]
        theirs = await attempt(world, HUB["list_my_work_orders"], A)
        assert [one["order_id"] for one in theirs.json()["items"]] == [world.ids["order_id"]]
        for private in ("13800001111", world.ids["fault_id"], world.rig.customer.customer_id, C):
            assert private not in theirs.text

    loop_of_the_module.run(look())


def test_a_host_never_speaks_for_a_home_nor_a_home_for_a_host(
    world: World, loop_of_the_module: asyncio.Runner
) -> None:
    async def walk() -> None:
        for operation in HUB.values():
            if operation.role not in {"home", "host"} or Scope.OPERATOR not in operation.scopes:
                continue
            wrong = B if operation.role == "host" else A
            answer = await attempt(world, operation, wrong)
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), operation.id
        assert await world.rig.fingerprint() == world.fingerprint

    loop_of_the_module.run(walk())


async def patient_attempt(
    world: World, operation: Operation, party: str, subject: str | None
) -> httpx.Response:
    """Guessing costs as much as asking in public, so a walk over the whole table is told to wait."""
    answer = await attempt(world, operation, party, subject)
    if answer.status_code == 429:
        await asyncio.sleep(int(answer.headers["retry-after"]))
        answer = await attempt(world, operation, party, subject)
    return answer


def test_staffs_operations_are_for_staff_with_that_function(
    world: World, loop_of_the_module: asyncio.Runner
) -> None:
    async def walk() -> None:
        onlooker = await world.rig.staff_token("onlooker", "onlooker")
        for operation in HUB.values():
            if Scope.STAFF not in operation.scopes:
                continue
            for party, subject in [*STRANGERS, (A, None), (B, None)]:
                if operation.scopes != {Scope.STAFF}:
                    continue
                answer = await patient_attempt(world, operation, party, subject)
                assert answer.status_code == 403, (operation.id, party)
            if operation.role not in {None, "parties_read"}:
                path = operation.path.format(**named_ids(world, operation))
                body = b"" if operation.method == "GET" else b"{}"
                answer = await send(world.rig, operation, path, body, token=onlooker)
                assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), operation.id
        assert await world.rig.fingerprint() == world.fingerprint

    loop_of_the_module.run(walk())


def test_what_is_written_below_the_own_name_leaves_others_alone(
    world: World, loop_of_the_module: asyncio.Runner
) -> None:
    """The last word of the walk: D uses A's ids for its own things, and A's are what they were."""

    async def walk() -> None:
        before = await attempt(world, HUB["get_connector"], B)
        scans = len(await world.rig.rows(ScanRow))
        for operation_id in sorted(name for name, kind in KIND.items() if kind == OWN):
            for subject in (None, "somebody"):
                answer = await patient_attempt(world, HUB[operation_id], D, subject)
                assert answer.status_code in {200, 201, 403, 404, 422, 503}, (operation_id, answer.text)
                if answer.status_code == 200 and operation_id in {"authorize", "start_session"}:
                    assert answer.json()["state"] == "refused"
        after = await attempt(world, HUB["get_connector"], B)
        assert after.json() == before.json()
        assert len(await world.rig.rows(ScanRow)) == scans
        assert await world.rig.fingerprint() == world.fingerprint

    loop_of_the_module.run(walk())


def test_whoever_it_belongs_to_is_let_in(world: World, loop_of_the_module: asyncio.Runner) -> None:
    """So that the refusals above mean something: the same ids and bodies, by their owners. Runs last."""
    assert RIGHTFUL.keys() == {name for name, kind in KIND.items() if kind == CLOSED}

    async def walk() -> None:
        order = sorted(RIGHTFUL, key=lambda name: name == "session_events")
        for operation_id in order:
            party, is_driver = RIGHTFUL[operation_id]
            subject = world.rig.customer.customer_id if is_driver else None
            operation = HUB[operation_id]
            if operation.stream:
                continue
            answer = await attempt(world, operation, party, subject)
            assert answer.status_code in {200, 422}, (operation_id, answer.text)

    loop_of_the_module.run(walk())
