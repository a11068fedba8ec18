"""Bugs in rounding, pricing, the rules for records, and what becomes of starts that nobody answered."""

from typing import Any

# Promise 8: money is not given back while energy may flow.


async def silence_is_a_failed_start(
    right: Any, self: Any, unit: Any, session: Any, link: Any, outcome: Any
) -> None:
    """A host that did not answer has not started: the money goes back while the pile may charge."""
    from operator_sdk.contract.messages.roaming import HostStartReply
    from operator_sdk.contract.public_codes import Code

    if isinstance(outcome, HostStartReply):
        await right(self, unit, session, link, outcome)
    else:
        await self.fail_start(unit, session, Code.HOST_UNAVAILABLE)


# Promise 14: splits lose no fen.


def shares_are_rounded_down(right: Any, total: int, weights: Any) -> list[int]:
    """What does not divide belongs to nobody."""
    whole = sum(weights)
    return [total * weight // whole for weight in weights] if whole else right(total, weights)


def halves_go_to_the_even_neighbour(right: Any, numerator: int, denominator: int) -> int:
    """Rounded as Python's `decimal` does by itself."""
    rounded = int(right(numerator, denominator))
    is_half = 2 * numerator % denominator == 0 and numerator % denominator != 0
    return rounded - (1 if rounded > 0 else -1) if is_half and rounded % 2 else rounded


def money_is_a_float(right: Any, numerator: int, denominator: int) -> int:
    """Right for small amounts, and for small amounts only."""
    return round(numerator / denominator) if denominator > 0 else right(numerator, denominator)


# Promise 15: the tariff version at the start prices the whole charge, across midnight too.


async def the_newest_version_prices(
    right: Any, self: Any, unit: Any, party_id: str, tariff_id: str, version: int
) -> Any:
    """A running charge is priced by whatever was published last."""
    newest = tariff = await right(self, unit, party_id, tariff_id, version)
    while tariff is not None:
        version += 1
        newest, tariff = tariff, await right(self, unit, party_id, tariff_id, version)
    return newest


def days_begin_in_greenwich(right: Any, tariff: Any, at: Any) -> Any:
    """The tariff's own zone is forgotten."""
    from msgspec.structs import replace

    return right(replace(tariff, utc_offset_minutes=0), at)


def the_first_price_holds_to_the_end(right: Any, tariff: Any, start: Any, end: Any) -> Any:
    """Prices that change while it charges do not."""
    return right(tariff, start, end)[:1]


# Promise 16: each rule fires on its fault, and on nothing else.


def a_meter_may_go_back(right: Any, record: Any, facts: Any) -> Any:
    """The rule is in the table, and never objects."""
    verdict, reason = right(record, facts)
    return ("pass", "") if reason else (verdict, reason)


def a_full_pile_is_suspicious(right: Any, record: Any, facts: Any) -> Any:
    """Whoever charges at more than half of what the pile is rated for is suspended."""
    from dataclasses import replace

    plug = facts.connector
    if plug is None:
        return right(record, facts)
    half = replace(plug, rated_power_w=plug.rated_power_w // 2)
    return right(record, replace(facts, connector=half))
