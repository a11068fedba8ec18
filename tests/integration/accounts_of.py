"""Hosted accounts to test with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from hub.accounts.model import Digests
from hub.accounts.service import Accounts
from hub.accounts.service_charging import HostedCharging
from hub.accounts.service_signin import FileCodeSender, SignIn
from hub.auditor.verify import audit
from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.ids import SeededIds
from hub.ledger.service import Ledger
from hub.parties.tables import PartyRow
from operator_sdk.contract.messages.admin import Customer, CustomerAdd, TopUp

HOME, OTHER, HOST, NATIVE = "MA5CCCCC3", "MA5DDDDD4", "MA5AAAAA1", "MA5BBBBB2"
PHONE = "13800000001"


class Hosted:
    """Two hosted homes, one native one, and one customer with 50.00 yuan."""

    def __init__(self, database: Database, clock: ManualClock, codes: Path) -> None:
        self.database, self.clock, self.codes = database, clock, codes
        ids, digests = SeededIds(clock), Digests(b"k" * 32)
        self.ledger = Ledger(clock, ids)
        self.accounts = Accounts(database, clock, ids, ledger=self.ledger, digests=digests)
        self.charging = HostedCharging(
            database, clock, accounts=self.accounts, ledger=self.ledger, digests=digests
        )
        self.signin = SignIn(
            database,
            clock,
            ids,
            accounts=self.accounts,
            digests=digests,
            sender=FileCodeSender(codes, env="test"),
        )

    async def add_parties(self) -> None:
        async with self.database.unit() as unit:
            for party_id in (HOME, OTHER, HOST, NATIVE):
                protocol = "hosted" if party_id in {HOME, OTHER} else "native"
                unit.session.add(
                    PartyRow(
                        party_id=party_id,
                        name=party_id,
                        roles="home",
                        protocol=protocol,
                        created_at=self.clock.now,
                    )
                )

    async def add(self, ref: str = "c1", phone: str = PHONE, home: str = HOME) -> Customer:
        return await self.accounts.add_customer(
            CustomerAdd(home_party_id=home, customer_ref=ref, phone=phone, name="张三")
        )

    async def top_up(self, customer: Customer, ref: str, amount_fen: int) -> Customer:
        return await self.accounts.top_up(customer.customer_id, TopUp(top_up_ref=ref, amount_fen=amount_fen))


@asynccontextmanager
async def hosted_on(database: Database, clock: ManualClock, codes: Path) -> AsyncIterator[Hosted]:
    """Ends in an audit of the books."""
    hosted = Hosted(database, clock, codes)
    await hosted.add_parties()
    yield hosted
    await hosted.signin.close()
    report = await audit(database.url)
    assert report.verified, report.problems
