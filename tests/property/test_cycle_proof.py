"""The proof of a cycle: what is right is proven, and whatever is changed is refused and named."""

import hashlib
import io
import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operator_sdk.contract.cycle_proof import ProofProblem, check

pytestmark = pytest.mark.property

PARTIES = [f"MA5PARTY{letter}" for letter in "ABCDE"]
HEAD = {
    "proof": "interpile.cycle",
    "version": 1,
    "cycle_id": "cyc_019aa000-0000-7000-8000-000000000001",
    "currency": "CNY",
    "frequency": "daily",
    "opened_at": "2026-03-01T16:00:00Z",
    "cutoff_at": "2026-03-02T16:00:00Z",
}
PAIRS = st.tuples(st.sampled_from(PARTIES), st.sampled_from(PARTIES)).filter(lambda pair: pair[0] != pair[1])
DEBTS = st.lists(st.tuples(PAIRS, st.integers(1, 10**12)), min_size=1, max_size=12)
Rows = list[Any]


def obligations(debts: list[tuple[tuple[str, str], int]]) -> Rows:
    return [
        [f"obl_{n:036d}", "charge", debtor, creditor, fen, "CNY", "2026-03-02", f"rec_{n:036d}"]
        for n, ((debtor, creditor), fen) in enumerate(debts)
    ]


def proof(rows: Rows, **head: object) -> list[bytes]:
    """A proof written by a hand of its own, with plain JSON and sums in dictionaries."""
    pairs: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in rows:
        pairs[row[2], row[3]].append(row[4])
    parties = sorted({*PARTIES, *(party for pair in pairs for party in pair)})
    owes = {party: sum(sum(v) for (d, _), v in pairs.items() if d == party) for party in parties}
    owed = {party: sum(sum(v) for (_, c), v in pairs.items() if c == party) for party in parties}
    body = [
        text(HEAD | {"obligations": len(rows)} | head),
        *(text(row) for row in rows),
        *(text({"pair": [*pair, sum(fen), len(fen)]}) for pair, fen in sorted(pairs.items())),
        *(text({"party": [one, owes[one], owed[one], owed[one] - owes[one]]}) for one in parties),
    ]
    return sealed(body, rows)


def sealed(body: list[bytes], rows: Rows) -> list[bytes]:
    foot = {
        "digest": hashlib.sha256(b"".join(text(row) for row in rows)).hexdigest(),
        "total_fen": sum(row[4] for row in rows),
        "seal": hashlib.sha256(b"".join(body)).hexdigest(),
    }
    return [*body, text(foot)]


def text(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


@given(DEBTS)
def test_a_right_proof_is_proven_and_says_the_nets(debts: list[Any]) -> None:
    rows = obligations(debts)
    written = proof(rows)
    proven = check(written)
    assert proven.head.obligations == len(rows)
    assert proven.total_fen == sum(row[4] for row in rows)
    assert sum(proven.net_fen.values()) == 0
    for party, net in proven.net_fen.items():
        assert net == sum(r[4] for r in rows if r[3] == party) - sum(r[4] for r in rows if r[2] == party)
    assert check(written, digest=proven.digest) == proven
    with pytest.raises(ProofProblem, match="statement"):
        check(written, digest="0" * 64)


def test_an_empty_cycle_is_proven_too() -> None:
    assert check(proof([])).net_fen == dict.fromkeys(PARTIES, 0)


def tampered(value: object) -> list[object]:
    """Other values of the same field: of the same type, and of another."""
    match value:
        case int():
            return [value + 1, value - 1, -value, f"{value}", None]
        case str():
            return [f"{value}x", value[:-1], value[::-1] if value[::-1] != value else "", None, 7]
        case _:
            return ["x", 0]


def every_change(line: bytes) -> list[bytes]:
    """The line with each of its fields altered, left out, and doubled."""
    parts = json.loads(line)
    changed: list[object] = []
    if isinstance(parts, list):
        for at, field in enumerate(parts):
            changed += [[*parts[:at], other, *parts[at + 1 :]] for other in tampered(field)]
            changed += [[*parts[:at], *parts[at + 1 :]], [*parts[: at + 1], *parts[at:]]]
    else:
        for name, field in parts.items():
            if isinstance(field, list):
                changed += [parts | {name: json.loads(other)} for other in every_change(text(field))]
            else:
                changed += [parts | {name: other} for other in tampered(field)]
            changed += [{other: parts[other] for other in parts if other != name}, parts | {"more": 1}]
    return [other for one in changed if (other := text(one)) != line]


SMALL = obligations(
    [((PARTIES[0], PARTIES[1]), 100), ((PARTIES[1], PARTIES[0]), 30), ((PARTIES[2], PARTIES[0]), 5)]
)


def test_every_field_of_every_line_is_held() -> None:
    written = proof(SMALL)
    tried = 0
    for at, line in enumerate(written):
        for other in every_change(line):
            tried += 1
            with pytest.raises(ProofProblem) as refused:
                check([*written[:at], other, *written[at + 1 :]])
            assert refused.value.line > at or at == 0, "nothing before the change is blamed"
    assert tried > 300


@pytest.mark.parametrize("at", range(len(proof(SMALL))))
def test_no_line_can_be_left_out_doubled_or_cut_short(at: int) -> None:
    written = proof(SMALL)
    for others in (
        [*written[:at], *written[at + 1 :]],
        [*written[: at + 1], *written[at:]],
        [*written[:at], written[at][:-1], *written[at + 1 :]],
        [*written[:at], b" " + written[at], *written[at + 1 :]],
        [*written[:at], b"\xff" + written[at], *written[at + 1 :]],
        [*written[:at], b"\n", *written[at:]],
        written[:at],
    ):
        with pytest.raises(ProofProblem):
            check(others)


def test_neighbours_cannot_change_places() -> None:
    written = proof(SMALL)
    for at in range(len(written) - 1):
        with pytest.raises(ProofProblem):
            check([*written[:at], written[at + 1], written[at], *written[at + 2 :]])


def _row(at: int, field: int, value: object) -> Callable[[], list[bytes]]:
    rows = [list(row) for row in SMALL]
    rows[at][field] = value
    return lambda: proof(rows)


RESEALED: dict[str, tuple[Callable[[], list[bytes]], str]] = {
    "an amount of nothing": (_row(1, 4, 0), "line 3: the amount is not positive"),
    "a debt to oneself": (_row(1, 2, PARTIES[0]), "line 3: nobody owes himself"),
    "an id twice": (_row(1, 0, SMALL[0][0]), "line 3: the obligations are not in order"),
    "another currency": (_row(2, 5, "HKD"), "line 4: the currency"),
    "a day after the cut-off": (_row(2, 6, "2026-03-04"), "line 4: booked after"),
    "a charge of no record": (_row(0, 7, None), "line 2: a charge or a credit has a record"),
    "a claim of a record": (_row(0, 1, "claim"), "line 2: a charge or a credit has a record"),
    "a cut-off before the opening": (
        lambda: proof(SMALL, cutoff_at=HEAD["opened_at"]),
        "line 1: the cut-off does not follow",
    ),
    "another version": (lambda: proof(SMALL, version=2), "line 1: not a proof of this version"),
    "another kind of file": (lambda: proof(SMALL, proof="x"), "line 1: not a proof"),
    "more obligations than there are": (
        lambda: proof(SMALL, obligations=4),
        "line 5: not an obligation",
    ),
    "fewer obligations than there are": (lambda: proof(SMALL, obligations=2), "line 4: not a pair"),
}


@pytest.mark.parametrize("what", RESEALED)
def test_what_cannot_be_is_refused_however_well_it_is_sealed(what: str) -> None:
    made, words = RESEALED[what]
    with pytest.raises(ProofProblem) as refused:
        check(made())
    assert str(refused.value).startswith(words)


@pytest.mark.parametrize(
    ("part", "other", "words"),
    [
        ("pair", lambda pair: [pair[0], pair[1], pair[2] + 1, pair[3]], "not what MA5PARTYA owes MA5PARTYB"),
        ("pair", lambda pair: [pair[0], pair[1], pair[2], pair[3] + 1], "not what MA5PARTYA owes MA5PARTYB"),
        ("party", lambda party: [party[0], party[1] + 1, party[2], party[3]], "not what MA5PARTYA owes and"),
        ("party", lambda party: [party[0], party[1], party[2], party[3] + 1], "not the net of MA5PARTYA"),
    ],
)
def test_sums_that_are_not_those_of_the_obligations_are_named(part: str, other: Any, words: str) -> None:
    body = proof(SMALL)[:-1]
    at = next(at for at, line in enumerate(body) if line.startswith(f'{{"{part}"'.encode()))
    body[at] = text({part: other(json.loads(body[at])[part])})
    with pytest.raises(ProofProblem, match=words):
        check(sealed(body, SMALL))


def test_who_owes_cannot_be_left_out_of_the_parties() -> None:
    body = [line for line in proof(SMALL)[:-1] if not line.startswith(b'{"party":["MA5PARTYC"')]
    with pytest.raises(ProofProblem, match="MA5PARTYC is left out"):
        check(sealed(body, SMALL))


@settings(max_examples=200)
@given(DEBTS, st.data())
def test_no_byte_can_be_changed(debts: list[Any], data: st.DataObject) -> None:
    whole = b"".join(proof(obligations(debts)))
    at = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]))
    spoilt = whole[:at] + bytes([other]) + whole[at + 1 :]
    with pytest.raises(ProofProblem):
        check(io.BytesIO(spoilt))
