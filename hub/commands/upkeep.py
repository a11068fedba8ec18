"""`interpile order`."""

from datetime import datetime
from typing import Annotated, Any

import typer

from hub.commands.shell import (
    Json,
    actor,
    group,
    message,
    note,
    show_facts,
    show_json,
    show_table,
    with_hub,
    wrong_usage,
)
from operator_sdk.contract.messages.upkeep import (
    OrderAssign,
    Spread,
    StatisticsQuery,
    WorkOrder,
    WorkOrderDetail,
    WorkOrderPage,
    WorkOrderQuery,
    WorkOrderStatistics,
)

order_app = group("Work orders: what is broken, and who repairs it.")

SHOWN_MOST = 200
OrderArgument = Annotated[str, typer.Argument(metavar="ORDER", help="The order's id (wo_...).")]
HostOption = Annotated[str | None, typer.Option(help="At this host's piles only.")]


@order_app.command("list")
def list_orders(
    *,
    state: Annotated[str | None, typer.Option(help="One or more, with commas: open,reopened.")] = None,
    priority: Annotated[str | None, typer.Option(help="low, normal, high or urgent.")] = None,
    text: Annotated[str | None, typer.Option(help="In title, station, connector or id.")] = None,
    host: HostOption = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only what is late.")] = False,
    near: Annotated[str | None, typer.Option(metavar="LAT,LON", help="Degrees, GCJ-02; nearest first.")] = None,
    as_json: Json = False,
) -> None:
    """Orders, oldest change first; with --near those still to be worked on, the nearest first."""
    latitude_e6, longitude_e6 = _place(near)
    query = message(
        WorkOrderQuery,
        state=state,
        priority=priority,
        text=text,
        host_party_id=host,
        overdue=overdue,
        latitude_e6=latitude_e6,
        longitude_e6=longitude_e6,
    )

    orders = with_hub(lambda hub: _first(hub, query)).items
    if as_json:
        show_json(orders)
        return
    show_table(
        ("order", "state", "priority", "due", "title", "station", "worker", "metres"),
        (
            (
                one.order_id,
                one.state,
                one.priority,
                f"{_time(one.due_at)}{' late' if one.overdue else ''}",
                one.title,
                one.station_name,
                one.assignee,
                one.distance_m,
            )
            for one in orders
        ),
    )


async def _first(hub: Any, query: WorkOrderQuery) -> WorkOrderPage:
    from hub.parties.scope import HUB

    page: WorkOrderPage = await hub.upkeep.orders.many(
        HUB, query, actor=actor(), after=None, updated_since=None, limit=SHOWN_MOST
    )
    return page


def _place(near: str | None) -> tuple[int | None, int | None]:
    from hub.directory.geo import LATITUDE_MOST_E6, LONGITUDE_MOST_E6, parse_e6

    if near is None:
        return None, None
    latitude, _, longitude = near.partition(",")
    try:
        return parse_e6(latitude, LATITUDE_MOST_E6), parse_e6(longitude.strip(), LONGITUDE_MOST_E6)
    except ValueError as problem:
        wrong_usage(f"--near: {problem}")


@order_app.command("show")
def show_order(order_id: OrderArgument, as_json: Json = False) -> None:
    """An order with its history, its faults and its alarms."""
    from hub.parties.scope import HUB

    _show(with_hub(lambda hub: hub.upkeep.orders.one(HUB, order_id)), as_json)


@order_app.command("assign")
def assign_order(
    order_id: OrderArgument,
    worker: Annotated[str, typer.Argument(metavar="WORKER", help="The login of a maintenance worker.")],
    priority: Annotated[str | None, typer.Option(help="low, normal, high or urgent.")] = None,
    words: Annotated[str, typer.Option("--note", help="For the history.")] = "",
    as_json: Json = False,
) -> None:
    """Give an order to a worker."""
    fields: dict[str, Any] = {"assignee": worker, "priority": priority, "note": words}
    message(OrderAssign, request_ref="checked", version=1, **fields)

    async def work(hub: Any) -> WorkOrderDetail:
        from hub.parties.scope import HUB
        from hub.upkeep.model import Step

        seen: WorkOrder = await hub.upkeep.orders.one(HUB, order_id)
        request = message(OrderAssign, request_ref=hub.ids.new("req"), version=seen.version, **fields)
        given: WorkOrderDetail = await hub.upkeep.orders.change(Step.ASSIGN, order_id, request, actor=actor())
        await note(hub, "assign_work_order", order_id, assignee=worker)
        return given

    _show(with_hub(work), as_json)


@order_app.command("statistics")
def statistics(host: HostOption = None, as_json: Json = False) -> None:
    """How many orders there are, and how long they take."""
    query = message(StatisticsQuery, host_party_id=host)

    async def work(hub: Any) -> WorkOrderStatistics:
        from hub.parties.scope import HUB

        counted: WorkOrderStatistics = await hub.upkeep.statistics.all(HUB, query)
        return counted

    found = with_hub(work)
    if as_json:
        show_json(found)
        return
    show_facts((("orders", found.total), ("overdue", found.overdue)))
    for name, counts in (("state", found.states), ("host", found.hosts), ("kind", found.kinds)):
        show_table((name, "orders"), ((one.name, one.count) for one in counts))
    show_table(
        ("seconds until", "orders", "median", "90 %"),
        (_spread("accepted", found.to_accept), _spread("done", found.to_done)),
    )


def _spread(name: str, spread: Spread) -> tuple[Any, ...]:
    return name, spread.count, spread.median_s, spread.p90_s


def _show(order: WorkOrderDetail, as_json: bool) -> None:
    if as_json:
        show_json(order)
        return
    show_facts(
        (
            ("order", order.order_id),
            ("title", order.title),
            ("state", order.state),
            ("priority", order.priority),
            ("due", f"{_time(order.due_at)}{' late' if order.overdue else ''}"),
            ("worker", order.assignee),
            ("connector", order.connector),
            ("station", f"{order.station_name} ({order.station_id})" if order.station_id else ""),
            ("outcome", order.outcome),
        )
    )
    show_table(
        ("#", "when", "who", "state", "note"),
        ((one.number, _time(one.at), one.who, one.to_state, one.note) for one in order.history),
    )
    if order.faults:
        show_table(
            ("fault", "when", "kind", "words"),
            ((one.fault_id, _time(one.reported_at), one.kind, one.text) for one in order.faults),
        )
    if order.alarms:
        show_table(
            ("alarm", "since", "code", "state", "times"),
            ((one.alarm_id, _time(one.first_at), one.code, one.state, one.count) for one in order.alarms),
        )


def _time(at: datetime) -> str:
    return at.isoformat(sep=" ", timespec="seconds")
