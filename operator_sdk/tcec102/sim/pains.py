"""The pains of the field, by name: what a simulated partner can be told to do wrong.

The numbers are those of the list of twenty in docs/recipes/speak-tcec102.md. Each acts on real bytes, in the
module that is named beside the group; everything that is not switched on follows the standard.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pain:
    """One thing that partners do: its number among the twenty, its name, and what happens."""

    number: int
    name: str
    what: str


PAINS: tuple[Pain, ...] = (
    # Spelling and form of the business JSON: `crooked_json`.
    Pain(1, "service_spelling", "writes Service... where the standard says Sevice..."),
    Pain(2, "lower_camel", "writes every field name in lowerCamel"),
    Pain(2, "spelling_drift", "QrCode, Sumperiod, ElectMoney, StarTime, SOC and other spellings"),
    Pain(3, "numbers_as_strings", "every number is a string"),
    Pain(3, "details_as_text", "ChargeDetails and PolicyInfos are JSON text"),
    Pain(3, "status_shapes", "StationStatusInfo and ConnectorStatusInfo, one object where a list belongs"),
    Pain(9, "soc_0_1", "Soc is 0 or 1"),
    Pain(9, "dc_in_phase_a", "DC values sit in phase A, B and C are sent as 0"),
    Pain(10, "foreign_operator_ids", "StationInfo names an OperatorID that is not the envelope's"),
    Pain(11, "odd_money", "money has 4 decimals, and totals are not the sum of the parts to the fen"),
    Pain(11, "lying_order", "an order's TotalMoney is twice what its parts say"),
    Pain(16, "wgs84", "coordinates are WGS-84, though the standard wants GCJ-02"),
    Pain(16, "area_name", "AreaCode is a name"),
    Pain(17, "policy_hhmm", "StartTime of a price is HH:mm"),
    Pain(20, "dirty_json", "trailing commas, and fields such as serialVersionUID"),
    # The envelope: `crooked_pen`.
    Pain(3, "ret_as_string", 'Ret is "0"'),
    Pain(4, "unsigned_errors", "answers with a Ret other than 0 have no Sig"),
    Pain(4, "unsigned_answers", "no answer has a Sig"),
    Pain(4, "foreign_answer_sig", "answers are signed over OperatorID, Data, TimeStamp and Seq"),
    Pain(4, "wrong_answer_sig", "every answer has a wrong Sig"),
    Pain(5, "data_null", "Data of an error is null"),
    Pain(5, "data_absent", "an error has no Data"),
    Pain(7, "lower_case_sig", "Sig is lower-case"),
    Pain(7, "mime_base64", "Data has line breaks every 76 characters"),
    Pain(8, "epoch_ms", "TimeStamp is milliseconds since 1970"),
    Pain(8, "constant_seq", "Seq is always 0001"),
    # Tokens, times and limits of the server: `served`.
    Pain(6, "token_kills_old", "a new token ends the old one at once"),
    Pain(6, "token_absolute_ms", "TokenAvailableTime is an instant in milliseconds"),
    Pain(6, "token_4002_once", "every token is answered with 4002 at its first call"),
    Pain(10, "seq_prefix_checked", "a StartChargeSeq must begin with the caller's OperatorID"),
    Pain(14, "fifty_ids", "more than 50 StationIDs are refused with 4004"),
    Pain(14, "incremental_unreliable", "LastQueryTime finds new stations only, never changed ones"),
    Pain(14, "stations_removed", "the first station vanishes, and nobody is told"),
    Pain(18, "slow", "every answer takes some seconds"),
    Pain(18, "silent", "calls are taken and never answered"),
    Pain(18, "refusing_busy", "every business call is answered with Ret -1"),
    # What is sent, and when: `life` and `calls`.
    Pain(12, "cross_midnight", "the check lists orders by their start, those over midnight too"),
    Pain(12, "order_before_stop", "the order comes before the stop result"),
    Pain(12, "order_twice", "the order comes twice in the same envelope"),
    Pain(12, "order_twice_new_envelope", "the order comes twice in two envelopes"),
    Pain(13, "start_never_reports", "no start result is sent; the charge runs"),
    Pain(13, "start_fails_4", "every start fails, told as 4"),
    Pain(13, "start_fails_5", "every start fails, told as 5"),
    Pain(13, "start_hangs", "every start is taken up and never becomes anything"),
    Pain(15, "flapping", "a change of status is told as 2, 4 and 0 before the true one"),
    Pain(19, "replayed", "every envelope is sent again, as it is, to another interface"),
)
NAMES = frozenset(pain.name for pain in PAINS)


class Pains:
    """Which are switched on now."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._on: set[str] = set()
        for name in names:
            self.switch(name, on=True)

    def __contains__(self, name: str) -> bool:
        assert name in NAMES, name
        return name in self._on

    def switch(self, name: str, *, on: bool) -> None:
        """Begin or end one.

        Raises:
            ValueError: there is none by that name.
        """
        if name not in NAMES:
            raise ValueError(f"there is no pain {name!r}")
        if on:
            self._on.add(name)
        else:
            self._on.discard(name)

    def names(self) -> list[str]:
        """Those that are on, in order."""
        return sorted(self._on)
