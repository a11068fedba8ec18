"""Partners' profiles: how each of them speaks T/CEC 102, and with which secrets.

A profile comes as one TOML file (`docs/tcec102.md`). What is secret in it is sealed before it is stored
(T/CEC 102.4 names four secrets a direction); the rest is kept and shown in clear. All profiles are in memory
and looked at anew every few seconds, so that no message reads the database for them, a partner that nobody
knows is found missing as fast as any other is found, and a rotation reaches every process within seconds.
"""

import asyncio
import ipaddress
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag

from hub.core.clock import Clock
from hub.core.database import Database, Unit
from hub.core.errors import HubError, NotFoundError
from hub.core.memory import REMEMBERED_FOR
from hub.core.secrets import Seal
from hub.parties.audit import AuditLog
from hub.parties.model import Protocol
from hub.parties.moving import move_party
from hub.parties.service import PartiesService
from hub.protocols.tcec102.tables import ProfileRow, profile_rows, put_profile, revisions
from operator_sdk.contract.codes import Role
from operator_sdk.contract.messages.admin import Party, PartyAdd
from operator_sdk.contract.public_codes import Code
from operator_sdk.contract.tcec102.keys import KeySet
from operator_sdk.contract.tcec102.profile import (
    DatedKeys,
    Profile,
    ProfileProblem,
    Secrets,
    active_keys,
    read_profile,
)

log = logging.getLogger("interpile.tcec102")

BODY_MOST = 2_000_000

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Partner:
    """A partner as it is configured now. `party_id` is its OperatorID, `operator_id` the hub's own."""

    party_id: str
    roles: frozenset[str]
    profile: Profile
    secrets: Secrets = field(repr=False)
    operator_id: str
    revision: int
    networks: tuple[Network, ...]
    pins: frozenset[str]
    """SHA-256 of the certificates that it may show when it is called; none: any that browsers would take."""

    def ours(self, now: datetime) -> list[DatedKeys]:
        """The key sets that it may call us with now, the newest first."""
        return active_keys(self.secrets.ours, now)

    def theirs(self, now: datetime) -> list[DatedKeys]:
        """The key sets that we may call it with now, the newest first."""
        return active_keys(self.secrets.theirs, now)

    def may_call_from(self, address: str) -> bool:
        """Whether the profile's allow-list has an address; an empty list has all."""
        if not self.networks:
            return True
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        ip = getattr(ip, "ipv4_mapped", None) or ip
        return any(ip in network for network in self.networks)


class PartnerProfiles:
    """All partners that speak this protocol."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        parties: PartiesService,
        seal: Seal,
        audit: AuditLog,
        operator_id: str,
        relaxed: bool,
    ) -> None:
        self._database, self._clock, self._parties = database, clock, parties
        self._seal, self._audit, self._operator_id = seal, audit, operator_id
        self._relaxed = relaxed
        self._partners: dict[str, Partner] = {}
        self._prefixes: frozenset[str] = frozenset()
        self.body_most = BODY_MOST
        """Bytes of the largest body that any partner may send."""
        self._fresh_until: datetime | None = None
        self._loading = asyncio.Lock()

    async def of(self, party_id: str) -> Partner:
        """A partner.

        Raises:
            NotFoundError: no such partner, or none with a profile.
        """
        partner = await self.find(party_id)
        if partner is None:
            raise NotFoundError
        return partner

    async def find(self, party_id: str) -> Partner | None:
        """A partner by its OperatorID, which is its party id."""
        await self._refresh()
        return self._partners.get(party_id)

    async def every(self) -> list[Partner]:
        """All partners, by their ids."""
        await self._refresh()
        return [self._partners[party_id] for party_id in sorted(self._partners)]

    def seem_to_serve(self, prefix: str) -> bool:
        """Whether any partner reaches us under this prefix, as far as is known without looking."""
        return prefix in self._prefixes

    async def serve(self, prefix: str) -> bool:
        """Whether any partner reaches us under this prefix."""
        await self._refresh()
        return prefix in self._prefixes

    async def _refresh(self) -> None:
        if self._is_fresh():
            return
        async with self._loading:
            if not self._is_fresh():
                await self._load()
                self._fresh_until = self._clock.wall() + REMEMBERED_FOR

    def _is_fresh(self) -> bool:
        return self._fresh_until is not None and self._clock.wall() < self._fresh_until

    async def _load(self) -> None:
        known = self._partners
        async with self._database.reading() as unit:
            now_stored = await revisions(unit)
            changed = [
                party_id
                for party_id, revision in now_stored.items()
                if party_id not in known or known[party_id].revision != revision
            ]
            rows = await profile_rows(unit, changed) if changed else []
        kept = {party_id: one for party_id, one in known.items() if party_id in now_stored}
        for row in rows:
            kept.pop(row.party_id, None)
            partner = await self._opened(row)
            if partner is not None:
                kept[row.party_id] = partner
        self._partners = kept
        self._prefixes = frozenset(one.profile.serve_prefix for one in kept.values())
        self.body_most = max([BODY_MOST, *(one.profile.limits.body_bytes for one in kept.values())])

    async def _opened(self, row: Any) -> Partner | None:
        """A stored profile; one that cannot be read costs its own partner only."""
        try:
            profile = msgspec.json.decode(row.profile, type=Profile)
            secrets = _open(self._seal.open(row.secrets), row.party_id)
        except (msgspec.MsgspecError, InvalidTag, KeyError, TypeError, ValueError):
            log.exception("a stored profile cannot be read", extra={"party_id": row.party_id})
            return None
        roles = await self._parties.roles_of(row.party_id)
        return Partner(
            row.party_id,
            roles,
            profile,
            secrets,
            operator_id=profile.hub_operator_id or self._operator_id,
            revision=row.revision,
            networks=_networks(profile),
            pins=frozenset(profile.network.server_certificate_sha256),
        )

    async def add(
        self, text: str, actor: str, *, party_id: str | None = None, deposit_fen: int = 0, limit_fen: int = 0
    ) -> Party:
        """Add a party with its profile, in one unit; the same again changes nothing.

        Raises:
            HubError: rule_violated (the profile, or what it says of the party), id_reused.
        """
        profile, secrets = read_or_refuse(text)
        if party_id is not None and party_id != profile.operator_id:
            raise HubError(Code.RULE_VIOLATED, reason=f"the profile is of {profile.operator_id}")
        add = PartyAdd(
            party_id=profile.operator_id,
            name=profile.name,
            roles=[Role(role) for role in profile.roles],
            protocol=Protocol.TCEC102,
            base_url=profile.base_url,
            deposit_fen=deposit_fen,
            exposure_limit_fen=limit_fen,
        )

        async def with_profile(unit: Unit) -> None:
            row = await unit.session.get(ProfileRow, profile.operator_id)
            if row is None:
                await self._put(unit, profile, secrets, actor, "add_tcec102_profile")
            elif not self._is_same(row, profile, secrets):
                raise HubError(Code.ID_REUSED, reason="it has another profile; see tcec102 profile replace")

        plain = profile.network.plain
        return await self._parties.add_party(add, actor, equip=with_profile, plain=plain)

    async def replace(self, party_id: str, text: str, actor: str) -> int:
        """Put a profile in the place of the one before; returns its revision.

        The text has all key sets that shall be known. In other processes it is in force within seconds.

        Raises:
            NotFoundError: no such party, or not of this protocol.
            HubError: rule_violated.
        """
        profile, secrets = read_or_refuse(text)
        if profile.operator_id != party_id:
            raise HubError(Code.RULE_VIOLATED, reason=f"the profile is of {profile.operator_id}")
        async with self._database.unit() as unit:
            row = await unit.session.get(ProfileRow, party_id)
            if row is None:
                raise NotFoundError
            await move_party(
                unit,
                party_id,
                roles=profile.roles,
                base_url=profile.base_url,
                relaxed=self._relaxed,
                plain=profile.network.plain,
            )
            return await self._put(unit, profile, secrets, actor, "replace_tcec102_profile")

    async def _put(self, unit: Unit, profile: Profile, secrets: Secrets, actor: str, action: str) -> int:
        sealed = self._seal.close(_closed(secrets, profile.operator_id))
        text = msgspec.json.encode(profile).decode()
        revision = await put_profile(unit, profile.operator_id, text, sealed, self._clock.wall())
        facts = {
            "revision": revision,
            "theirs": [one.id for one in secrets.theirs],
            "ours": [one.id for one in secrets.ours],
        }
        self._audit.note(unit, actor=actor, action=action, subject=profile.operator_id, **facts)
        unit.after_commit(self._forget)
        return revision

    def _forget(self) -> None:
        self._fresh_until = None

    def _is_same(self, row: ProfileRow, profile: Profile, secrets: Secrets) -> bool:
        before = _closed(_open(self._seal.open(row.secrets), row.party_id), row.party_id)
        same = before == _closed(secrets, profile.operator_id)
        # Read, for it may have been stored before the profile had a key that it has today.
        return same and msgspec.json.decode(row.profile, type=Profile) == profile


def read_or_refuse(text: str) -> tuple[Profile, Secrets]:
    """Read a profile.

    Raises:
        HubError: rule_violated, with what is wrong with it.
    """
    try:
        profile, secrets = read_profile(text)
        _networks(profile)
    except (ProfileProblem, ValueError) as problem:
        raise HubError(Code.RULE_VIOLATED, reason=str(problem)) from problem
    return profile, secrets


def _networks(profile: Profile) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text, strict=False) for text in profile.network.addresses)


def _closed(secrets: Secrets, party_id: str) -> bytes:
    """Secrets as what is sealed; the party's id within, so that no row can be put in another's place."""

    def plain(dated: DatedKeys) -> dict[str, Any]:
        keys = msgspec.structs.asdict(dated.keys)
        return {"id": dated.id, "since": dated.since, "until": dated.until, "keys": keys}

    whole = {
        "party_id": party_id,
        "theirs": [plain(one) for one in secrets.theirs],
        "ours": [plain(one) for one in secrets.ours],
    }
    return msgspec.json.encode(whole)


def _open(plain: bytes, party_id: str) -> Secrets:
    whole = msgspec.json.decode(plain)
    if whole["party_id"] != party_id:
        raise ValueError("sealed for another party")
    return Secrets(theirs=_dated(whole["theirs"]), ours=_dated(whole["ours"]))


def _dated(entries: list[Mapping[str, Any]]) -> list[DatedKeys]:
    return [
        DatedKeys(
            id=entry["id"],
            keys=msgspec.convert(entry["keys"], type=KeySet),
            since=_instant(entry["since"]),
            until=_instant(entry["until"]),
        )
        for entry in entries
    ]


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
