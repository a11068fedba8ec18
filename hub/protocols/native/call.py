"""One call from outside: who, what, with which proof. Handlers get this and a decoded message."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from starlette.responses import Response

from hub.accounts.service import Accounts
from hub.accounts.service_signin import SignIn
from hub.clearing.checking import RecordChecks
from hub.clearing.payments import Payments
from hub.clearing.proof import Proofs
from hub.clearing.rates import Rates
from hub.clearing.service import ClearingService
from hub.clearing.suspense import Suspense
from hub.core.clock import Clock
from hub.core.database import Database
from hub.core.errors import HubError
from hub.core.ids import Ids
from hub.core.outbox import Outbox
from hub.core.paging import LIMIT_DEFAULT, LIMIT_MOST, decode_cursor
from hub.core.pseudonyms import Pseudonyms
from hub.core.secrets import Seal, Secrets
from hub.core.tables import Evidence
from hub.core.tokens import Principal, Tokens
from hub.directory.importer import StationImporter
from hub.directory.model import is_plausible
from hub.directory.search import StationSearch
from hub.directory.service import DirectoryService
from hub.ledger.service import Ledger
from hub.parties.link import Links
from hub.parties.scope import PartyScope, of_driver, of_party
from hub.parties.service import PartiesService
from hub.parties.staff import StaffService
from hub.roaming.service import Roaming
from hub.sites.service import Sites
from hub.upkeep.service import UpkeepService
from operator_sdk.contract.messages.common import ListQuery, Message
from operator_sdk.contract.operations import Operation
from operator_sdk.contract.public_codes import Code

Query = TypeVar("Query", bound=Message)


@dataclass(frozen=True, slots=True)
class Services:
    """Everything the hub's rooms offer to this protocol."""

    database: Database
    clock: Clock
    ids: Ids
    tokens: Tokens
    secrets: Secrets
    seal: Seal
    pseudonyms: Pseudonyms
    links: Links
    parties: PartiesService
    staff: StaffService
    directory: DirectoryService
    search: StationSearch
    importer: StationImporter
    ledger: Ledger
    accounts: Accounts
    sign_in: SignIn
    roaming: Roaming
    clearing: ClearingService
    rates: Rates
    proofs: Proofs
    payments: Payments
    suspense: Suspense
    record_checks: RecordChecks
    upkeep: UpkeepService
    sites: Sites
    outbox: Outbox
    issuer: str


@dataclass(frozen=True, slots=True)
class Call:
    """A call as its handler sees it."""

    services: Services
    operation: Operation
    principal: Principal
    path: Mapping[str, str]
    query: Mapping[str, str]
    last_event_id: str | None = None
    evidence: Evidence | None = None

    @property
    def party_id(self) -> str:
        """The calling operator, or the driver's home."""
        assert self.principal.party_id is not None
        return self.principal.party_id

    @property
    def subject(self) -> str:
        """The calling driver's or staff member's name."""
        assert self.principal.subject is not None
        return self.principal.subject

    @property
    def viewer(self) -> PartyScope:
        """What the caller may see."""
        if self.principal.kind == "driver":
            ref = self.services.pseudonyms.driver_ref(self.party_id, self.subject)
            return of_driver(self.party_id, ref)
        if self.principal.kind == "operator":
            return of_party(self.party_id)
        return PartyScope(everything=self.principal.kind == "staff")

    def asked(self, kind: type[Query]) -> Query:
        """What the query says, as the contract describes it; empty values are left out.

        Raises:
            HubError: malformed.
        """
        given = {name: value for name, value in self.query.items() if value}
        try:
            return msgspec.convert(given, type=kind, strict=False)
        except msgspec.ValidationError as problem:
            raise HubError(Code.MALFORMED, problem=str(problem)) from problem

    @property
    def limit(self) -> int:
        """Page size: 50 unless asked, 200 at most.

        Raises:
            HubError: malformed.
        """
        text = self.query.get("limit", str(LIMIT_DEFAULT))
        if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:6]) <= LIMIT_MOST:
            raise HubError(Code.MALFORMED, field="limit")
        return int(text)

    @property
    def after(self) -> tuple[datetime, str] | None:
        """Where the page before ended.

        Raises:
            HubError: malformed.
        """
        cursor = self.query.get("after")
        return decode_cursor(cursor) if cursor else None

    @property
    def newest_first(self) -> bool:
        """Whether the list is read by a person, and not followed.

        Raises:
            HubError: malformed.
        """
        return self.asked(ListQuery).order == "newest"

    @property
    def updated_since(self) -> datetime | None:
        """Only what changed since then.

        Raises:
            HubError: malformed.
        """
        text = self.query.get("updated_since")
        if not text:
            return None
        try:
            value = datetime.fromisoformat(text)
        except ValueError:
            raise HubError(Code.MALFORMED, field="updated_since") from None
        if value.tzinfo is None or not is_plausible(value):
            raise HubError(Code.MALFORMED, field="updated_since")
        return value


Handler = Callable[[Call, Any], Awaitable[Message | Response]]
