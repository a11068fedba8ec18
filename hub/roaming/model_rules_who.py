"""Rules of who: whose record it is, whether it came before, which session and which permission it belongs to.

Each takes a record and the facts around it and answers with a verdict and, where it objects, the reason.
"""

from hub.roaming.model_facts import AnyRecord, Facts
from operator_sdk.contract.codes import Verdict
from operator_sdk.contract.messages.records import Bill

Answer = tuple[Verdict, str]
PASS: Answer = (Verdict.PASS, "")
NOT_APPLICABLE: Answer = (Verdict.NOT_APPLICABLE, "")


def party(record: AnyRecord, facts: Facts) -> Answer:
    """1: the bill, and what it refers to, are the sender's own."""
    named = record.host_party_id if isinstance(record, Bill) else None
    behind = facts.session.host_party_id if facts.session else None
    original = facts.original.host_party_id if facts.original else None
    if any(one not in {None, facts.sender} for one in (named, behind, original)):
        return Verdict.REJECT, "another party's, not the sender's"
    return PASS


def said_before(_: AnyRecord, facts: Facts) -> Answer:
    """2: an id says one thing, whenever it is said."""
    if facts.said_before is False:
        return Verdict.REJECT, "this id came with another body before"
    return PASS


def second_record(_: AnyRecord, facts: Facts) -> Answer:
    """3: a session has one bill, unless the one before was rejected or credited."""
    if facts.session is None:
        return NOT_APPLICABLE
    return (Verdict.SUSPEND, "the session has a record already") if facts.stands else PASS


def session(record: AnyRecord, facts: Facts) -> Answer:
    """4: the hub opened the session, for a token of the home that is billed."""
    if not isinstance(record, Bill):
        return NOT_APPLICABLE
    if facts.session is None:
        return Verdict.SUSPEND, "no session of the hub's"
    if facts.session.token_party_id != facts.session.home_party_id:
        return Verdict.SUSPEND, "the token was another party's at the start"
    return PASS


def authorization(record: AnyRecord, facts: Facts) -> Answer:
    """5: the home had allowed it before it began, and had not taken that back."""
    known = facts.session
    if known is None or not isinstance(record, Bill):
        return NOT_APPLICABLE
    if known.authorized_at is None:
        return Verdict.SUSPEND, "no authorization was granted"
    slack, began = facts.limits.clock_slack, record.started_at
    if began < known.authorized_at - slack:
        return Verdict.SUSPEND, "the charge began before it was authorized"
    if known.released_at is not None and began > known.released_at + slack:
        return Verdict.SUSPEND, "the charge began after its authorization was released"
    if known.blocked_at is not None and began > known.blocked_at:
        return Verdict.SUSPEND, "the charge began after its token was blocked"
    return PASS


def disputes(record: AnyRecord, facts: Facts) -> Answer:
    """25: a host whose records are disputed too often is not taken at its word; its credits are."""
    if not isinstance(record, Bill):
        return NOT_APPLICABLE
    if facts.auto_accept:
        return PASS
    return Verdict.SUSPEND, "too many of this host's records were disputed"
