"""The home's own comparison of orders, with what it was told before the charge and with its books. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from operator_sdk.contract.tcec102.messages import (
    ChargeDetail,
    CheckChargeOrders,
    DisputeOrder,
    NotificationChargeOrderInfo,
    PolicyInfo,
)
from operator_sdk.contract.tcec102.values import parse_clock

FEN = Decimal("0.01")
_UNKNOWN, _MONEY, _ENERGY = 1, 2, 3
"""DisputeReason (102.3, 6.11)."""


def objection(order: NotificationChargeOrderInfo, policy: Sequence[PolicyInfo]) -> str | None:
    """What is wrong with an order; None when nothing is. A fen for each detail is rounding."""
    details = order.charge_details
    allowed = FEN * (len(details) + 1)
    if abs(order.total_money - order.total_elec_money - order.total_service_money) > allowed:
        return "TotalMoney is not the sum of its parts"
    if not details:
        return None
    if abs(sum((one.detail_power for one in details), Decimal(0)) - order.total_power) > allowed:
        return "the details' energy is not TotalPower"
    if abs(sum((_money(one) for one in details), Decimal(0)) - order.total_money) > allowed:
        return "the details' money is not TotalMoney"
    if policy and any(_is_mispriced(one, policy) for one in details):
        return "a detail is not priced by the policy"
    return None


def _money(detail: ChargeDetail) -> Decimal:
    return (detail.detail_elec_money or Decimal(0)) + (detail.detail_service_money or Decimal(0))


def _is_mispriced(detail: ChargeDetail, policy: Sequence[PolicyInfo]) -> bool:
    price = _price_at(detail.detail_start_time[11:], policy)
    # Energy is told to 10 Wh and money to a fen: each of the two amounts may be off by that much.
    allowed = 2 * FEN + FEN * price
    return abs(detail.detail_power * price - _money(detail)) > allowed


def _price_at(clock: str, policy: Sequence[PolicyInfo]) -> Decimal:
    at = parse_clock(clock)
    periods = sorted(policy, key=lambda one: parse_clock(one.start_time))
    begun = [one for one in periods if parse_clock(one.start_time) <= at] or periods[-1:]
    return begun[-1].elec_price + begun[-1].service_price


def disputes_of(
    check: CheckChargeOrders, known: Mapping[str, NotificationChargeOrderInfo | None]
) -> list[DisputeOrder]:
    """The orders of the host's list that the home sees otherwise."""
    found = []
    for listed in check.charge_orders:
        ours = known.get(listed.start_charge_seq)
        reason = 0
        if ours is None:
            reason = _UNKNOWN
        elif abs(ours.total_money - listed.total_money) > FEN:
            reason = _MONEY
        elif abs(ours.total_power - listed.total_power) > FEN:
            reason = _ENERGY
        if reason:
            found.append(
                DisputeOrder(
                    start_charge_seq=listed.start_charge_seq,
                    total_power=listed.total_power,
                    total_money=listed.total_money,
                    dispute_reason=reason,
                )
            )
    return found
