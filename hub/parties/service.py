"""Use cases of parties: operators, their keys and their agreements. Every change is on the audit log."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.core.clock import Clock
from hub.core.database import Database, Unit
from hub.core.errors import HubError, NotFoundError
from hub.core.ids import Ids
from hub.core.memory import Memory
from hub.core.paging import cut_page, decode_cursor, page_limit
from hub.core.tables import insert_new
from hub.parties.audit import AuditLog
from hub.parties.model import LOCKED_FOR, KeyState, PartyProblem, Protocol, check_party, join_roles
from hub.parties.moving import Equip
from hub.parties.tables import (
    AgreementRow,
    Exposure,
    PartyKey,
    PartyRow,
    TokenPrefix,
    all_prefixes,
    find_agreement,
)
from hub.parties.tables_keys import key_by_public, key_for_update, keys_of, page_of_parties, prefixes_of
from hub.parties.tables_staff import forget_failures, forget_sessions, same_person
from operator_sdk.contract.codes import Role
from operator_sdk.contract.ids import AGREEMENT
from operator_sdk.contract.messages.access import Key, KeyAdd, KeyList
from operator_sdk.contract.messages.admin import (
    Agreement,
    AgreementAdd,
    ExposurePut,
    Party,
    PartyAdd,
    PartyPage,
)
from operator_sdk.contract.public_codes import Code
from operator_sdk.contract.signing import public_from_b64url, public_to_b64url


class PartiesService:
    """Operators on the hub. Where `env` is demo or test they may have http and private addresses."""

    def __init__(
        self, database: Database, clock: Clock, ids: Ids, *, audit: AuditLog, env: str = "production"
    ) -> None:
        self._database, self._clock, self._ids, self._audit = database, clock, ids, audit
        self._relaxed = env in {"demo", "test"}
        self._keys: Memory[tuple[str, str], Ed25519PublicKey] = Memory()
        self._parties: Memory[str, Party] = Memory()
        self._holds: Memory[tuple[str, str], int] = Memory()
        self._prefixes: Memory[str, dict[str, str]] = Memory()

    async def ensure_hub_party(self, party_id: str, name: str) -> None:
        """The hub's own row, which commissions are owed to."""
        async with self._database.unit() as unit:
            await insert_new(
                unit,
                PartyRow,
                party_id=party_id,
                name=name,
                roles=Role.HUB.value,
                protocol=Protocol.HUB.value,
                base_url=None,
                created_at=self._clock.wall(),
            )

    async def add_party(
        self, add: PartyAdd, actor: str, *, equip: Equip | None = None, plain: bool = False
    ) -> Party:
        """Add an operator; the same again changes nothing. `equip`: see there; `plain`: see `check_base_url`.

        Raises:
            HubError: id_reused (the id is another operator's) or rule_violated.
        """
        try:
            base_url = check_party(add, relaxed=self._relaxed, equipped=equip is not None, plain=plain)
        except PartyProblem as problem:
            raise HubError(Code.RULE_VIOLATED, reason=str(problem)) from problem
        async with self._database.unit() as unit:
            facts = {
                "name": add.name,
                "roles": join_roles(add.roles),
                "protocol": add.protocol,
                "base_url": base_url,
            }
            now = self._clock.wall()
            if await insert_new(unit, PartyRow, party_id=add.party_id, created_at=now, **facts):
                await self._equip(unit, add, actor, facts)
            row = await unit.session.get(PartyRow, add.party_id)
            exposure = await unit.session.get(Exposure, add.party_id)
            assert row is not None
            same = all(getattr(row, name) == value for name, value in facts.items())
            if not same or exposure is None or not await _equipped_alike(unit, add, exposure):
                raise HubError(Code.ID_REUSED)
            if equip is not None:
                await equip(unit)
            unit.after_commit(lambda: self._prefixes.forget("all"))
            return _party(row, exposure)

    async def _equip(self, unit: Unit, add: PartyAdd, actor: str, facts: dict[str, Any]) -> None:
        unit.session.add(
            Exposure(home_party_id=add.party_id, deposit_fen=add.deposit_fen, limit_fen=add.exposure_limit_fen)
        )
        await unit.session.flush()
        for prefix in add.token_prefixes:
            if not await insert_new(unit, TokenPrefix, prefix=prefix, party_id=add.party_id):
                raise HubError(Code.RULE_VIOLATED, reason=f"token prefix {prefix} is another party's")
        self._audit.note(
            unit,
            actor=actor,
            action="add_party",
            subject=add.party_id,
            **facts,
            token_prefixes=add.token_prefixes,
            deposit_fen=add.deposit_fen,
            exposure_limit_fen=add.exposure_limit_fen,
        )

    async def set_exposure(self, party_id: str, put: ExposurePut, actor: str) -> Party:
        """Change what a home has deposited and may owe. Below what it owes already, nothing new is granted.

        Raises:
            NotFoundError: no such party.
        """
        async with self._database.unit() as unit:
            row = await unit.session.get(PartyRow, party_id)
            exposure = await unit.session.get(Exposure, party_id, with_for_update=True)
            if row is None or exposure is None:
                raise NotFoundError
            exposure.deposit_fen, exposure.limit_fen = put.deposit_fen, put.exposure_limit_fen
            facts = {"deposit_fen": put.deposit_fen, "exposure_limit_fen": put.exposure_limit_fen}
            self._audit.note(unit, actor=actor, action="set_exposure", subject=party_id, **facts)
            return _party(row, exposure)

    async def list_parties(self, *, after: str | None = None, limit: int | None = None) -> PartyPage:
        """A page of operators, oldest first.

        Raises:
            HubError: malformed cursor or limit.
        """
        most = page_limit(limit)
        begin = decode_cursor(after) if after is not None else None
        async with self._database.reading() as unit:
            rows = await page_of_parties(unit, after=begin, count=most + 1)
        page, next_after = cut_page(rows, most, lambda row: (row[0].created_at, row[0].party_id))
        return PartyPage(items=[_party(*row) for row in page], next_after=next_after)

    async def party(self, party_id: str) -> Party:
        """An operator, without what it owes; remembered for a few seconds.

        Raises:
            NotFoundError: no such party.
        """
        now = self._clock.wall()
        party = self._parties.get(party_id, now)
        if party is None:
            async with self._database.reading() as unit:
                row = await unit.session.get(PartyRow, party_id)
            if row is None:
                raise NotFoundError
            party = _party(row, None)
            self._parties.put(party_id, party, now)
        return party

    async def roles_of(self, party_id: str) -> frozenset[str]:
        """What a party does on the hub; nothing when it is not known."""
        try:
            return frozenset((await self.party(party_id)).roles)
        except NotFoundError:
            return frozenset()

    # Keys.

    async def add_key(self, party_id: str, add: KeyAdd, actor: str, *, alone: bool = False) -> Key:
        """Propose a key; `alone` makes it live at once. The same key again changes nothing.

        Raises:
            NotFoundError: no such party.
            HubError: id_reused (the id was another key's, or is revoked) or rule_violated.
        """
        public_key = _canonical(add.public_key)
        state = KeyState.LIVE if alone else KeyState.PROPOSED
        async with self._database.unit() as unit:
            if await unit.session.get(PartyRow, party_id) is None:
                raise NotFoundError
            owner = await key_by_public(unit, public_key)
            if owner is not None and (owner.party_id, owner.key_id) != (party_id, add.key_id):
                raise HubError(Code.RULE_VIOLATED, reason="this public key is registered under another id")
            new = await insert_new(
                unit,
                PartyKey,
                party_id=party_id,
                key_id=add.key_id,
                public_key=public_key,
                state=state.value,
                proposed_by=actor,
                approved_by=actor if alone else None,
                created_at=self._clock.wall(),
            )
            row = await key_for_update(unit, party_id, add.key_id)
            assert row is not None
            if row.public_key != public_key or row.state == KeyState.REVOKED:
                raise HubError(Code.ID_REUSED)
            if new:
                self._note_key(unit, row, "add_key" if alone else "propose_key", actor)
            elif alone and row.state == KeyState.PROPOSED:
                row.state, row.approved_by = KeyState.LIVE.value, actor
                self._note_key(unit, row, "approve_key", actor)
            return _key(row)

    async def approve_key(self, party_id: str, key_id: str, actor: str) -> Key:
        """Make a proposed key live; whoever proposed it cannot, nor with a login that one of the two made.

        Raises:
            NotFoundError: no such key.
            HubError: second_person_needed, or state_conflict when it is revoked.
        """
        async with self._database.unit() as unit:
            row = await key_for_update(unit, party_id, key_id)
            if row is None:
                raise NotFoundError
            if row.state == KeyState.REVOKED:
                raise HubError(Code.STATE_CONFLICT)
            if row.state == KeyState.PROPOSED:
                if await same_person(unit, row.proposed_by, actor):
                    raise HubError(Code.SECOND_PERSON_NEEDED)
                row.state, row.approved_by = KeyState.LIVE.value, actor
                self._note_key(unit, row, "approve_key", actor)
            return _key(row)

    async def revoke_key(self, party_id: str, key_id: str, actor: str) -> Key:
        """Trust a key no more, for good: here at once, in other processes within seconds.

        Raises:
            NotFoundError: no such key.
        """
        async with self._database.unit() as unit:
            row = await key_for_update(unit, party_id, key_id)
            if row is None:
                raise NotFoundError
            if row.state != KeyState.REVOKED:
                row.state = KeyState.REVOKED.value
                self._note_key(unit, row, "revoke_key", actor)
            unit.after_commit(lambda: self._keys.forget((party_id, key_id)))
            return _key(row)

    def _note_key(self, unit: Unit, row: PartyKey, action: str, actor: str) -> None:
        subject = f"{row.party_id}/{row.key_id}"
        self._audit.note(unit, actor=actor, action=action, subject=subject, public_key=row.public_key)

    async def list_keys(self, party_id: str) -> KeyList:
        """A party's keys, oldest first.

        Raises:
            NotFoundError: no such party.
        """
        async with self._database.reading() as unit:
            if await unit.session.get(PartyRow, party_id) is None:
                raise NotFoundError
            return KeyList(items=[_key(row) for row in await keys_of(unit, party_id)])

    async def home_of_token(self, ref: str) -> str | None:
        """The home with the longest prefix of this token; prefixes are remembered for a few seconds."""
        now = self._clock.wall()
        known = self._prefixes.get("all", now)
        if known is None:
            async with self._database.reading() as unit:
                known = await all_prefixes(unit)
            self._prefixes.put("all", known, now)
        for length in range(len(ref), 0, -1):
            if (home := known.get(ref[:length])) is not None:
                return home
        return None

    async def hold_of_pair(self, home_party_id: str, host_party_id: str) -> int | None:
        """What the agreement of a pair asks to hold, in fen; None without one; remembered for a few seconds."""
        now, pair = self._clock.wall(), (home_party_id, host_party_id)
        hold_fen = self._holds.get(pair, now)
        if hold_fen is None:
            async with self._database.reading() as unit:
                row = await find_agreement(unit, home_party_id=home_party_id, host_party_id=host_party_id)
            if row is None:
                return None
            hold_fen = row.hold_fen
            self._holds.put(pair, hold_fen, now)
        return hold_fen

    async def live_key(self, party_id: str, key_id: str) -> Ed25519PublicKey | None:
        """A key to verify with, if it is live; remembered for a few seconds."""
        now = self._clock.wall()
        key = self._keys.get((party_id, key_id), now)
        if key is None:
            async with self._database.reading() as unit:
                row = await unit.session.get(PartyKey, (party_id, key_id))
            if row is None or row.state != KeyState.LIVE:
                return None
            key = public_from_b64url(row.public_key)
            self._keys.put((party_id, key_id), key, now)
        return key

    # Agreements.

    async def add_agreement(self, add: AgreementAdd, actor: str) -> Agreement:
        """Add an agreement; adding the same again changes nothing.

        Raises:
            HubError: id_reused (the pair has agreed otherwise) or rule_violated.
        """
        pair = {"home_party_id": add.home_party_id, "host_party_id": add.host_party_id}
        agreed = ("commission_ppm", "hold_fen", "amount_tolerance_fen", "late_days", "frequency")
        terms = {name: getattr(add, name) for name in agreed}
        async with self._database.unit() as unit:
            await _check_role(unit, add.home_party_id, Role.HOME)
            await _check_role(unit, add.host_party_id, Role.HOST)
            agreement_id = self._ids.new(AGREEMENT)
            new = await insert_new(
                unit,
                AgreementRow,
                agreement_id=agreement_id,
                **pair,
                **terms,
                currency="CNY",
                created_at=self._clock.wall(),
            )
            row = await find_agreement(unit, **pair)
            assert row is not None
            if any(getattr(row, name) != value for name, value in terms.items()):
                raise HubError(Code.ID_REUSED)
            if new:
                self._audit.note(
                    unit, actor=actor, action="add_agreement", subject=agreement_id, **pair, **terms
                )
            return _agreement(row)

    async def purge(self) -> None:
        """Forget staff sessions and wrong passwords whose time is over."""
        now = self._clock.wall()
        async with self._database.unit() as unit:
            await forget_sessions(unit, before=now)
            await forget_failures(unit, before=now - LOCKED_FOR)


async def _check_role(unit: Unit, party_id: str, role: Role) -> None:
    row = await unit.session.get(PartyRow, party_id)
    if row is None or role not in row.roles.split(","):
        raise HubError(Code.RULE_VIOLATED, reason=f"{party_id} is not a {role.value} on this hub")


async def _equipped_alike(unit: Unit, add: PartyAdd, exposure: Exposure) -> bool:
    return (
        exposure.deposit_fen == add.deposit_fen
        and exposure.limit_fen == add.exposure_limit_fen
        and await prefixes_of(unit, add.party_id) == sorted(add.token_prefixes)
    )


def _canonical(public_key: str) -> str:
    try:
        canonical = public_to_b64url(public_from_b64url(public_key))
    except ValueError:
        canonical = ""
    if canonical != public_key:
        raise HubError(Code.RULE_VIOLATED, reason="not an Ed25519 public key")
    return canonical


def _party(row: PartyRow, exposure: Exposure | None) -> Party:
    return Party(
        party_id=row.party_id,
        name=row.name,
        roles=row.roles.split(","),
        protocol=row.protocol,
        base_url=row.base_url,
        created_at=row.created_at,
        owed_fen=exposure.owed_fen if exposure else None,
        open_limits_fen=exposure.open_limits_fen if exposure else None,
        exposure_limit_fen=exposure.limit_fen if exposure else None,
    )


def _key(row: PartyKey) -> Key:
    return Key(party_id=row.party_id, key_id=row.key_id, state=row.state, created_at=row.created_at)


def _agreement(row: AgreementRow) -> Agreement:
    return Agreement(
        agreement_id=row.agreement_id,
        home_party_id=row.home_party_id,
        host_party_id=row.host_party_id,
        commission_ppm=row.commission_ppm,
        hold_fen=row.hold_fen,
        amount_tolerance_fen=row.amount_tolerance_fen,
        late_days=row.late_days,
        frequency=row.frequency,
        currency=row.currency,
    )
