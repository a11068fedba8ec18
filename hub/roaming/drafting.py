"""A charge on paper: every row that opening it will write, made without touching the database.

Two writers take a draft: the ordinary unit (`charges`) and, on PostgreSQL, one statement for many at once
(`store_authorize`). The dictionaries hold every column of their tables.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from hub.core.pseudonyms import Pseudonyms
from hub.core.tables import Evidence
from hub.roaming.model import DEFAULT_HOLD_FEN, connector_refusal, estimate_of
from operator_sdk.contract.codes import AuthorizationState, SessionState, StartMode
from operator_sdk.contract.ids import connector_ref
from operator_sdk.contract.messages.common import Target, Token
from operator_sdk.contract.messages.directory import ConnectorInfo, Tariff
from operator_sdk.contract.messages.roaming import HomeAuthorization, HomeAuthorizeRequest, StartRequest
from operator_sdk.contract.public_codes import Code

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A charge somebody wants: who, where, how far."""

    start_mode: StartMode
    home_party_id: str | None
    host_party_id: str
    connector_id: str
    token: Token
    target: Target
    subject: str | None = None
    authorization_ref: str | None = None
    home_ref: str | None = None
    limit_fen: int | None = None

    @property
    def at_home(self) -> bool:
        """Home and host are one operator: a record, but no obligation and no exposure."""
        return self.home_party_id == self.host_party_id


@dataclass(frozen=True, slots=True)
class Facts:
    """What the directory and the parties say of a wanted charge. `hold_fen` None: no agreement.

    `host_says_no` is why the host takes no charge, where it was asked: silence is a reason too.
    """

    info: ConnectorInfo | None
    hold_fen: int | None
    home_follows: bool
    home_protocol: str = "native"
    host_protocol: str = "native"
    host_says_no: Code | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """The rows of a charge that is being opened; `reserve_fen` is to be added to the home's exposure."""

    authorization: Row
    session: Row | None
    legs: list[Row]
    reserve_fen: int
    refusal: Code | None
    ask: HomeAuthorizeRequest | None
    home_protocol: str = "native"

    def refused(self, refusal: Code) -> "Draft":
        """The same charge, refused."""
        authorization = {**self.authorization, "state": AuthorizationState.REFUSED, "refusal": refusal}
        authorization["reserved_fen"] = 0
        session = self.session
        if session is not None:
            session = {**session, "state": SessionState.REFUSED, "refusal": refusal}
        return replace(
            self, authorization=authorization, session=session, reserve_fen=0, refusal=refusal, ask=None
        )


class Drafts:
    """Makes drafts."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms

    def make(self, wanted: Wanted, facts: Facts, ids: tuple[str, str], now: datetime) -> Draft:
        """The draft of a wanted charge, refused already where the facts alone say so."""
        info, refusal = facts.info, refusal_of(wanted, facts)
        hold_fen = (DEFAULT_HOLD_FEN if wanted.at_home else facts.hold_fen) or 0
        reserve = 0 if wanted.at_home else hold_fen if wanted.limit_fen is None else wanted.limit_fen
        token_ref = self._pseudonyms.token_ref(
            wanted.home_party_id or "", wanted.host_party_id, wanted.token.ref
        )
        authorization = _authorization(wanted, ids, token_ref, now)
        authorization |= {"hold_fen": hold_fen, "reserved_fen": reserve}
        draft = Draft(authorization, None, [], reserve, None, None)
        if wanted.home_party_id is None or info is None or info.tariff is None:
            return draft.refused(refusal or Code.CONNECTOR_UNKNOWN)
        session = self._session(wanted, ids, info, info.tariff, now)
        session |= {"token_ref": token_ref, "home_follows": facts.home_follows}
        session["estimate_fen"] = estimate_of(
            target=wanted.target, tariff=info.tariff, start=now, able_w=info.rated_power_w
        )
        ask = _ask(wanted, ids, info.tariff, hold_fen)
        legs = _legs(wanted, wanted.home_party_id, ids[1], facts)
        draft = replace(draft, session=session, legs=legs, ask=ask, home_protocol=facts.home_protocol)
        return draft if refusal is None else draft.refused(refusal)

    def _session(
        self,
        wanted: Wanted,
        ids: tuple[str, str],
        info: ConnectorInfo,
        tariff: Tariff,
        now: datetime,
    ) -> Row:
        home = wanted.home_party_id or ""
        driver_ref = self._pseudonyms.driver_ref(home, wanted.subject) if wanted.subject else None
        return {
            **_QUIET,
            "session_id": ids[1],
            "authorization_id": ids[0],
            "home_party_id": home,
            "host_party_id": wanted.host_party_id,
            "connector_id": wanted.connector_id,
            "start_mode": wanted.start_mode,
            "state": SessionState.REQUESTED,
            "driver_ref": driver_ref,
            "home_ref": wanted.home_ref,
            "host_ref": wanted.authorization_ref,
            "target_kind": wanted.target.kind,
            "target_value": wanted.target.value,
            "tariff_id": tariff.tariff_id,
            "tariff_version": tariff.version,
            "able_w": info.rated_power_w,
            "created_at": now,
            "updated_at": now,
        }


_QUIET: Row = {
    "limit_fen": None,
    "goal_fen": None,
    "shortfall_ws": 0,
    "energy_wh": 0,
    "amount_fen": 0,
    "power_w": 0,
    "percent": None,
    "seconds_left": None,
    "last_number": 0,
    "last_at": None,
    "started_at": None,
    "ended_at": None,
    "stop_reason": None,
    "refusal": None,
    "suspense": None,
    "stop_at_fen": None,
    "stop_at_wh": None,
    "asked_number": None,
}
"""A session in which nothing has happened yet."""


def refusal_of(wanted: Wanted, facts: Facts) -> Code | None:
    """Why the facts alone refuse this charge, or None."""
    if facts.info is None:
        return Code.CONNECTOR_UNKNOWN
    if wanted.home_party_id is None:
        return Code.TOKEN_UNKNOWN
    if facts.host_says_no is not None:
        # It was asked just now; what the directory remembers is older.
        return facts.host_says_no
    if facts.info.tariff is None:
        return Code.TARIFF_UNKNOWN
    if facts.hold_fen is None and not wanted.at_home:
        return Code.NO_AGREEMENT
    return connector_refusal(facts.info.state, wanted.start_mode)


def _authorization(wanted: Wanted, ids: tuple[str, str], token_ref: str, now: datetime) -> Row:
    return {
        "authorization_id": ids[0],
        "session_id": ids[1],
        "authorization_ref": wanted.authorization_ref,
        "home_party_id": wanted.home_party_id,
        "host_party_id": wanted.host_party_id,
        "token_ref": token_ref,
        "state": AuthorizationState.PENDING,
        "refusal": None,
        "limit_fen": None,
        "home_ref": wanted.home_ref,
        "created_at": now,
        "updated_at": now,
    }


def _legs(wanted: Wanted, home_party_id: str, session_id: str, facts: Facts) -> list[Row]:
    legs = []
    if wanted.home_ref is not None:
        home = (home_party_id, facts.home_protocol)
        legs.append(leg(session_id, "home", home, wanted.home_ref, "in"))
    if wanted.authorization_ref is not None:
        host = (wanted.host_party_id, facts.host_protocol)
        legs.append(leg(session_id, "host", host, wanted.authorization_ref, "in"))
    return legs


def leg(session_id: str, side: str, party: tuple[str, str], ref: str, direction: str) -> Row:
    """A leg: the session as one party, (its id, the protocol it speaks), knows it."""
    return {
        "session_id": session_id,
        "side": side,
        "party_id": party[0],
        "protocol": party[1],
        "external_ref": ref,
        "direction": direction,
    }


def _ask(wanted: Wanted, ids: tuple[str, str], tariff: Tariff, hold_fen: int) -> HomeAuthorizeRequest:
    return HomeAuthorizeRequest(
        authorization_id=ids[0],
        session_id=ids[1],
        token=wanted.token,
        host_party_id=wanted.host_party_id,
        connector=connector_ref(wanted.host_party_id, wanted.connector_id),
        tariff=tariff,
        target=wanted.target,
        hold_fen=hold_fen,
    )


def start_canonical(request: StartRequest) -> bytes:
    """What a repeated start must say again: everything but the code's tail, which decides nothing."""
    said = msgspec.to_builtins(request)
    del said["qr_tail"]
    return msgspec.json.encode(said)


def grant_message(
    home_party_id: str,
    authorization_id: str,
    answer: HomeAuthorization,
    evidence: Evidence,
    now: datetime,
) -> Row:
    """The home's signed answer, as it is kept: what proves that the home owes."""
    return {
        "party_id": home_party_id,
        "kind": "grant",
        "external_id": authorization_id,
        "digest": hashlib.sha256(msgspec.json.encode(answer)).hexdigest(),
        "subject_id": authorization_id,
        "received_at": now,
        "key_id": evidence.key_id,
        "signature": evidence.signature,
        "body": evidence.body,
    }
