"""What can be done. A key of the phone's own makes a repeat harmless: the same key, the same answer."""

import strawberry

from mobile_bff.graph.account import ReportFaultInput, SignedIn, SignInCodeSent, fault_of, signed_in_of
from mobile_bff.graph.charging import TargetInput, session_of, stop_of
from mobile_bff.graph.context import Info
from mobile_bff.graph.errors import PriceChanged, ScanNotUsable, SignInFailed
from mobile_bff.graph.results import (
    ReportFaultResult,
    SignInCodeResult,
    SignInResult,
    StartChargingResult,
    StopChargingResult,
    answers,
)
from mobile_bff.refused import Refused
from operator_sdk.contract.codes import SessionState, TargetKind
from operator_sdk.contract.messages.access import CodeRequest, DriverTokenRequest
from operator_sdk.contract.messages.common import Target
from operator_sdk.contract.messages.roaming import StartChargingRequest, StopRequest
from operator_sdk.contract.messages.upkeep import FaultReport
from operator_sdk.contract.public_codes import Code


@strawberry.input(description="Start what was scanned; without a target until the battery is full.")
class StartChargingInput:
    scan_id: strawberry.ID
    idempotency_key: str
    target: TargetInput | None = None


@strawberry.input(description="Stop a charge.")
class StopChargingInput:
    session_id: strawberry.ID
    idempotency_key: str


@strawberry.type
class Mutation:
    @strawberry.mutation(description="Send a one-time code to the phone of a driver of this home.")
    @answers()
    async def request_sign_in_code(
        self, info: Info, home_party_id: strawberry.ID, phone: str
    ) -> SignInCodeResult:
        request = CodeRequest(home_party_id=home_party_id, phone=phone)
        sent = await info.context.as_nobody().send_code(request, info.context.caller)
        return SignInCodeSent(expires_in_s=sent.expires_in_s)

    @strawberry.mutation(description="Sign in with phone and one-time code.")
    @answers(SignInFailed)
    async def sign_in_with_code(
        self, info: Info, home_party_id: strawberry.ID, phone: str, code: str
    ) -> SignInResult:
        request = DriverTokenRequest(grant="code", home_party_id=home_party_id, phone=phone, code=code)
        return await _signed_in(info, request)

    @strawberry.mutation(description="Sign in with an assertion that the driver's home has signed.")
    @answers(SignInFailed)
    async def sign_in_with_assertion(self, info: Info, assertion: str) -> SignInResult:
        return await _signed_in(info, DriverTokenRequest(grant="assertion", assertion=assertion))

    @strawberry.mutation(description="New tokens for a refresh token, which is spent by it.")
    @answers(SignInFailed)
    async def refresh_sign_in(self, info: Info, refresh_token: str) -> SignInResult:
        return await _signed_in(info, DriverTokenRequest(grant="refresh", refresh_token=refresh_token))

    @strawberry.mutation(description="Start the charge that was scanned.")
    @answers(ScanNotUsable, PriceChanged)
    async def start_charging(self, info: Info, input: StartChargingInput) -> StartChargingResult:  # noqa: A002 (the schema's own name)
        request = StartChargingRequest(
            request_ref=input.idempotency_key, scan_id=input.scan_id, target=_target(input.target)
        )
        session = await (await info.context.as_driver()).start(request)
        if session.state == SessionState.REFUSED:
            raise Refused(session.refusal or Code.RULE_VIOLATED)
        return session_of(session)

    @strawberry.mutation(description="Stop a charge.")
    @answers()
    async def stop_charging(self, info: Info, input: StopChargingInput) -> StopChargingResult:  # noqa: A002 (as above)
        request = StopRequest(stop_ref=input.idempotency_key)
        return stop_of(await (await info.context.as_driver()).stop(input.session_id, request))

    @strawberry.mutation(description="Report that something is wrong with a connector.")
    @answers()
    async def report_fault(self, info: Info, input: ReportFaultInput) -> ReportFaultResult:  # noqa: A002 (as above)
        report = FaultReport(
            request_ref=input.idempotency_key,
            connector=input.connector,
            kind=input.kind,
            text=input.text,
            photos=input.photos,
            session_id=input.session_id,
        )
        return fault_of(await (await info.context.as_driver()).report_fault(report))


async def _signed_in(info: Info, request: DriverTokenRequest) -> SignedIn:
    return signed_in_of(await info.context.as_nobody().sign_in(request, info.context.caller))


def _target(given: TargetInput | None) -> Target:
    """The contract's target of the one field that is set."""
    if given is None:
        return Target()
    if given.energy is not None:
        return Target(kind=TargetKind.ENERGY, value=given.energy.value)
    if given.amount is not None:
        return Target(kind=TargetKind.AMOUNT, value=given.amount.value)
    if given.seconds is not None:
        return Target(kind=TargetKind.TIME, value=given.seconds.value)
    raise Refused(Code.MALFORMED, field="target")
