"""PartyLink to a hosted operator: the hub's own `accounts` answer as the home."""

from hub.accounts.service import Accounts
from hub.accounts.service_charging import HostedCharging
from hub.core.tables import Evidence
from hub.parties.link import Capability, MissingLink
from operator_sdk.contract.messages.common import Token
from operator_sdk.contract.messages.records import HomeRecord, RecordAnswer
from operator_sdk.contract.messages.roaming import (
    DriverAccount,
    HomeAuthorization,
    HomeAuthorizeRequest,
)


class HostedLink(MissingLink):
    """Hosted as home; as host once site agents connect to the hub."""

    capabilities = frozenset(
        {
            Capability.AUTHORIZE,
            Capability.RELEASE_AUTHORIZATION,
            Capability.PUSH_RECORD,
            Capability.DRIVER_ACCOUNT,
        }
    )

    def __init__(self, party_id: str, accounts: Accounts, charging: HostedCharging) -> None:
        self._party_id, self._accounts, self._charging = party_id, accounts, charging

    async def authorize(self, request: HomeAuthorizeRequest) -> tuple[HomeAuthorization, Evidence | None]:
        """Hold in the driver's wallet."""
        return await self._charging.authorize(self._party_id, request), None

    async def release_authorization(
        self, authorization_id: str, reason: str, home_ref: str | None = None
    ) -> None:
        """Void the hold."""
        await self._charging.release(self._party_id, authorization_id)

    async def push_record(self, record: HomeRecord) -> tuple[RecordAnswer, Evidence | None]:
        """Capture, release the rest, and settle at once."""
        settlement = await self._charging.settle(self._party_id, record)
        return RecordAnswer(state="settled", settlement=settlement), None

    async def driver_account(self, token: Token) -> DriverAccount:
        """The wallet."""
        return await self._accounts.driver_account(self._party_id, token)
