"""Refused around faults, work orders and alarms."""

from typing import Any

import httpx
import msgspec

from operator_sdk.contract.operations import HUB
from operator_sdk.contract.public_codes import Code
from tests.contract.refusals import Errors, refused
from tests.rig import A, C
from tests.rig_raw import send

REPORT = HUB["report_fault"]


async def report(e: Errors, **changes: Any) -> httpx.Response:
    """A driver's report, altered."""
    body = {"request_ref": e.rig.ref("flt"), "connector": f"A1.{A}", "kind": "damaged"} | changes
    customer = e.rig.customer.customer_id
    return await send(e.rig, REPORT, REPORT.path, msgspec.json.encode(body), party=C, subject=customer)


@refused(Code.CONNECTOR_UNKNOWN)
async def a_fault_of_no_connector(e: Errors) -> httpx.Response:
    return await report(e, connector=f"NOBODYS.{A}")


@refused(Code.MALFORMED)
async def a_fault_of_no_kind(e: Errors) -> httpx.Response:
    return await report(e, kind="haunted")


@refused(Code.MALFORMED)
async def a_photo_that_is_no_https_link(e: Errors) -> httpx.Response:
    return await report(e, photos=["http://p.example/1.jpg"])


@refused(Code.MALFORMED)
async def a_photo_link_that_ends_in_another_line(e: Errors) -> httpx.Response:
    return await report(e, photos=["https://p.example/1.jpg\n"])


@refused(Code.MALFORMED)
async def too_many_photos(e: Errors) -> httpx.Response:
    return await report(e, photos=["https://p.example/1.jpg"] * 6)


@refused(Code.MALFORMED)
async def a_novel_for_a_fault(e: Errors) -> httpx.Response:
    return await report(e, text="长" * 501)


@refused(Code.NOT_FOUND)
async def a_fault_in_somebody_elses_charge(e: Errors) -> httpx.Response:
    return await report(e, session_id=e.session_id)


@refused(Code.ID_REUSED)
async def another_fault_under_the_same_reference(e: Errors) -> httpx.Response:
    await report(e, request_ref="twice")
    return await report(e, request_ref="twice", kind="other")


async def step(e: Errors, token: str, name: str, **fields: Any) -> httpx.Response:
    """A step of a new order, by staff."""
    create = HUB["create_work_order"]
    made = {"request_ref": e.rig.ref("ord"), "connector": f"A1.{A}"}
    boss = await e.rig.staff_token(e.rig.ref("boss"))
    order = (await send(e.rig, create, create.path, msgspec.json.encode(made), token=boss)).json()
    operation = HUB[f"{name}_work_order"]
    body = {"request_ref": e.rig.ref("stp"), "version": order["version"]} | fields
    path = operation.path.format(order_id=order["order_id"])
    return await send(e.rig, operation, path, msgspec.json.encode(body), token=token)


@refused(Code.FORBIDDEN)
async def a_worker_who_confirms(e: Errors) -> httpx.Response:
    return await step(e, await e.rig.staff_token(e.rig.ref("wes"), "maintenance"), "confirm")


@refused(Code.FORBIDDEN)
async def a_worker_who_accepts_what_is_nobodys(e: Errors) -> httpx.Response:
    return await step(e, await e.rig.staff_token(e.rig.ref("wes"), "maintenance"), "accept")


@refused(Code.FORBIDDEN)
async def a_dispatcher_who_takes_work(e: Errors) -> httpx.Response:
    return await step(e, await e.rig.staff_token(e.rig.ref("dan"), "dispatcher"), "take")


@refused(Code.STATE_CONFLICT)
async def a_confirmation_before_anything_is_done(e: Errors) -> httpx.Response:
    return await step(e, await e.rig.staff_token(e.rig.ref("dan"), "dispatcher"), "confirm")


@refused(Code.STATE_CONFLICT)
async def a_step_on_a_version_that_nobody_has_seen(e: Errors) -> httpx.Response:
    token = await e.rig.staff_token(e.rig.ref("wes"), "maintenance")
    return await step(e, token, "take", version=99)


@refused(Code.RULE_VIOLATED)
async def an_order_for_somebody_who_is_no_worker(e: Errors) -> httpx.Response:
    token = await e.rig.staff_token(e.rig.ref("dan"), "dispatcher")
    return await step(e, token, "assign", assignee="nobody")


@refused(Code.MALFORMED)
async def half_a_place(e: Errors) -> httpx.Response:
    token = await e.rig.staff_token(e.rig.ref("dan"), "dispatcher")
    orders = HUB["list_work_orders"]
    return await send(e.rig, orders, f"{orders.path}?latitude_e6=22540000", b"", token=token)


@refused(Code.NOT_FOUND)
async def an_alarm_that_never_was(e: Errors) -> httpx.Response:
    token = await e.rig.staff_token(e.rig.ref("dan"), "dispatcher")
    operation = HUB["acknowledge_alarm"]
    path = operation.path.format(alarm_id="alm_019aa000-0000-7000-8000-000000000001")
    return await send(e.rig, operation, path, b"", token=token)
