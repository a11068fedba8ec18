"""Parties on both engines: operators, keys that two people make live, agreements, and the audit log."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.errors import HubError, NotFoundError
from hub.core.ids import SeededIds
from hub.parties.audit import AuditLog
from hub.parties.service import PartiesService
from hub.parties.tables import AuditRow, Exposure, StaffRow, find_home_by_token
from operator_sdk.contract.codes import Role
from operator_sdk.contract.messages.access import KeyAdd
from operator_sdk.contract.messages.admin import AgreementAdd, PartyAdd
from operator_sdk.contract.public_codes import Code
from operator_sdk.contract.signing import public_to_b64url

A, B = "MA5AAAAA1", "MA5BBBBB2"


def operator(party_id: str, *roles: str, **more: Any) -> PartyAdd:
    fields: dict[str, Any] = {"protocol": "native", "base_url": f"https://{party_id.lower()}.cn"} | more
    return PartyAdd(party_id=party_id, name=party_id, roles=[Role(role) for role in roles], **fields)


def new_key(key_id: str = "k1") -> KeyAdd:
    return KeyAdd(key_id=key_id, public_key=public_to_b64url(Ed25519PrivateKey.generate().public_key()))


@pytest.fixture
def parties(database: Database, clock: ManualClock, ids: SeededIds) -> PartiesService:
    return PartiesService(database, clock, ids, audit=AuditLog(clock, ids))


async def code_of(refused) -> Code:
    with pytest.raises(HubError) as refusal:
        await refused
    return refusal.value.code


async def audited(database: Database) -> list[tuple[str, str, str]]:
    async with database.reading() as unit:
        rows = (await unit.session.exec(select(AuditRow))).all()
    return sorted((row.actor, row.action, row.subject) for row in rows)


async def test_an_operator_is_added_once_with_its_exposure(parties: PartiesService, database: Database) -> None:
    add = operator(A, "home", "host", deposit_fen=5, exposure_limit_fen=7, base_url="https://a.cn/")
    added = await parties.add_party(add, "ann")
    assert (added.roles, added.base_url, added.owed_fen, added.exposure_limit_fen) == (
        ["home", "host"],
        "https://a.cn",
        0,
        7,
    )
    assert await parties.add_party(add, "bob") == added
    assert await audited(database) == [("ann", "add_party", A)]
    async with database.reading() as unit:
        exposure = await unit.session.get(Exposure, A)
    assert exposure is not None
    assert (exposure.deposit_fen, exposure.limit_fen) == (5, 7)
    for other in ({"deposit_fen": 6}, {"base_url": "https://b.cn"}, {"token_prefixes": ["A"]}):
        changed = operator(A, "home", "host", **({"deposit_fen": 5, "exposure_limit_fen": 7} | other))
        assert await code_of(parties.add_party(changed, "ann")) is Code.ID_REUSED


@pytest.mark.parametrize(
    "add",
    [
        operator(A, "host", base_url=None),
        operator(A, "host", base_url="http://a.cn"),
        operator(A, "host", base_url="https://10.0.0.1"),
        operator(A, "host", protocol="hosted"),
        operator(A, "hub"),
        operator(A, "host", "host"),
        operator(A, "host", token_prefixes=["A"]),
        operator(A, "home", token_prefixes=["A", "A"]),
        operator(A, "home", token_prefixes=[""]),
        operator(A, "home", token_prefixes=["a b"]),
        operator(A, "home", token_prefixes=["x" * 65]),
    ],
)
async def test_an_operator_against_the_rules_is_refused(parties: PartiesService, add: PartyAdd) -> None:
    assert await code_of(parties.add_party(add, "ann")) is Code.RULE_VIOLATED
    assert (await parties.list_parties()).items == []


async def test_demo_and_test_take_private_addresses(
    database: Database, clock: ManualClock, ids: SeededIds
) -> None:
    relaxed = PartiesService(database, clock, ids, audit=AuditLog(clock, ids), env="test")
    added = await relaxed.add_party(operator(A, "host", base_url="http://127.0.0.1:9000"), "ann")
    assert added.base_url == "http://127.0.0.1:9000"


async def test_the_longest_prefix_names_the_home_and_a_prefix_has_one_owner(
    parties: PartiesService, database: Database
) -> None:
    assert await parties.home_of_token("86") is None
    await parties.add_party(operator(A, "home", token_prefixes=["86", "86A"]), "ann")
    assert await parties.home_of_token("86ABC") == A
    taken = operator(B, "home", token_prefixes=["8", "86"])
    assert await code_of(parties.add_party(taken, "ann")) is Code.RULE_VIOLATED
    assert await parties.roles_of(B) == frozenset()
    await parties.add_party(operator(B, "home", token_prefixes=["86AB"]), "ann")
    refs = ("86ABC", "86AX", "86", "8")
    async with database.reading() as unit:
        assert [await find_home_by_token(unit, ref) for ref in refs] == [B, A, A, None]
    assert [await parties.home_of_token(ref) for ref in refs] == [B, A, A, None]


async def test_parties_are_listed_in_pages_oldest_first(parties: PartiesService, clock: ManualClock) -> None:
    await parties.ensure_hub_party("MA5HUB000", "Interpile")
    await parties.ensure_hub_party("MA5HUB000", "Interpile")
    clock.advance(seconds=1)
    for number in range(4):
        clock.advance(milliseconds=number % 2)
        await parties.add_party(operator(f"MA5AAAAA{number}", "host"), "ann")
    found, after = [], None
    while True:
        page = await parties.list_parties(after=after, limit=2)
        found += [party.party_id for party in page.items]
        after = page.next_after
        if after is None:
            break
    assert found == ["MA5HUB000", "MA5AAAAA0", "MA5AAAAA1", "MA5AAAAA2", "MA5AAAAA3"]
    hub = await parties.party("MA5HUB000")
    assert (hub.roles, hub.protocol, hub.owed_fen) == (["hub"], "hub", None)
    assert await code_of(parties.party("MA5ZZZZZ9")) is Code.NOT_FOUND


async def test_a_key_is_live_when_a_second_person_approves_it(
    parties: PartiesService, database: Database
) -> None:
    await parties.add_party(operator(A, "host"), "ann")
    add = new_key()
    assert (await parties.add_key(A, add, "ann")).state == "proposed"
    assert await parties.live_key(A, "k1") is None
    assert await code_of(parties.approve_key(A, "k1", "ann")) is Code.SECOND_PERSON_NEEDED
    assert await parties.live_key(A, "k1") is None
    assert (await parties.approve_key(A, "k1", "bob")).state == "live"
    assert (await parties.approve_key(A, "k1", "ann")).state == "live"
    key = await parties.live_key(A, "k1")
    assert key is not None
    assert public_to_b64url(key) == add.public_key
    assert await audited(database) == [
        ("ann", "add_party", A),
        ("ann", "propose_key", f"{A}/k1"),
        ("bob", "approve_key", f"{A}/k1"),
    ]


async def test_the_command_line_acts_alone_and_is_logged(parties: PartiesService, database: Database) -> None:
    await parties.add_party(operator(A, "host"), "ann")
    proposed = new_key("k1")
    await parties.add_key(A, proposed, "ann")
    assert (await parties.add_key(A, proposed, "cli:ann", alone=True)).state == "live"
    assert (await parties.add_key(A, new_key("k2"), "cli:ann", alone=True)).state == "live"
    assert [key.key_id for key in (await parties.list_keys(A)).items] == ["k1", "k2"]
    assert ("cli:ann", "approve_key", f"{A}/k1") in await audited(database)
    assert ("cli:ann", "add_key", f"{A}/k2") in await audited(database)


@pytest.mark.parametrize(("proposer", "approver"), [("ann", "sock"), ("sock", "ann")])
async def test_a_login_that_one_of_the_two_made_is_no_second_person(
    parties: PartiesService, database: Database, clock: ManualClock, proposer: str, approver: str
) -> None:
    async with database.unit() as unit:
        for login, maker in (("ann", "root"), ("sock", "ann"), ("bob", "root")):
            unit.session.add(
                StaffRow(login=login, password_hash="-", roles="keys", created_by=maker, created_at=clock.now)
            )
    await parties.add_party(operator(A, "host"), "ann")
    await parties.add_key(A, new_key(), proposer)
    assert await code_of(parties.approve_key(A, "k1", approver)) is Code.SECOND_PERSON_NEEDED
    assert await parties.live_key(A, "k1") is None
    assert (await parties.approve_key(A, "k1", "bob")).state == "live"


async def test_a_revoked_key_is_dead_here_at_once_and_elsewhere_within_seconds(
    parties: PartiesService, database: Database, clock: ManualClock, ids: SeededIds
) -> None:
    elsewhere = PartiesService(database, clock, ids, audit=AuditLog(clock, ids))
    await parties.add_party(operator(A, "host"), "ann")
    add = new_key()
    await parties.add_key(A, add, "ann", alone=True)
    assert await parties.live_key(A, "k1") is not None
    assert await elsewhere.live_key(A, "k1") is not None
    assert (await parties.revoke_key(A, "k1", "bob")).state == "revoked"
    assert await parties.live_key(A, "k1") is None
    clock.advance(seconds=5)
    assert await elsewhere.live_key(A, "k1") is None
    assert await code_of(parties.approve_key(A, "k1", "bob")) is Code.STATE_CONFLICT
    assert await code_of(parties.add_key(A, add, "ann", alone=True)) is Code.ID_REUSED
    assert await code_of(parties.add_key(A, new_key(), "ann")) is Code.ID_REUSED


async def test_keys_are_one_partys_under_one_id(parties: PartiesService) -> None:
    for party_id in (A, B):
        await parties.add_party(operator(party_id, "host"), "ann")
    add = new_key()
    first = await parties.add_key(A, add, "ann")
    assert await parties.add_key(A, add, "bob") == first
    again = KeyAdd(key_id="k2", public_key=add.public_key)
    assert await code_of(parties.add_key(A, again, "ann")) is Code.RULE_VIOLATED
    assert await code_of(parties.add_key(B, add, "ann")) is Code.RULE_VIOLATED
    assert (
        await code_of(parties.add_key(A, KeyAdd(key_id="k3", public_key="1" * 43), "ann")) is Code.RULE_VIOLATED
    )
    assert await code_of(parties.add_key("MA5ZZZZZ9", new_key(), "ann")) is Code.NOT_FOUND
    assert await code_of(parties.list_keys("MA5ZZZZZ9")) is Code.NOT_FOUND
    assert await code_of(parties.approve_key(A, "k9", "bob")) is Code.NOT_FOUND
    assert await code_of(parties.revoke_key(B, "k1", "bob")) is Code.NOT_FOUND
    assert await parties.live_key(B, "k1") is None


async def test_an_agreement_needs_a_home_and_a_host(parties: PartiesService) -> None:
    await parties.add_party(operator(A, "host"), "ann")
    await parties.add_party(operator(B, "home"), "ann")
    add = AgreementAdd(home_party_id=B, host_party_id=A, commission_ppm=20_000)
    agreed = await parties.add_agreement(add, "ann")
    assert (agreed.home_party_id, agreed.host_party_id, agreed.commission_ppm) == (B, A, 20_000)
    assert await parties.add_agreement(add, "bob") == agreed
    other = AgreementAdd(home_party_id=B, host_party_id=A, commission_ppm=1)
    assert await code_of(parties.add_agreement(other, "ann")) is Code.ID_REUSED
    for home, host in ((A, B), (B, B), ("MA5ZZZZZ9", A), (B, "MA5ZZZZZ9")):
        wrong = AgreementAdd(home_party_id=home, host_party_id=host)
        assert await code_of(parties.add_agreement(wrong, "ann")) is Code.RULE_VIOLATED


async def test_the_audit_log_only_grows(parties: PartiesService, database: Database) -> None:
    await parties.add_party(operator(A, "host"), "ann")
    statements = ["UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log"]
    statements.append(
        "TRUNCATE audit_log"
        if database.dialect == "postgresql"
        else "INSERT OR REPLACE INTO audit_log SELECT * FROM audit_log"
    )
    for statement in statements:
        with pytest.raises(DBAPIError, match="audit_log only grows"):
            async with database.unit() as unit:
                await (await unit.session.connection()).execute(text(statement))
    assert await audited(database) == [("ann", "add_party", A)]


async def test_not_found_is_one_answer(parties: PartiesService) -> None:
    with pytest.raises(NotFoundError):
        await parties.party("MA5ZZZZZ9")
    assert await parties.roles_of("MA5ZZZZZ9") == frozenset()
