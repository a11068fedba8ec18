"""The daily check: one side's list of a day's charge records, and where the other side's says otherwise.

Either side may ask the other: an operator sends its list to the hub, and after midnight the hub sends its own
to every operator that answers. The one who is asked compares, and answers with the differences.

**Which records.** As `host`: every charge record and credit that the host sent, but for rejected ones. As
`home`: every one that the hub has told the home of, so none that was suspended or rejected.

**Which day.** The local day (Asia/Shanghai) of the record's `ended_at`; a credit's is that of the charge it
undoes. A day is checked when it is over.

**What is compared.** As host the record's `amount_fen`, as home its `owed_fen`; and `energy_wh`. A credit
counts below zero. There is no tolerance: both sides keep the very record.

**Names.** The host's `record_ref`, for a home the hub's `record_id`. A credit that the hub booked after a
dispute is named by the dispute's id.

**Ties.** Records are told apart by name alone, and all lines of one name count together: whoever lists a
record twice has listed twice its money. No record has more than one difference: `double` before `amount` before
`energy`.
"""

from typing import Annotated

from msgspec import Meta

from operator_sdk.contract.messages.common import (
    Fen,
    ForeignId,
    HubId,
    Instant,
    Message,
    Page,
    PartyId,
    Text,
    Wh,
    Word,
)

LINES_MOST, PARTS_MOST, SHOWN_MOST = 5_000, 200, 1_000
"""Lines of a part, parts of a list, and differences that are in an answer itself."""

Day = Annotated[
    str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", description="local day (Asia/Shanghai), YYYY-MM-DD")
]
CheckRole = Annotated[str, Meta(pattern=r"^(home|host)$")]
PartNumber = Annotated[int, Meta(ge=1, le=PARTS_MOST)]


class ListedRecord(Message, frozen=True, kw_only=True):
    """One line. `record` is the host's `record_ref` in a host's list, the hub's `record_id` in a home's."""

    record: ForeignId
    amount_fen: Fen
    energy_wh: Wh
    credit: bool = False


class RecordListPart(Message, frozen=True, kw_only=True):
    """A part of the asking side's list of a day. `role` is the operator's, whichever side asks.

    All parts of one `check_ref` say the same `role`, `day` and `parts`; they may come in any order, and each as
    often as its answer was lost. A day without records is one part without lines.
    """

    check_ref: ForeignId
    role: CheckRole
    day: Day
    part: PartNumber
    parts: PartNumber
    lines: Annotated[list[ListedRecord], Meta(max_length=LINES_MOST)]


class CheckTotals(Message, frozen=True, kw_only=True):
    """What a list comes to: lines, fen and Wh; credits count below zero."""

    records: int
    amount_fen: int
    energy_wh: int


class RecordDifference(Message, frozen=True, kw_only=True):
    """One record about which the two lists differ. `here` is the side that answers, `there` the one that asked.

    `missing_here`: only they list it. `missing_there`: only we do. `amount`, `energy`: both do, otherwise.
    `double`: a list names it more than once, or somebody is charged by two records of one session; this is the
    second. `rejected_here`, `suspended_here`: they list what is not owed here; no money is missing.

    Values are the sums over all lines of this name, null where there is none. `at_risk_fen` is how much money
    the two sides disagree about; 0 where it is energy alone. `record_id` is the hub's, where it knows the
    record.
    """

    record: ForeignId
    kind: Word
    here_fen: int | None
    there_fen: int | None
    here_wh: int | None
    there_wh: int | None
    at_risk_fen: Annotated[int, Meta(ge=0)] = 0
    record_id: HubId | None = None
    reason: Text | None = None


class RecordListReply(Message, frozen=True, kw_only=True):
    """Operator to hub: `collecting` until all parts are there, then `compared` with the differences.

    Of more than 2,000 differences the first in order of `record` are enough; `differences_count` says how many
    there are.
    """

    state: Annotated[str, Meta(pattern=r"^(collecting|compared)$")]
    here: CheckTotals | None = None
    there: CheckTotals | None = None
    differences: Annotated[list[RecordDifference], Meta(max_length=LINES_MOST)] = []
    differences_count: int = 0


class RecordCheck(Message, frozen=True, kw_only=True):
    """A check, as it stands; `check_id` is its serial number.

    `source`: `partner` sent its list, the `hub` sent its own, or `staff` entered what a partner had mailed.
    `state`: `collecting` parts, `sending` them, `compared`, or `declined` by an operator that offers no checks.
    `here` is the hub's side and `there` the operator's, whoever asked. The first 1,000 differences are listed;
    all of them are `list_record_differences`.
    """

    check_id: HubId
    party_id: PartyId
    role: str
    day: str
    source: str
    check_ref: ForeignId
    state: str
    parts: int
    parts_done: int
    created_at: Instant
    updated_at: Instant
    here: CheckTotals | None = None
    there: CheckTotals | None = None
    differences_count: int = 0
    at_risk_fen: int = 0
    differences: list[RecordDifference] = []
    compared_at: Instant | None = None
    reason: str | None = None


class RecordCheckQuery(Message, frozen=True, kw_only=True):
    """Which checks: of one day, or all."""

    day: Day | None = None


class RecordCheckPage(Page, frozen=True, kw_only=True):
    """A page of checks, without their differences."""

    items: list[RecordCheck]


class RecordDifferencePage(Page, frozen=True, kw_only=True):
    """A page of a check's differences, in order of `record`."""

    items: list[RecordDifference]
