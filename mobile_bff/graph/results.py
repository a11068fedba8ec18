"""What the operations of a driver answer with: the thing itself, or an error that says why not."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Annotated, ParamSpec, TypeAlias, TypeVar, cast

import strawberry

from mobile_bff.graph.account import Fault, SignedIn, SignInCodeSent
from mobile_bff.graph.charging import ChargingSession, ChargingStop
from mobile_bff.graph.context import Info
from mobile_bff.graph.errors import (
    CodeNotAccepted,
    CommonError,
    PriceChanged,
    ScanNotUsable,
    SignInFailed,
    UserError,
    as_data,
)
from mobile_bff.graph.places import ScannedConnector
from mobile_bff.refused import Refused

ResolveScanResult: TypeAlias = Annotated[
    ScannedConnector | CodeNotAccepted | CommonError, strawberry.union("ResolveScanResult")
]
StartChargingResult: TypeAlias = Annotated[
    ChargingSession | ScanNotUsable | PriceChanged | CommonError, strawberry.union("StartChargingResult")
]
StopChargingResult: TypeAlias = Annotated[ChargingStop | CommonError, strawberry.union("StopChargingResult")]
ReportFaultResult: TypeAlias = Annotated[Fault | CommonError, strawberry.union("ReportFaultResult")]
SignInCodeResult: TypeAlias = Annotated[SignInCodeSent | CommonError, strawberry.union("SignInCodeResult")]
SignInResult: TypeAlias = Annotated[SignedIn | SignInFailed | CommonError, strawberry.union("SignInResult")]

Given = ParamSpec("Given")
Result = TypeVar("Result")
Resolver = Callable[Given, Awaitable[Result]]


def answers(*special: type[UserError]) -> Callable[[Resolver[Given, Result]], Resolver[Given, Result]]:
    """A resolver that may raise `Refused`: its answer then is the error. `special` are those its union has."""

    def told_as_data(resolver: Resolver[Given, Result]) -> Resolver[Given, Result]:
        @wraps(resolver)
        async def answer(*args: Given.args, **given: Given.kwargs) -> Result:
            try:
                return await resolver(*args, **given)
            except Refused as problem:
                info = cast("Info", given["info"])
                return cast("Result", as_data(problem, info.context.locale, special))

        return answer

    return told_as_data
