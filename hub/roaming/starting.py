"""Home-initiated and hub-initiated starts."""

import msgspec

from hub.core.database import Unit
from hub.core.errors import HubError
from hub.core.tables import Evidence, claim_message
from hub.parties.scope import HUB, of_driver
from hub.roaming.asking import NOT_ASKED, SILENT, Asked, Asking
from hub.roaming.charges import Charges, HostCall, Opened
from hub.roaming.context import RoamingContext
from hub.roaming.drafting import Wanted, start_canonical
from hub.roaming.model import target_problem
from hub.roaming.starting_fast import FastStarting
from hub.roaming.tables import ScanRow, SessionRow, find_authorization_of, get_scan, get_session
from operator_sdk.contract.codes import AuthorizationState, SessionState, StartMode, TokenKind
from operator_sdk.contract.ids import split_connector
from operator_sdk.contract.messages.common import Token
from operator_sdk.contract.messages.roaming import (
    HomeAuthorization,
    HomeAuthorizeRequest,
    StartChargingRequest,
    StartRequest,
)
from operator_sdk.contract.public_codes import Code


class Starting:
    """Starts charges for homes and for drivers."""

    def __init__(self, context: RoamingContext, charges: Charges) -> None:
        self._c, self._charges, self._asking = context, charges, Asking(context)
        store = context.authorize_store
        self._fast = FastStarting(context, charges, store) if store is not None else None

    async def for_home(
        self, home_party_id: str, request: StartRequest, evidence: Evidence | None = None
    ) -> SessionRow:
        """A home starts for its driver, its authorization inside the call.

        Raises:
            HubError: id_reused, rule_violated.
        """
        if problem := target_problem(request.target):
            raise HubError(Code.RULE_VIOLATED, problem=problem)
        wanted = _wanted_by_home(home_party_id, request)
        host_party_id = wanted.host_party_id
        asked = await self._asking.before_charge(home_party_id, host_party_id, wanted.connector_id)
        call = await self._charges.host_call(host_party_id, request.qr_tail)
        if call is None:
            asked = SILENT  # or it would be held for a start that nobody makes
        elif self._fast is not None:
            session = await self._fast.try_open(wanted, request, evidence, asked=asked, call=call)
            if session is not None:
                return await self._charges.start_at_host(session, call)
        ids, session = self._charges.new_ids(), None
        async with self._c.database.unit() as unit:
            new, session_id = await claim_message(
                unit,
                party_id=home_party_id,
                kind="start",
                external_id=request.start_ref,
                canonical=start_canonical(request),
                subject_id=ids[1],
                now=self._c.clock.wall(),
                evidence=evidence,
            )
            if new:
                session = await self._open_for_home(unit, wanted, ids, asked, call)
        if session is None or call is None:
            return await self._session(session_id)
        return await self._charges.start_at_host(session, call)

    async def _open_for_home(
        self, unit: Unit, wanted: Wanted, ids: tuple[str, str], asked: Asked, call: HostCall | None
    ) -> SessionRow | None:
        """Open, grant and begin, in one step: nobody is asked in between. None: no host is to be called."""
        opened = await self._charges.open(unit, wanted, ids, asked)
        if opened.refusal is not None or call is None:
            return None
        granted = HomeAuthorization(state=AuthorizationState.GRANTED, limit_fen=wanted.limit_fen)
        await unit.session.flush()
        _, session = await self._charges.decide(unit, opened.authorization_id, granted)
        begun = session is not None and await self._charges.to_starting(unit, session, call)
        return session if begun else None

    async def for_driver(self, home_party_id: str, subject: str, request: StartChargingRequest) -> SessionRow:
        """A driver starts what was scanned.

        Raises:
            HubError: scan_unknown, scan_used, scan_expired, price_changed, id_reused, rule_violated;
                in_progress while the first call still waits for the home.
        """
        if problem := target_problem(request.target):
            raise HubError(Code.RULE_VIOLATED, problem=problem)
        driver_ref = self._c.pseudonyms.driver_ref(home_party_id, subject)
        asked = await self._ask(home_party_id, driver_ref, request.scan_id)
        ids = self._charges.new_ids()
        opened, qr_tail = None, None
        async with self._c.database.unit() as unit:
            new, session_id = await claim_message(
                unit,
                party_id=home_party_id,
                kind="driver_start",
                external_id=f"{driver_ref}:{request.request_ref}",
                canonical=msgspec.json.encode(request),
                subject_id=ids[1],
                now=self._c.clock.wall(),
            )
            if new:
                scan = await self._use_scan(unit, home_party_id, driver_ref, request.scan_id)
                qr_tail = scan.qr_tail
                wanted = Wanted(
                    start_mode=StartMode.HUB,
                    home_party_id=home_party_id,
                    host_party_id=scan.host_party_id,
                    connector_id=scan.connector_id,
                    token=Token(kind=TokenKind.APP_USER, ref=subject),
                    target=request.target,
                    subject=subject,
                )
                opened = await self._charges.open(unit, wanted, ids, asked)
                if opened.ask is not None and not self._as_scanned(scan, opened):
                    raise HubError(Code.PRICE_CHANGED)
        if opened is None or opened.ask is None:
            return await self._session(session_id)
        return await self._ask_home_and_start(home_party_id, opened.authorization_id, opened.ask, qr_tail)

    async def _ask_home_and_start(
        self, home_party_id: str, authorization_id: str, ask: HomeAuthorizeRequest, qr_tail: str | None
    ) -> SessionRow:
        answer = await self._charges.ask_home(home_party_id, ask)
        call = await self._charges.host_call(ask.host_party_id, qr_tail)
        async with self._c.database.unit() as unit:
            _, session = await self._charges.decide(unit, authorization_id, *answer)
            begun = (
                session is not None
                and call is not None
                and await self._charges.to_starting(unit, session, call)
            )
        if begun and session is not None and call is not None:
            return await self._charges.start_at_host(session, call)
        return await self._session(ask.session_id)

    async def _ask(self, home_party_id: str, driver_ref: str, scan_id: str) -> Asked:
        """What the host says of what was scanned, where it has to be asked again."""
        async with self._c.database.reading(once=True) as unit:
            scan = await get_scan(of_driver(home_party_id, driver_ref), unit, scan_id)
        if scan is None or scan.used_at is not None:
            return NOT_ASKED
        return await self._asking.before_charge(home_party_id, scan.host_party_id, scan.connector_id)

    async def _use_scan(self, unit: Unit, home_party_id: str, driver_ref: str, scan_id: str) -> ScanRow:
        viewer = of_driver(home_party_id, driver_ref)
        scan = await get_scan(viewer, unit, scan_id, lock=True)
        if scan is None:
            raise HubError(Code.SCAN_UNKNOWN)
        if scan.used_at is not None:
            raise HubError(Code.SCAN_USED)
        now = self._c.clock.wall()
        if now >= scan.expires_at:
            raise HubError(Code.SCAN_EXPIRED)
        scan.used_at = now
        return scan

    @staticmethod
    def _as_scanned(scan: ScanRow, opened: Opened) -> bool:
        if opened.ask is None:
            return False
        tariff = opened.ask.tariff
        return (tariff.tariff_id, tariff.version, opened.ask.hold_fen) == (
            scan.tariff_id,
            scan.tariff_version,
            scan.hold_fen,
        )

    async def _session(self, session_id: str) -> SessionRow:
        async with self._c.database.reading() as unit:
            session = await get_session(HUB, unit, session_id)
            if session is None:
                # Without a connector or a price there is no session to refuse: the call itself is refused.
                authorization = await find_authorization_of(HUB, unit, session_id)
                raise HubError(Code(authorization.refusal or Code.CONNECTOR_UNKNOWN))
        if session.state == SessionState.REQUESTED:
            raise HubError(Code.IN_PROGRESS)
        return session


def _wanted_by_home(home_party_id: str, request: StartRequest) -> Wanted:
    host_party_id, connector_id = split_connector(request.connector)
    return Wanted(
        start_mode=StartMode.HOME,
        home_party_id=home_party_id,
        host_party_id=host_party_id,
        connector_id=connector_id,
        token=request.token,
        target=request.target,
        subject=request.token.ref if request.token.kind is TokenKind.APP_USER else None,
        home_ref=request.start_ref,
        limit_fen=request.limit_fen,
    )
