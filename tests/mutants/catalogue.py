"""Every mutant: the promise it breaks, the function it stands in for, and the proof that must see it.

A proof is the id of a test, as narrow as it can be, or seeds of the simulator, of which one must end with a
problem that says `sees`.
"""

from dataclasses import dataclass

BUGS = "tests.mutants"
PROMISES = {
    1: "every posting sums to zero",
    2: "no acknowledged posting is lost",
    3: "no request has two effects",
    4: "a known id with other content is refused",
    5: "an answer that refuses leaves the books as they were",
    6: "a hold ends once, is captured at most whole, and stays refused once refused",
    7: "holds and debits never exceed what there is",
    8: "no money is given back while energy may flow",
    9: "each obligation is in exactly one cycle",
    10: "nets sum to zero, in few payments, whatever the order; a default is shared",
    11: "a fixed cycle is not computed again, and a day is closed once",
    12: "money is booked as gone at most once",
    13: "suspense is the sum of its open items",
    14: "splits and roundings lose no fen",
    15: "the tariff version at the start prices the whole charge",
    16: "each rule fires on its fault, and only then",
    17: "every difference between two lists is found, and what is said twice is owed once",
    20: "no room, no database and wrong clocks leave nothing half done",
}
"""What is promised about money, with the numbers that mutants give it; each has one at least."""


@dataclass(frozen=True, slots=True)
class Seeds:
    """Some seeds of the simulator, tried in turn until one of them shows the bug."""

    first: int
    most: int
    sees: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """One bug. `bug` is `module:function`, as `target` is."""

    promise: int
    bug: str
    target: str
    proof: str | Seeds

    @property
    def name(self) -> str:
        """The bug in words."""
        return self.bug.partition(":")[2]


_LEDGER, _CLEARING = f"{BUGS}.bugs_ledger", f"{BUGS}.bugs_clearing"
_RECORDS, _SIMULATION = f"{BUGS}.bugs_records", f"{BUGS}.bugs_simulation"


def _in(file: str, test: str) -> str:
    return f"tests/{file}.py::{test}"


_POSTINGS, _HOLDS = "integration/test_ledger_postings", "integration/test_ledger_holds"
_THREADS, _RACES = "integration/test_ledger_threads", "integration/test_clearing_races"
_CYCLES, _PAYMENTS = "integration/test_clearing_cycles", "integration/test_payments"
_MONEY, _PRICING, _RULES = "property/test_money", "property/test_pricing", "property/test_record_rules"

_TABLE = (
    Mutant(
        1,
        f"{_LEDGER}:sums_are_not_checked",
        "hub.ledger.model:check_posting",
        _in(_POSTINGS, "test_what_is_not_a_posting_is_a_mistake_of_the_caller"),
    ),
    Mutant(
        1,
        f"{_LEDGER}:the_database_does_not_weigh_postings",
        "hub.migrations.metadata:triggers",
        _in("integration/test_ledger_triggers", "test_a_posting_that_does_not_balance_is_refused[sqlite]"),
    ),
    Mutant(
        2,
        f"{_LEDGER}:commits_wait_for_nothing",
        "hub.core.database:Database.__init__",
        _in(
            "faults/test_money_postgresql_killed", "test_what_was_acknowledged_is_booked_once_whenever_it_dies"
        ),
    ),
    Mutant(
        3,
        f"{_LEDGER}:a_posting_said_again_is_booked_again",
        "hub.ledger.service:Ledger.post",
        _in(_POSTINGS, "test_the_same_posting_twice_is_booked_once[sqlite]"),
    ),
    Mutant(
        3,
        f"{_LEDGER}:messages_are_forgotten",
        "hub.core.tables:claim_message",
        _in(
            "integration/test_roaming_messages",
            "test_every_message_said_again_has_the_same_answer_and_one_effect[sqlite]",
        ),
    ),
    Mutant(
        4,
        f"{_LEDGER}:any_content_is_the_same",
        "hub.ledger.model:same_content",
        _in(_POSTINGS, "test_the_same_reference_with_other_entries_is_refused_and_changes_nothing"),
    ),
    Mutant(
        4,
        f"{_LEDGER}:other_words_under_a_known_id_pass",
        "hub.core.tables:claim_message",
        _in(
            "integration/test_records",
            "test_the_same_number_with_another_body_is_refused_and_changes_nothing[sqlite]",
        ),
    ),
    Mutant(
        5,
        f"{_LEDGER}:a_refusal_commits",
        "hub.core.database:Database._transaction",
        _in(_PAYMENTS, "test_nobody_is_paid_out_before_everybody_has_paid_in[sqlite]"),
    ),
    Mutant(
        6,
        f"{_LEDGER}:more_than_the_hold_is_captured",
        "hub.ledger.service:_check_capture",
        _in(_HOLDS, "test_more_than_the_hold_cannot_be_captured[sqlite]"),
    ),
    Mutant(
        6,
        f"{_LEDGER}:a_refused_hold_revives",
        "hub.ledger.service:Ledger.make_hold",
        _in(_HOLDS, "test_a_refused_hold_stays_refused_when_money_comes[sqlite]"),
    ),
    Mutant(
        6,
        f"{_LEDGER}:an_end_does_not_ask_whether_it_is_the_first",
        "hub.ledger.tables_hot_postgresql:Postgresql.end_hold",
        _in(_HOLDS, "test_capture_void_and_expiry_racing_end_a_hold_exactly_once[postgresql]"),
    ),
    Mutant(
        6,
        f"{_LEDGER}:holds_expire_a_minute_early",
        "hub.ledger.tables_moves:due_holds",
        _in(_HOLDS, "test_holds_expire_when_their_time_has_come_and_not_before[sqlite]"),
    ),
    Mutant(
        7,
        f"{_LEDGER}:holds_are_not_counted",
        "hub.ledger.model:Balance.available_fen",
        _in(_HOLDS, "test_racing_holds_never_hold_more_than_there_is[sqlite]"),
    ),
    Mutant(
        7,
        f"{_LEDGER}:accounts_are_read_and_not_locked",
        "hub.ledger.tables_hot_postgresql:Postgresql.lock",
        _in(_THREADS, "test_one_hold_more_than_there_is_money_for_is_refused[postgresql]"),
    ),
    Mutant(
        7,
        f"{_LEDGER}:accounts_are_locked_as_they_come",
        "hub.ledger.tables_moves:lock_accounts",
        _in(_POSTINGS, "test_postings_that_cross_do_not_lock_each_other_out[postgresql]"),
    ),
    Mutant(
        8,
        f"{_RECORDS}:silence_is_a_failed_start",
        "hub.roaming.charges:Charges._note_start",
        _in(
            "integration/test_roaming_outages",
            "test_an_unanswered_start_is_unknown_and_holds_until_the_stop_is_confirmed[sqlite-lost]",
        ),
    ),
    Mutant(
        9,
        f"{_CLEARING}:late_ones_stay",
        "hub.clearing.tables_cycles:move_late",
        _in(_CYCLES, "test_the_booked_day_decides_and_the_membership_is_frozen[sqlite]"),
    ),
    Mutant(
        9,
        f"{_CLEARING}:who_enters_holds_nothing",
        "hub.clearing.tables_cycles:enter_open_cycle",
        _in(
            "integration/test_clearing_membership",
            "test_a_cycle_is_not_frozen_before_who_has_entered_it_has_come_to_an_end",
        ),
    ),
    Mutant(
        10,
        f"{_CLEARING}:peers_pay_as_they_come",
        "hub.clearing.model:peer_transfers",
        _in("property/test_netting", "test_peer_transfers_are_within_two_of_the_fewest_possible"),
    ),
    Mutant(
        10,
        f"{_CLEARING}:a_fen_is_forgotten_on_both_sides",
        "hub.clearing.tables_cycles:gross_by_party",
        _in(
            "integration/test_clearing_netting",
            "test_a_cycle_comes_to_what_its_obligations_come_to[sqlite-1]",
        ),
    ),
    Mutant(
        10,
        f"{_CLEARING}:the_newest_lines_come_first",
        "hub.clearing.tables_cycles:stream_lines",
        _in("integration/test_clearing_netting", "test_a_proof_is_of_the_digest_on_the_statements[sqlite]"),
    ),
    Mutant(
        11,
        f"{_CLEARING}:nobody_looks_for_the_same_cut_off",
        "hub.clearing.tables_cycles:cycle_cut_at",
        _in(_CYCLES, "test_the_same_cut_off_again_gives_the_same_result_and_posts_nothing[sqlite]"),
    ),
    Mutant(
        11,
        f"{_CLEARING}:a_cycle_is_read_and_not_locked",
        "hub.clearing.tables_cycles:lock_cycle_alone",
        _in(_RACES, "test_five_close_at_once_and_there_is_one_result[postgresql]"),
    ),
    Mutant(
        11,
        f"{_CLEARING}:the_database_lets_fixed_cycles_change",
        "hub.migrations.metadata:triggers",
        _in(_CYCLES, "test_the_database_refuses_to_change_what_is_fixed[sqlite]"),
    ),
    Mutant(
        12,
        f"{_CLEARING}:the_bank_s_number_is_not_remembered",
        "hub.clearing.payments:Payments._claim",
        _in(_PAYMENTS, "test_the_banks_number_counts_once_and_with_one_content[sqlite]"),
    ),
    Mutant(
        12,
        f"{_CLEARING}:who_is_owed_need_not_wait",
        "hub.clearing.payments:Payments._check",
        _in(_PAYMENTS, "test_nobody_is_paid_out_before_everybody_has_paid_in[sqlite]"),
    ),
    Mutant(
        13,
        f"{_CLEARING}:a_closed_item_stays_in_the_books",
        "hub.clearing.suspense:Suspense._post",
        _in("integration/test_suspense", "test_an_item_stands_in_the_books_until_it_is_closed_once[sqlite]"),
    ),
    Mutant(
        14,
        f"{_RECORDS}:shares_are_rounded_down",
        "operator_sdk.contract.money:largest_remainder",
        _in(_MONEY, "test_shares_sum_to_the_whole_and_each_is_within_a_fen"),
    ),
    Mutant(
        14,
        f"{_RECORDS}:halves_go_to_the_even_neighbour",
        "operator_sdk.contract.money:round_half_up",
        _in(_MONEY, "test_an_exact_half_is_rounded_up_whatever_its_neighbours_are"),
    ),
    Mutant(
        14,
        f"{_RECORDS}:money_is_a_float",
        "operator_sdk.contract.money:round_half_up",
        _in(_MONEY, "test_rounding_is_to_the_nearest_with_halves_away_from_zero"),
    ),
    Mutant(
        14,
        f"{_CLEARING}:commission_is_rounded_once",
        "hub.clearing.model_rates:Terms.commission_fen",
        _in("property/test_commission_rates", "test_commission_is_rounded_half_up_per_fee_and_then_summed"),
    ),
    Mutant(
        15,
        f"{_RECORDS}:the_newest_version_prices",
        "hub.directory.service_tariffs:TariffService.tariff_version",
        _in(
            "integration/test_tariff_charges",
            "test_what_is_published_or_assigned_meanwhile_does_not_price_a_running_charge[sqlite]",
        ),
    ),
    Mutant(
        15,
        f"{_RECORDS}:days_begin_in_greenwich",
        "operator_sdk.contract.pricing:_local_midnight",
        _in(_PRICING, "test_lines_are_those_of_the_slow_oracle"),
    ),
    Mutant(
        15,
        f"{_RECORDS}:the_first_price_holds_to_the_end",
        "operator_sdk.contract.pricing:_stretches",
        _in(_PRICING, "test_lines_are_those_of_the_slow_oracle"),
    ),
    Mutant(
        16,
        f"{_RECORDS}:a_meter_may_go_back",
        "hub.roaming.model_rules_charge:meter_back",
        _in(_RULES, "test_the_confusion_matrix_is_diagonal"),
    ),
    Mutant(
        16,
        f"{_RECORDS}:a_full_pile_is_suspicious",
        "hub.roaming.model_rules_charge:power",
        _in(_RULES, "test_every_honest_bill_passes"),
    ),
    Mutant(
        17,
        f"{_CLEARING}:energy_alone_is_no_difference",
        "operator_sdk.contract.record_check:_difference",
        _in("property/test_record_check", "test_two_lists_differ_in_what_the_oracle_says"),
    ),
    Mutant(
        17,
        f"{_CLEARING}:each_check_opens_everything_anew",
        "hub.clearing.model_checks:changes",
        _in(
            "property/test_record_check",
            "test_every_planted_difference_is_found_no_other_is_and_again_changes_nothing",
        ),
    ),
    Mutant(
        17,
        f"{_CLEARING}:an_accepted_record_is_owed_again",
        "hub.clearing.tables:owed_for",
        _in(_CYCLES, "test_a_record_accepted_twice_is_owed_once[sqlite]"),
    ),
    Mutant(
        20,
        f"{_LEDGER}:a_full_disk_is_nobody_s_fault",
        "hub.core.database_errors:is_out_of_reach",
        _in("faults/test_money_disk_full", "test_a_file_without_room_refuses_and_goes_on_when_there_is_room"),
    ),
    Mutant(
        20,
        f"{_LEDGER}:a_cursor_passes_over_what_is_older",
        "hub.ledger.tables_seals:seal_waiting",
        _in(
            "faults/test_money_clock_steps",
            "test_the_chain_covers_every_posting_whichever_way_time_goes[sqlite]",
        ),
    ),
    Mutant(
        20,
        f"{_LEDGER}:a_clock_set_back_ends_holds",
        "hub.ledger.tables_moves:due_holds",
        _in(
            "faults/test_money_clock_steps",
            "test_a_hold_ends_at_its_time_and_no_clock_step_ends_it_before[sqlite]",
        ),
    ),
    # For the simulator: only its auditor sees these.
    Mutant(
        8,
        f"{_SIMULATION}:money_is_released_before_the_stop_is_confirmed",
        "hub.roaming.jobs:RoamingJobs.start_check",
        Seeds(1, 8, "released the money of"),
    ),
    Mutant(
        9,
        f"{_SIMULATION}:who_comes_at_midnight_is_in_both_cycles",
        "hub.clearing.tables_cycles:move_late",
        Seeds(1, 8, "clearing "),
    ),
    Mutant(
        3,
        f"{_SIMULATION}:a_credit_said_again_is_posted_again",
        "hub.roaming.records:Records.claim",
        Seeds(1, 8, "clearing "),
    ),
    Mutant(
        12,
        f"{_SIMULATION}:an_unanswered_pay_out_leaves_again",
        "hub.clearing.payments:Payments._claim_movement",
        Seeds(6, 12, "settlement_cash"),
    ),
    Mutant(
        11,
        f"{_SIMULATION}:a_late_record_is_booked_into_the_closed_day",
        "hub.clearing.tables_cycles:move_late",
        Seeds(1, 8, "was cut off"),
    ),
    Mutant(
        10,
        f"{_SIMULATION}:one_creditor_bears_the_default",
        "hub.clearing.model_payments:share_shortfall",
        Seeds(1, 8, "of the default"),
    ),
)

MUTANTS = {mutant.name: mutant for mutant in _TABLE}
assert len(MUTANTS) == len(_TABLE), "each bug has a name of its own"
