"""Host-initiated: a token was shown at a pile. The hub asks the home; the host starts by itself."""

import msgspec

from hub.core.errors import HubError, NotFoundError
from hub.core.tables import Evidence, claim_message
from hub.parties.scope import HUB, PartyScope, of_party
from hub.parties.tables import find_home_by_token
from hub.roaming.authorizing_fast import FastAuthorizing
from hub.roaming.charges import Charges, HomeAnswer, Opened
from hub.roaming.context import RoamingContext
from hub.roaming.drafting import Wanted
from hub.roaming.model import target_problem
from hub.roaming.tables import AuthorizationRow, SessionRow, get_authorization, get_session
from operator_sdk.contract.codes import AuthorizationState, SessionState, StartMode, TokenKind
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.messages.roaming import (
    Authorization,
    AuthorizeRequest,
    ReleaseReply,
    ReleaseRequest,
)
from operator_sdk.contract.public_codes import Code


class Authorizing:
    """Answers hosts."""

    def __init__(self, context: RoamingContext, charges: Charges) -> None:
        self._c, self._charges = context, charges
        store = context.authorize_store
        self._fast = FastAuthorizing(context, charges, store) if store is not None else None

    async def authorize(
        self, host_party_id: str, request: AuthorizeRequest, evidence: Evidence | None = None
    ) -> Authorization:
        """Decide once; the same id gets the stored answer.

        Raises:
            HubError: id_reused; in_progress while the first asker still waits; rule_violated for a bad target.
        """
        if problem := target_problem(request.target):
            raise HubError(Code.RULE_VIOLATED, problem=problem)
        if self._fast is not None:
            tried = await self._fast.try_authorize(host_party_id, request, evidence)
            if isinstance(tried, Authorization):
                return tried
            if tried is not None:
                return await self._decide(tried.authorization_id, tried.answer, tried.tariff)
        home_party_id, opened, known = await self._open(host_party_id, request, evidence)
        if opened is not None and opened.ask is not None and home_party_id is not None:
            answer = await self._charges.ask_home(home_party_id, opened.ask)
            return await self._decide(opened.authorization_id, answer, opened.ask.tariff)
        return await self._stored(of_party(host_party_id), opened.authorization_id if opened else known)

    async def _decide(self, authorization_id: str, answer: HomeAnswer, tariff: Tariff) -> Authorization:
        async with self._c.database.unit() as unit:
            row, session = await self._charges.decide(unit, authorization_id, *answer)
        return _message(row, session, tariff)

    async def _open(
        self, host_party_id: str, request: AuthorizeRequest, evidence: Evidence | None
    ) -> tuple[str | None, Opened | None, str]:
        ids = self._charges.new_ids()
        async with self._c.database.unit() as unit:
            new, known = await claim_message(
                unit,
                party_id=host_party_id,
                kind="authorization",
                external_id=request.authorization_ref,
                canonical=msgspec.json.encode(request),
                subject_id=ids[0],
                now=self._c.clock.wall(),
                evidence=evidence,
            )
            if not new:
                return None, None, known
            home_party_id = await find_home_by_token(unit, request.token.ref)
            wanted = Wanted(
                start_mode=StartMode.HOST,
                home_party_id=home_party_id,
                host_party_id=host_party_id,
                connector_id=request.connector_id,
                token=request.token,
                target=request.target,
                subject=request.token.ref if request.token.kind is TokenKind.APP_USER else None,
                authorization_ref=request.authorization_ref,
            )
            return home_party_id, await self._charges.open(unit, wanted, ids), known

    async def _stored(self, viewer: PartyScope, authorization_id: str) -> Authorization:
        async with self._c.database.reading() as unit:
            row = await get_authorization(viewer, unit, authorization_id)
            assert row is not None
            if row.state == AuthorizationState.PENDING:
                raise HubError(Code.IN_PROGRESS)
            session = await get_session(viewer, unit, row.session_id)
            tariff = None
            if session is not None:
                tariff = await self._c.directory.tariff_version(
                    unit, session.host_party_id, session.tariff_id, session.tariff_version
                )
            return _message(row, session, tariff)

    async def release(
        self, host_party_id: str, request: ReleaseRequest, evidence: Evidence | None = None
    ) -> ReleaseReply:
        """A host will not start what it was authorized for. Releasing twice changes nothing.

        Raises:
            NotFoundError: not one of this host's authorizations.
            HubError: state_conflict, the charge has begun; id_reused, it was released for another reason.
        """
        async with self._c.database.unit() as unit:
            viewer, authorization_id = of_party(host_party_id), request.authorization_id
            row = await get_authorization(viewer, unit, authorization_id)
            if row is None or row.host_party_id != host_party_id:
                raise NotFoundError
            await claim_message(
                unit,
                party_id=host_party_id,
                kind="release",
                external_id=authorization_id,
                canonical=msgspec.json.encode(request),
                subject_id=authorization_id,
                now=self._c.clock.wall(),
                evidence=evidence,
            )
            # The session is always locked before its authorization.
            session = await get_session(HUB, unit, row.session_id, lock=True)
            row = await get_authorization(viewer, unit, authorization_id, lock=True)
            assert row is not None
            if session is not None and session.state in {SessionState.AUTHORIZED, SessionState.REQUESTED}:
                await self._charges.fail_start(unit, session, request.reason)
            elif row.state in {AuthorizationState.GRANTED, AuthorizationState.CONSUMED}:
                raise HubError(Code.STATE_CONFLICT)
            return ReleaseReply(authorization_id=row.authorization_id, state=row.state)


def _message(row: AuthorizationRow, session: SessionRow | None, tariff: Tariff | None) -> Authorization:
    granted = row.state not in {AuthorizationState.REFUSED, AuthorizationState.PENDING}
    return Authorization(
        authorization_id=row.authorization_id,
        authorization_ref=row.authorization_ref or "",
        state=row.state,
        session_id=session.session_id if session is not None else None,
        refusal=row.refusal,
        limit_fen=row.limit_fen,
        token_ref=row.token_ref if granted else None,
        tariff=tariff if granted else None,
    )
