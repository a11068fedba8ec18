"""The 25 rules that every record is held against: one table, from which everything else is read.

A rule answers pass, warn, suspend, reject or not_applicable, whatever the record says: none of them raises. The
worst answer decides the record's state. Numbers and codes are stable: they are stored, and told to partners.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hub.roaming import model_rules_charge as charge
from hub.roaming import model_rules_money as money
from hub.roaming import model_rules_who as who
from hub.roaming.model_facts import AnyRecord, Facts
from hub.roaming.model_rules_who import Answer
from operator_sdk.contract.codes import RecordState, Verdict
from operator_sdk.contract.messages.records import Finding

_WARN, _SUSPEND, _REJECT = Verdict.WARN, Verdict.SUSPEND, Verdict.REJECT


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its number and code, what it needs to know, and how it may object."""

    number: int
    code: str
    needs: str
    verdicts: tuple[Verdict, ...]
    judge: Callable[[AnyRecord, Facts], Answer]


RULES: tuple[Rule, ...] = (
    Rule(1, "party", "sender, session, original", (_REJECT,), who.party),
    Rule(2, "said_before", "messages of the sender", (_REJECT,), who.said_before),
    Rule(3, "second_record", "records of the session", (_SUSPEND,), who.second_record),
    Rule(4, "session", "session, authorization", (_SUSPEND,), who.session),
    Rule(5, "authorization", "authorization, later refusals of the token", (_SUSPEND,), who.authorization),
    Rule(6, "time_order", "business time", (_REJECT,), charge.time_order),
    Rule(7, "connector", "session, connector", (_SUSPEND, _REJECT), charge.connector),
    Rule(8, "meter", "the host's protocol", (_SUSPEND,), charge.meter),
    Rule(9, "meter_back", "records of the connector", (_SUSPEND,), charge.meter_back),
    Rule(10, "periods", "", (_SUSPEND, _REJECT), money.periods),
    Rule(11, "price", "tariff version, tolerance agreed", (_WARN, _SUSPEND), money.price),
    Rule(12, "tariff", "tariff version", (_SUSPEND,), money.tariff),
    Rule(13, "sums", "", (_REJECT,), money.sums),
    Rule(14, "power", "connector's rating", (_SUSPEND,), charge.power),
    Rule(15, "size", "connector's kind and rating", (_SUSPEND, _REJECT), charge.size),
    Rule(16, "no_energy", "", (_WARN,), money.no_energy),
    Rule(17, "blink", "", (_SUSPEND,), charge.blink),
    Rule(18, "connector_overlap", "records of the connector", (_SUSPEND,), charge.connector_overlap),
    Rule(19, "driver_twice", "records of the driver, places", (_WARN,), charge.driver_twice),
    Rule(20, "late", "business time, days agreed", (_WARN, _SUSPEND, _REJECT), money.late),
    Rule(21, "credit", "original", (_REJECT,), money.credit),
    Rule(22, "credit_settled", "original", (_WARN,), money.credit_settled),
    Rule(23, "currency", "currency agreed", (_SUSPEND,), money.currency),
    Rule(24, "live_energy", "last live update, connector's rating", (_SUSPEND,), charge.live_energy),
    Rule(25, "disputes", "disputes of the host", (_SUSPEND,), who.disputes),
)

LETTERS: dict[str, Verdict] = {
    "p": Verdict.PASS,
    "w": Verdict.WARN,
    "s": Verdict.SUSPEND,
    "r": Verdict.REJECT,
    "n": Verdict.NOT_APPLICABLE,
}
"""How an outcome is stored: one letter for each rule, in their order."""

QUIET = frozenset({Verdict.PASS, Verdict.NOT_APPLICABLE})


def judge(record: AnyRecord, facts: Facts) -> list[Finding]:
    """What every rule says, in order of number."""
    outcomes = []
    for rule in RULES:
        verdict, detail = rule.judge(record, facts)
        outcomes.append(Finding(rule=rule.code, verdict=verdict, detail=detail[:200]))
    return outcomes


def objections(outcomes: Sequence[Finding]) -> list[Finding]:
    """Those that are not content."""
    return [one for one in outcomes if one.verdict not in QUIET]


def state_of(outcomes: Sequence[Finding]) -> RecordState:
    """The record's state that the worst outcome makes."""
    verdicts = {one.verdict for one in outcomes}
    if Verdict.REJECT in verdicts:
        return RecordState.REJECTED
    if Verdict.SUSPEND in verdicts:
        return RecordState.SUSPENDED
    return RecordState.ACCEPTED


def letters_of(outcomes: Sequence[Finding]) -> str:
    """All outcomes, one letter each."""
    letter = {verdict.value: sign for sign, verdict in LETTERS.items()}
    return "".join(letter[one.verdict] for one in outcomes)


def outcomes_of(letters: str, objected: Sequence[Finding]) -> list[Finding]:
    """All outcomes again, from their letters and what was objected; empty for a record older than the rules."""
    details = {one.rule: one.detail for one in objected}
    return [
        Finding(rule=rule.code, verdict=LETTERS[letter], detail=details.get(rule.code, ""))
        for rule, letter in zip(RULES, letters, strict=False)
    ]
