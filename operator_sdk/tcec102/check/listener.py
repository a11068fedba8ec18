"""Where the platform under check calls us: both sides in one server, every call kept with its bytes."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from operator_sdk.clock import Clock
from operator_sdk.contract.tcec102 import messages as m
from operator_sdk.contract.tcec102.problems import Ret, WireProblem
from operator_sdk.contract.tcec102.profile import Profile, Secrets
from operator_sdk.tcec102.check.pile import Pile
from operator_sdk.tcec102.check.report import Evidence, shown
from operator_sdk.tcec102.handlers import Caller
from operator_sdk.tcec102.server import Admitted, Tcec102Server


@dataclass(slots=True)
class Heard:
    """One call of the platform's: the bytes of both, and the message once it was read."""

    path: str
    body: bytes = b""
    answer: bytes = b""

    def evidence(self) -> Evidence:
        """For the report; `sent` is what we answered."""
        return Evidence(self.path.rpartition("/")[2], shown(self.answer), shown(self.body), "", 200, 0)


@dataclass(slots=True)
class Ears:
    """`Customer`: takes what a host tells, the first result of a start slowly.

    An order is taken when it comes again, and disputed if it costs.
    """

    slow_s: int = 0
    told: list[m.Part] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def _note(self, message: m.Part) -> None:
        self.told.append(message)
        self.changed.set()

    async def notification_stationStatus(  # noqa: N802 (the standard's name)
        self, message: m.NotificationStationStatus, caller: Caller
    ) -> m.NotificationStationStatusReply:
        """Taken."""
        self._note(message)
        return m.NotificationStationStatusReply(status=0)

    async def notification_start_charge_result(
        self, message: m.NotificationStartChargeResult, caller: Caller
    ) -> m.NotificationStartChargeResultReply:
        """Taken, the first one only after a while."""
        is_first = not self.about(m.NotificationStartChargeResult, message.start_charge_seq)
        self._note(message)
        if is_first:
            await asyncio.sleep(self.slow_s)
        return m.NotificationStartChargeResultReply(start_charge_seq=message.start_charge_seq, succ_stat=0)

    async def notification_equip_charge_status(
        self, message: m.NotificationEquipChargeStatus, caller: Caller
    ) -> m.NotificationEquipChargeStatusReply:
        """Taken."""
        self._note(message)
        return m.NotificationEquipChargeStatusReply(start_charge_seq=message.start_charge_seq, succ_stat=0)

    async def notification_stop_charge_result(
        self, message: m.NotificationStopChargeResult, caller: Caller
    ) -> m.NotificationStopChargeResultReply:
        """Taken."""
        self._note(message)
        return m.NotificationStopChargeResultReply(start_charge_seq=message.start_charge_seq, succ_stat=0)

    async def notification_charge_order_info(
        self, message: m.NotificationChargeOrderInfo, caller: Caller
    ) -> m.NotificationChargeOrderInfoReply:
        """Busy at first, so that it must come again; then agreed, or disputed where it costs money."""
        before = len(self.orders(message.start_charge_seq))
        self._note(message)
        if not before:
            raise WireProblem(Ret.BUSY, "the check wants to see this order again", "check")
        return m.NotificationChargeOrderInfoReply(
            start_charge_seq=message.start_charge_seq,
            connector_id=message.connector_id,
            confirm_result=1 if message.total_money else 0,
        )

    async def check_charge_orders(
        self, message: m.CheckChargeOrders, caller: Caller
    ) -> m.CheckChargeOrdersReply:
        """Nothing is disputed."""
        self._note(message)
        return m.CheckChargeOrdersReply(
            check_order_seq=message.check_order_seq,
            start_time=message.start_time,
            end_time=message.end_time,
            total_dispute_order=0,
            total_dispute_power=Decimal(0),
            total_dispute_money=Decimal(0),
            dispute_orders=[],
        )

    def orders(self, seq: str) -> list[m.NotificationChargeOrderInfo]:
        """The orders of a charge that came."""
        return self.about(m.NotificationChargeOrderInfo, seq)

    def about(self, kind: type[Any], seq: str) -> list[Any]:
        """What was told about a charge."""
        return [one for one in self.told if type(one) is kind and getattr(one, "start_charge_seq", "") == seq]

    async def until(self, holds: Callable[[], bool], patience_s: float) -> None:
        """Wait until something holds of what was told, or patience has ended."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                while not holds():
                    self.changed.clear()
                    await self.changed.wait()


class Doorman(Tcec102Server):
    """The SDK's server; `refused` are the FailReasons of the tokens that it did not give."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.refused: list[int] = []

    def give_token(self, partner: Admitted, message: m.QueryToken) -> m.QueryTokenReply:
        """As the server does, and noted."""
        reply = super().give_token(partner, message)
        self.refused += [reply.fail_reason] if reply.succ_stat else []
        return reply


class Listener:
    """An ASGI app: the SDK's server behind a recorder."""

    def __init__(
        self, profile: Profile, secrets: Secrets, *, operator_id: str, clock: Clock, slow_s: int = 0
    ) -> None:
        self.heard: list[Heard] = []
        self.ears, self.pile = Ears(slow_s), Pile(operator_id)
        self.server = Doorman(
            [(profile, secrets)],
            operator_id=operator_id,
            clock=clock,
            infrastructure=self.pile,
            customer=self.ears,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        heard = Heard(scope["path"])
        self.heard.append(heard)

        async def listening() -> Message:
            message = await receive()
            heard.body += message.get("body", b"")
            return message

        async def saying(message: Message) -> None:
            heard.answer += message.get("body", b"")
            await send(message)

        await self.server(scope, listening, saying)

    async def wait(self, kind: type[Any], seq: str, patience_s: int, count: int = 1) -> list[Any]:
        """What was told about a charge, once it is `count` messages or patience has ended."""
        await self.ears.until(lambda: len(self.ears.about(kind, seq)) >= count, patience_s)
        return self.ears.about(kind, seq)
