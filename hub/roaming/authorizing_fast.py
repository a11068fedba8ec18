"""The ordinary course of a host-initiated authorization, on PostgreSQL, with two round trips to the database.

What is out of the ordinary in any way (a repeat, a refusal, a home that is silent, exposure used up) is left to
`authorizing`, which decides from the database's own rows: `try_authorize` then says None, or hands over what it
has opened.
"""

from dataclasses import dataclass

import msgspec

from hub.core.statements import Declined
from hub.core.tables import Evidence
from hub.roaming.charges import Charges, HomeAnswer
from hub.roaming.context import AUTHORIZE_MARGIN, UNUSED_AUTHORIZATION, RoamingContext
from hub.roaming.drafting import Draft, Row, Wanted, grant_message, leg
from hub.roaming.fast_rows import FastRows
from hub.roaming.store_authorize import AuthorizeStore, Rows
from operator_sdk.contract.codes import AuthorizationState, StartMode, TokenKind
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.messages.roaming import (
    Authorization,
    AuthorizeRequest,
    HomeAuthorization,
)
from operator_sdk.contract.progress import goal_fen


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Opened and asked, but the answer is for the ordinary path to decide."""

    authorization_id: str
    answer: HomeAnswer
    tariff: Tariff


class FastAuthorizing:
    """Tries the ordinary course."""

    def __init__(self, context: RoamingContext, charges: Charges, store: AuthorizeStore) -> None:
        self._c, self._charges, self._parties, self._store = context, charges, context.parties, store
        self._rows = FastRows(context)

    async def try_authorize(
        self, host_party_id: str, request: AuthorizeRequest, evidence: Evidence | None
    ) -> Authorization | Unfinished | None:
        """The granted answer; or what was opened but not decided; or None when nothing was written."""
        wanted = await self._wanted(host_party_id, request)
        if wanted is None:
            return None
        ids, now = self._charges.new_ids(), self._c.clock.business()
        draft = self._charges.drafts.make(wanted, await self._rows.facts(wanted), ids, now)
        if draft.ask is None or draft.session is None or wanted.home_party_id is None:
            return None
        message = self._rows.message(
            host_party_id,
            "authorization",
            request.authorization_ref,
            canonical=msgspec.json.encode(request),
            subject_id=ids[0],
            evidence=evidence,
        )
        letter = self._rows.timer("authorize_timeout", ids[1], AUTHORIZE_MARGIN)
        try:
            await self._store.open(self._opening(wanted.home_party_id, draft, message, letter))
        except Declined:
            return None
        said = await self._charges.ask_home(wanted.home_party_id, draft.ask)
        answer, evidence = said
        if answer is None or answer.state != AuthorizationState.GRANTED or _is_more(answer, draft):
            return Unfinished(ids[0], said, draft.ask.tariff)
        try:
            await self._store.grant(self._grant(draft, answer, evidence, letter))
        except Declined:
            return Unfinished(ids[0], said, draft.ask.tariff)
        self._c.live.publish(ids[1])
        return Authorization(
            authorization_id=ids[0],
            authorization_ref=request.authorization_ref,
            state=AuthorizationState.GRANTED,
            session_id=ids[1],
            limit_fen=answer.limit_fen,
            token_ref=draft.authorization["token_ref"],
            tariff=draft.ask.tariff,
        )

    async def _wanted(self, host_party_id: str, request: AuthorizeRequest) -> Wanted | None:
        home = await self._parties.home_of_token(request.token.ref)
        if home is None:
            return None
        return Wanted(
            start_mode=StartMode.HOST,
            home_party_id=home,
            host_party_id=host_party_id,
            connector_id=request.connector_id,
            token=request.token,
            target=request.target,
            subject=request.token.ref if request.token.kind is TokenKind.APP_USER else None,
            authorization_ref=request.authorization_ref,
        )

    def _opening(self, home_party_id: str, draft: Draft, message: Row, letter: Row) -> Rows:
        assert draft.session is not None
        rows = {
            "messages": [message],
            "authorizations": [draft.authorization],
            "sessions": [draft.session],
            "legs": draft.legs,
            "letters": [letter],
        }
        return Rows(rows, home_party_id, draft.reserve_fen)

    def _grant(self, draft: Draft, answer: HomeAuthorization, evidence: Evidence | None, letter: Row) -> Rows:
        assert draft.session is not None
        session, asked = draft.session, {"letter_id": letter["letter_id"], "lane": letter["lane"]}
        limit, home = answer.limit_fen, session["home_party_id"]
        driver_ref = session["driver_ref"]
        if answer.subject and driver_ref is None:
            driver_ref = self._c.pseudonyms.driver_ref(home, answer.subject)
        wait = self._c.clock.wall_for(UNUSED_AUTHORIZATION)
        reserved = draft.reserve_fen if limit is None or not draft.reserve_fen else limit
        grant: Row = {
            "authorization_id": draft.authorization["authorization_id"],
            "session_id": session["session_id"],
            "limit_fen": limit,
            "reserved_fen": reserved,
            "goal_fen": goal_fen(held_fen=limit, target_estimate_fen=session["estimate_fen"]),
            "home_ref": answer.home_ref,
            "driver_ref": driver_ref,
            "updated_at": self._c.clock.business(),
        }
        legs = []
        if answer.home_ref:
            party = (home, draft.home_protocol)
            legs.append(leg(session["session_id"], "home", party, answer.home_ref, "out"))
        timer = {**asked, "due_at": self._c.clock.wall() + wait}
        messages = []
        if evidence is not None:
            message = grant_message(home, grant["authorization_id"], answer, evidence, self._c.clock.wall())
            messages.append({**message, "body": f"\\x{evidence.body.hex()}"})
        rows = {"grants": [grant], "legs": legs, "timers": [timer], "messages": messages}
        return Rows(rows, home, reserved - draft.reserve_fen)


def _is_more(answer: HomeAuthorization, draft: Draft) -> bool:
    """Whether the home granted more than its exposure was reserved for."""
    return bool(draft.reserve_fen) and (answer.limit_fen or 0) > draft.reserve_fen
