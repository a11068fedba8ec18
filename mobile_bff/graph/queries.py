"""What can be asked. Reads raise `Refused`: the code is in the error's extensions, the field is null."""

from collections.abc import Awaitable
from datetime import datetime
from typing import TypeVar

import strawberry

from mobile_bff.graph.account import Fault, HomeOperator, Me, fault_of, me_of
from mobile_bff.graph.charging import ChargeRecord, ChargingSession, record_of, session_of
from mobile_bff.graph.context import Info
from mobile_bff.graph.errors import CodeNotAccepted
from mobile_bff.graph.paging import FIRST_USUAL, Connection, asked
from mobile_bff.graph.places import PointInput, Station, StationHit, scanned_of
from mobile_bff.graph.results import ResolveScanResult, answers
from mobile_bff.refused import Refused
from operator_sdk.contract.public_codes import Code

LIST_MOST = 200
"""Rows that a list of the hub gives at once."""

Found = TypeVar("Found")


async def found(answer: Awaitable[Found]) -> Found | None:
    """The answer; None for what is unknown or somebody else's.

    Raises:
        Refused: anything but not_found.
    """
    try:
        return await answer
    except Refused as problem:
        if problem.code == Code.NOT_FOUND:
            return None
        raise


@strawberry.type
class Query:
    @strawberry.field(
        description="Stations near a place (rounded to about 50 m) or by name; keep both while paging."
    )
    async def stations(
        self,
        info: Info,
        near: PointInput | None = None,
        search: str = "",
        first: int = FIRST_USUAL,
        after: str | None = None,
    ) -> Connection[StationHit] | None:
        context = info.context
        return await context.services.directory.search(near, search, first, after, context)

    @strawberry.field(description="One station with its connectors and its tariff.")
    async def station(self, info: Info, id: strawberry.ID) -> Station | None:  # noqa: A002 (the schema's own name)
        return await found(info.context.services.directory.station(id, info.context))

    @strawberry.field(
        description="What was scanned or typed. Makes a scan at the hub: one start, within two minutes."
    )
    @answers(CodeNotAccepted)
    async def resolve_scan(self, info: Info, code: str) -> ResolveScanResult:
        return scanned_of(await (await info.context.as_driver()).scan(code))

    @strawberry.field(description="One of the driver's charges.")
    async def charging_session(self, info: Info, id: strawberry.ID) -> ChargingSession | None:  # noqa: A002 (as above)
        message = await found((await info.context.as_driver()).session(id))
        return None if message is None else session_of(message)

    @strawberry.field(description="The driver's charges, newest change first.")
    async def charging_sessions(
        self, info: Info, first: int = FIRST_USUAL, after: str | None = None
    ) -> Connection[ChargingSession] | None:
        page = asked(first, after, most=LIST_MOST)
        came = await (await info.context.as_driver()).sessions(limit=page.limit, after=page.after)
        return page.page(came.items, came.next_after, session_of)

    @strawberry.field(description="One of the driver's bills.")
    async def charge_record(self, info: Info, id: strawberry.ID) -> ChargeRecord | None:  # noqa: A002 (as above)
        message = await found((await info.context.as_driver()).record(id))
        return None if message is None else record_of(message)

    @strawberry.field(description="The driver's bills, newest change first.")
    async def charge_records(
        self, info: Info, first: int = FIRST_USUAL, after: str | None = None
    ) -> Connection[ChargeRecord] | None:
        page = asked(first, after, most=LIST_MOST)
        came = await (await info.context.as_driver()).records(limit=page.limit, after=page.after)
        return page.page(came.items, came.next_after, record_of)

    @strawberry.field(description="The driver and his wallet.")
    async def me(self, info: Info) -> Me | None:
        account = await (await info.context.as_driver()).account()
        driver = await info.context.services.drivers.of(info.context.token)
        return me_of(account, driver.subject)

    @strawberry.field(description="The homes whose drivers can sign in here, for whoever is about to.")
    async def home_operators(
        self, info: Info, first: int = FIRST_USUAL, after: str | None = None
    ) -> Connection[HomeOperator] | None:
        return await info.context.services.directory.homes(first, after, info.context)

    @strawberry.field(description="Now, by the clock that tariffs go by; a phone's own may be wrong.")
    def now(self, info: Info) -> datetime:
        return info.context.services.clock.business()

    @strawberry.field(description="What the driver reported, newest change first.")
    async def faults(
        self, info: Info, first: int = FIRST_USUAL, after: str | None = None
    ) -> Connection[Fault] | None:
        page = asked(first, after, most=LIST_MOST)
        came = await (await info.context.as_driver()).faults(limit=page.limit, after=page.after)
        return page.page(came.items, came.next_after, fault_of)
