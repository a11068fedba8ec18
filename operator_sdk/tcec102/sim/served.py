"""The simulated platform's own server: keeps a journal, and is slow, silent or forgetful on demand."""

import asyncio
from collections.abc import Iterable

from operator_sdk.clock import Clock
from operator_sdk.contract.tcec102.messages import QueryToken, QueryTokenReply
from operator_sdk.contract.tcec102.profile import Profile, Secrets
from operator_sdk.contract.tcec102.wire import Opened, Ret, WireProblem
from operator_sdk.tcec102.handlers import Customer, Infrastructure
from operator_sdk.tcec102.pen import Pen
from operator_sdk.tcec102.server import Admitted, Tcec102Server, Turn
from operator_sdk.tcec102.sim.journal import Journal
from operator_sdk.tcec102.sim.pains import Pains

SILENT_S = 600


class SimulatedServer(Tcec102Server):
    """`Tcec102Server` with the pains of tokens and time."""

    def __init__(
        self,
        partners: Iterable[tuple[Profile, Secrets]],
        *,
        operator_id: str,
        clock: Clock,
        pen: Pen,
        pains: Pains,
        journal: Journal,
        infrastructure: Infrastructure | None,
        customer: Customer | None,
        slow_ms: int,
    ) -> None:
        super().__init__(
            partners,
            operator_id=operator_id,
            clock=clock,
            infrastructure=infrastructure,
            customer=customer,
            pen=pen,
        )
        self._pains, self._journal, self._wall = pains, journal, clock.wall
        self._doubted: set[str] = set()
        self._slow_ms = slow_ms

    def check_token(self, partner: Admitted, turn: Turn) -> None:
        """As the standard wants it, but for a token that is doubted once."""
        super().check_token(partner, turn)
        if "token_4002_once" in self._pains and turn.bearer and turn.bearer not in self._doubted:
            self._doubted.add(turn.bearer)
            raise WireProblem(Ret.TOKEN, "the token has expired", "token")

    def give_token(self, partner: Admitted, message: QueryToken) -> QueryTokenReply:
        """As the standard wants it, but for old tokens that end."""
        if "token_kills_old" in self._pains:
            self.tokens.forget(partner.profile.operator_id)
        return super().give_token(partner, message)

    async def work(self, partner: Admitted, turn: Turn, opened: Opened) -> tuple[bytes, bool]:
        """As the standard wants it, in its own time."""
        name = turn.interface.name
        self._journal.heard(name, opened.plain, self._wall())
        if "slow" in self._pains:
            await asyncio.sleep(self._slow_ms / 1000)
        if "silent" in self._pains:
            await asyncio.sleep(SILENT_S)
            raise WireProblem(Ret.BUSY, "this came far too late", "silent")
        if "refusing_busy" in self._pains and name != "query_token":
            raise WireProblem(Ret.BUSY, "try again later", "busy")
        return await super().work(partner, turn, opened)
