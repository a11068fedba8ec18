"""The host's platform: connectors, the charges on them, and every way a charge begins and ends."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from operator_sdk.chance import fresh_id
from operator_sdk.client import AsyncHubClient
from operator_sdk.clock import Clock
from operator_sdk.contract.codes import (
    AuthorizationState,
    ConnectorState,
    SessionState,
    StopReason,
    TokenKind,
)
from operator_sdk.contract.messages.common import Target, Token
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.messages.records import ChargeRecord, RecordReply, SettlementRecord
from operator_sdk.contract.messages.roaming import (
    Authorization,
    AuthorizeRequest,
    HostSession,
    HostStartReply,
    HostStartRequest,
    ReleaseRequest,
    SessionUpdate,
)
from operator_sdk.contract.public_codes import Code
from operator_sdk.examples.host.charge import Charge, bill, energy_wh, finish, run
from operator_sdk.examples.host.courier import Courier
from operator_sdk.examples.host.pile import Pile
from operator_sdk.examples.host.site import Site, piles_of, tariff_of
from operator_sdk.examples.host.store import Store
from operator_sdk.guard import Refuse

TICK_S = 0.1


@dataclass(slots=True)
class Connector:
    """A plug, what is wrong with it, and the charge on it."""

    connector_id: str
    pile: Pile
    is_faulted: bool = False
    is_plugged: bool = True
    is_reserved: bool = False
    charge: Charge | None = None

    @property
    def state(self) -> ConnectorState:
        """What the host says of it. A vehicle that waits to be charged does not make it busy."""
        if self.is_faulted:
            return ConnectorState.FAULTED
        if self.charge is not None:
            return ConnectorState.CHARGING
        return ConnectorState.RESERVED if self.is_reserved else ConnectorState.AVAILABLE

    def objection(self) -> Code | None:
        """Why no charge can start here now."""
        if self.is_faulted:
            return Code.CONNECTOR_FAULTED
        return Code.CONNECTOR_BUSY if self.charge or self.is_reserved else None


class Platform:
    """All of the host's rules. `changed` is set whenever a connector's state may have changed."""

    def __init__(
        self,
        *,
        party_id: str,
        site: Site,
        store: Store,
        hub: AsyncHubClient,
        clock: Clock,
        update_interval_s: int = 20,
    ) -> None:
        self.site = site
        self.clock = clock
        self.store = store
        self.changed = asyncio.Event()
        self.courier = Courier(store, hub, self._record_answered)
        self._hub = hub
        self._update_interval_s = update_interval_s
        self._tariffs: dict[tuple[str, int], Tariff] = {
            (put.tariff_id, put.version): tariff_of(party_id, put) for put in site.tariffs
        }
        self.connectors = {
            connector_id: Connector(connector_id, store.pile(connector_id) or pile)
            for connector_id, pile in piles_of(site).items()
        }
        for charge in store.open_charges():
            if charge.connector_id in self.connectors:
                self.connectors[charge.connector_id].charge = charge

    async def run(self) -> None:
        """Let time pass. After a restart the piles are taken to have gone on by themselves."""
        self.courier.wake_all()
        while True:
            self.tick()
            await asyncio.sleep(TICK_S)

    def tick(self) -> None:
        """Bring every charge up to now."""
        now = self.clock.business()
        for connector in self.connectors.values():
            if connector.charge is not None:
                self._catch_up(connector, now)

    def connector(self, connector_id: str) -> Connector:
        """A connector of this host.

        Raises:
            Refuse: `not_found`.
        """
        if connector_id not in self.connectors:
            raise Refuse(Code.NOT_FOUND)
        return self.connectors[connector_id]

    def start(self, asked: HostStartRequest) -> HostStartReply:
        """The hub asks for a start; the same session again gets the same answer."""
        known = self.store.start_reply(asked.session_id)
        if known is not None:
            return known
        connector = self.connectors.get(asked.connector_id)
        tariff = self._tariffs.get((asked.tariff_id, asked.tariff_version))
        refusal = Code.CONNECTOR_UNKNOWN if connector is None else connector.objection()
        if tariff is None:
            refusal = refusal or Code.TARIFF_UNKNOWN
        if refusal is not None or connector is None or tariff is None:
            reply = HostStartReply(accepted=False, refusal=refusal)
            self.store.save_refused_start(asked.session_id, reply)
            return reply
        charge = self._new_charge(asked.session_id, asked.authorization_id, connector, tariff, asked.limit_fen)
        charge.target = asked.target
        reply = HostStartReply(accepted=True, host_ref=charge.host_ref)
        self._begin(connector, charge, reply)
        return reply

    async def tap(self, connector_id: str, card: str, target: Target) -> dict[str, str | None]:
        """A card at the pile: stop the charge it began, or ask the hub and start by ourselves.

        Raises:
            InterpileError: the hub cannot be asked.
            Refuse: no such connector.
        """
        connector = self.connector(connector_id)
        running = connector.charge
        if running is not None and running.card == card:
            self.stop(running.session_id, StopReason.CARD)
            return _tapped("stopped", running.session_id)
        objection = connector.objection()
        if objection is not None:
            return _tapped("refused", refusal=objection)
        connector.is_reserved = True
        try:
            decided = await self._hub.authorize(
                AuthorizeRequest(
                    authorization_ref=fresh_id("tap"),
                    token=Token(kind=TokenKind.CARD, ref=card),
                    connector_id=connector_id,
                    target=target,
                )
            )
        finally:
            connector.is_reserved = False
            self.changed.set()
        return await self._start_authorized(connector, card, target, decided)

    async def _start_authorized(
        self, connector: Connector, card: str, target: Target, decided: Authorization
    ) -> dict[str, str | None]:
        if decided.state != AuthorizationState.GRANTED:
            return _tapped("refused", refusal=decided.refusal)
        objection = connector.objection()
        if objection or decided.tariff is None or decided.session_id is None:
            await self._hub.release_authorization(
                ReleaseRequest(authorization_id=decided.authorization_id, reason="start_failed")
            )
            return _tapped("refused", refusal=objection or Code.TARIFF_UNKNOWN)
        charge = self._new_charge(
            decided.session_id,
            decided.authorization_id,
            connector,
            decided.tariff,
            decided.limit_fen,
        )
        charge.card, charge.target = card, target
        self._begin(connector, charge)
        return _tapped("started", charge.session_id)

    def stop(self, session_id: str, reason: str) -> SessionState:
        """Stop a session; a stop for one that never started keeps it from starting.

        Raises:
            Refuse: `not_found`.
        """
        charge = self._running(session_id)
        if charge is not None:
            self._end(self.connectors[charge.connector_id], reason)
            return charge.state
        ended = self.store.charge(session_id)
        if ended is None:
            refused = HostStartReply(accepted=False, refusal=Code.HOST_REFUSED)
            self.store.save_refused_start(session_id, refused)
            raise Refuse(Code.NOT_FOUND)
        return ended.state

    def set_fault(self, connector_id: str, *, faulted: bool) -> None:
        """Break a pile, or repair it."""
        connector = self.connector(connector_id)
        if faulted and connector.charge is not None:
            self._end(connector, StopReason.FAULT)
        connector.is_faulted = faulted
        self.changed.set()

    def set_plugged(self, connector_id: str, *, plugged: bool) -> None:
        """Pull the plug, or put it in."""
        connector = self.connector(connector_id)
        if not plugged and connector.charge is not None:
            self._end(connector, StopReason.UNPLUGGED)
        connector.is_plugged = plugged

    def find(self, session_id: str) -> Charge | None:
        """A charge, as it is this moment."""
        return self._running(session_id) or self.store.charge(session_id)

    def query(self, session_id: str) -> HostSession:
        """What the host knows of a session."""
        charge = self.find(session_id)
        if charge is None:
            return HostSession(known=False)
        meter_wh = self.meter_wh(charge)
        return HostSession(
            known=True,
            state=charge.state,
            last_number=charge.next_number - 1,
            energy_wh=energy_wh(charge, meter_wh),
            stop_reason=charge.stop_reason,
        )

    def meter_wh(self, charge: Charge) -> int:
        """The meter at the charge's end, or now."""
        if charge.is_running or not charge.readings:
            return self.connectors[charge.connector_id].pile.meter_wh
        return charge.readings[-1].meter_wh

    def settle(self, settlement: SettlementRecord) -> None:
        """How the home settled a record of ours.

        Raises:
            Refuse: `not_found`.
        """
        charge = self.find(settlement.session_id)
        if charge is None:
            raise Refuse(Code.NOT_FOUND)
        charge.settlement = settlement
        self.store.save_charge(charge)

    def _running(self, session_id: str) -> Charge | None:
        charges = (connector.charge for connector in self.connectors.values())
        return next((one for one in charges if one and one.session_id == session_id), None)

    def _new_charge(
        self,
        session_id: str,
        authorization_id: str,
        connector: Connector,
        tariff: Tariff,
        limit_fen: int | None,
    ) -> Charge:
        return Charge(
            session_id=session_id,
            authorization_id=authorization_id,
            connector_id=connector.connector_id,
            host_ref=fresh_id("host"),
            tariff=tariff,
            limit_fen=limit_fen,
            target=Target(),
            last_at=self.clock.business(),
            update_interval_s=self._update_interval_s,
        )

    def _begin(self, connector: Connector, charge: Charge, reply: HostStartReply | None = None) -> None:
        self.store.save(charge, connector.pile, start=reply)
        connector.charge = charge
        self.changed.set()

    def _catch_up(self, connector: Connector, now: datetime) -> None:
        charge = connector.charge
        assert charge is not None
        may_start = connector.is_plugged and not connector.is_faulted
        self._keep(connector, charge, run(charge, connector.pile, now, may_start=may_start))

    def _end(self, connector: Connector, reason: str) -> None:
        """Up to now, and no further."""
        self._catch_up(connector, self.clock.business())
        charge = connector.charge
        if charge is not None:
            self._keep(connector, charge, [finish(charge, connector.pile, reason)])

    def _keep(self, connector: Connector, charge: Charge, updates: Iterable[SessionUpdate]) -> None:
        messages: list[SessionUpdate | ChargeRecord] = [*updates]
        if not messages:
            return
        if charge.state == SessionState.ENDED:
            messages.append(bill(charge))
        self.store.save(charge, connector.pile, messages)
        if not charge.is_running:
            connector.charge = None
            self.changed.set()
        self.courier.wake(charge.session_id)

    def _record_answered(self, session_id: str, reply: RecordReply) -> None:
        charge = self.store.charge(session_id)
        if charge is not None:
            charge.record = reply
            self.store.save_charge(charge)


def _tapped(outcome: str, session_id: str | None = None, refusal: str | None = None) -> dict[str, str | None]:
    return {"outcome": outcome, "session_id": session_id, "refusal": refusal}
