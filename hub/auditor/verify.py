"""One audit: every check in its order, over one snapshot."""

import asyncio

from hub.auditor.accounts import check_accounts
from hub.auditor.clearing import check_clearing
from hub.auditor.findings import Findings, Progress, silent
from hub.auditor.holds import check_holds
from hub.auditor.parties import check_parties
from hub.auditor.postings import check_postings
from hub.auditor.seals import check_days, check_seals, check_witness
from hub.auditor.source import Source, opened
from operator_sdk.contract.messages.admin import LedgerReport

_COUNTS = """
SELECT (SELECT count(*) FROM ledger_posting), (SELECT count(*) FROM ledger_entry),
  (SELECT count(*) FROM ledger_account), (SELECT count(*) FROM ledger_hold), (SELECT count(*) FROM ledger_seal)
"""


Witness = tuple[int, str]
"""The number and the chain digest of a seal, as the log of the hub or a closed day on paper has them."""


def verify(url: str, progress: Progress = silent, *, witness: Witness | None = None) -> LedgerReport:
    """Recompute the books in a database from raw rows; blocks until it is done.

    Raises:
        Unreadable: no database of ours answers at the URL.
    """
    with opened(url) as source:
        return verify_source(source, progress, witness=witness)


async def audit(url: str) -> LedgerReport:
    """The same in a thread of its own, for those who have others to serve meanwhile."""
    return await asyncio.to_thread(verify, url)


def verify_source(
    source: Source, progress: Progress = silent, *, witness: Witness | None = None
) -> LedgerReport:
    """The same over a snapshot that is open already."""
    findings = Findings(progress)
    ((postings, entries, accounts, holds, seals),) = source.few(_COUNTS)
    check_postings(source, findings, postings)
    check_accounts(source, findings, entries)
    check_holds(source, findings, holds)
    check_seals(source, findings, seals)
    if witness is not None:
        check_witness(source, findings, *witness)
    days = check_days(source, findings)
    check_clearing(source, findings)
    check_parties(source, findings)
    problems = findings.listed()
    return LedgerReport(
        verified=not problems,
        postings=postings,
        entries=entries,
        accounts=accounts,
        sealed=seals,
        holds=holds,
        days=days,
        problems=problems,
    )
