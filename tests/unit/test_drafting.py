"""A draft holds every column: the set-based statements write whole rows, and what is left out would be NULL."""

from datetime import UTC, datetime

from hub.core.pseudonyms import Pseudonyms
from hub.core.tables import table_of
from hub.roaming.drafting import Draft, Drafts, Facts, Wanted
from hub.roaming.tables import AuthorizationRow, LegRow, SessionRow
from operator_sdk.contract.codes import AuthorizationState, SessionState, StartMode, TokenKind
from operator_sdk.contract.golden import TARIFF
from operator_sdk.contract.messages.common import Target, Token
from operator_sdk.contract.messages.directory import ConnectorInfo
from operator_sdk.contract.public_codes import Code

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
HOST, HOME = "MA5AAAAA1", "MA5BBBBB2"
IDS = ("aut_1", "ses_1")


def drafted(state: str = "available", hold_fen: int | None = 5_000, home: str | None = HOME) -> Draft:
    """A card of B's at A's connector."""
    info = ConnectorInfo(
        connector=f"A1.{HOST}",
        party_id=HOST,
        station_id="S1",
        station_name="S",
        address="",
        pile_id="P1",
        kind="dc",
        rated_power_w=60_000,
        state=state,
        state_at=NOW,
        tariff=TARIFF,
    )
    wanted = Wanted(
        start_mode=StartMode.HOST,
        home_party_id=home,
        host_party_id=HOST,
        connector_id="A1",
        token=Token(kind=TokenKind.CARD, ref="B1000001"),
        target=Target(),
        authorization_ref="a-1",
        home_ref="h-1",
    )
    return Drafts(Pseudonyms(b"k" * 32)).make(wanted, Facts(info, hold_fen, home_follows=True), IDS, NOW)


def test_every_row_of_a_draft_has_every_column_of_its_table() -> None:
    draft = drafted()
    assert draft.session is not None
    assert set(draft.session) == set(table_of(SessionRow).columns.keys())
    assert set(draft.authorization) == set(table_of(AuthorizationRow).columns.keys())
    assert len(draft.legs) == 2
    for row in draft.legs:
        assert set(row) == set(table_of(LegRow).columns.keys())


def test_a_charge_that_nothing_speaks_against_is_pending_and_reserves_what_is_asked() -> None:
    draft = drafted()
    assert draft.session is not None
    assert draft.ask is not None
    assert (draft.refusal, draft.reserve_fen, draft.ask.hold_fen) == (None, 5_000, 5_000)
    assert draft.authorization["state"] == AuthorizationState.PENDING
    assert draft.session["state"] == SessionState.REQUESTED


def test_a_faulted_connector_is_refused_and_reserves_nothing() -> None:
    draft = drafted(state="faulted")
    assert draft.session is not None
    assert (draft.refusal, draft.reserve_fen, draft.ask) == (Code.CONNECTOR_FAULTED, 0, None)
    assert draft.session["state"] == SessionState.REFUSED
    assert draft.authorization["reserved_fen"] == 0


def test_a_pair_without_an_agreement_is_refused() -> None:
    assert drafted(hold_fen=None).refusal is Code.NO_AGREEMENT


def test_a_token_of_nobody_is_refused_without_a_session() -> None:
    draft = drafted(home=None)
    assert (draft.refusal, draft.session) == (Code.TOKEN_UNKNOWN, None)
    assert draft.authorization["state"] == AuthorizationState.REFUSED


def test_the_card_number_is_in_no_row() -> None:
    draft = drafted()
    assert "B1000001" not in repr((draft.session, draft.authorization, draft.legs))
