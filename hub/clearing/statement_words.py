"""What all forms of a statement have in common: their names, the words they use, and how they write amounts.

Loads nothing but the contract, for whoever only draws (`drawing`).
"""

from datetime import datetime

from hub.core.clock import ZONE
from operator_sdk.contract.messages.clearing import Statement

CONTENT_TYPES = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
"""The formats of `render`, and what they are served as."""

DRAWN = ("pdf", "xlsx")
"""Those of them that take long: half a millisecond a line."""

KINDS = {
    "charge": "充电 Charging",
    "credit": "冲正 Credit",
    "commission": "平台佣金 Commission",
    "claim": "未付结转 Claim",
    "electricity": "电费 Electricity",
    "service": "服务费 Service",
    "parking": "停车费 Parking",
    "idle": "占位费 Idle",
}
"""What kinds of obligations and of fees are called on papers."""

BARS = 8
STATES = {
    "cut_off": "已截止 Cut off",
    "proposed": "待确认 Proposed",
    "fixed": "已确认 Fixed",
    "paying": "收付中 Paying",
    "settled": "已结清 Settled",
    "partially_paid": "部分收付 Partially paid",
}


def yuan(fen: int, *, grouped: bool = False) -> str:
    """Integer fen as yuan with two decimals: -123456 is -1234.56, or -1,234.56."""
    whole, rest = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{whole:{',' if grouped else ''}}.{rest:02d}"


def bars(statement: Statement) -> list[tuple[str, int, int, int, int]]:
    """The chart of the largest counterparties: (party, receivable, payable, both in thousandths of the most).

    Ties go to the smaller party id.
    """
    by_size = sorted(
        statement.counterparties, key=lambda one: (-(one.receivable_fen + one.payable_fen), one.counterparty)
    )[:BARS]
    most = max((max(one.receivable_fen, one.payable_fen) for one in by_size), default=0) or 1
    return [
        (
            one.counterparty,
            one.receivable_fen,
            one.payable_fen,
            one.receivable_fen * 1000 // most,
            one.payable_fen * 1000 // most,
        )
        for one in by_size
    ]


def kwh(energy_wh: int) -> str:
    """Integer Wh as kWh with three decimals."""
    return f"{energy_wh // 1000:,}.{energy_wh % 1000:03d}"


def local(at: datetime) -> str:
    """An instant in the hub's zone."""
    return f"{at + ZONE:%Y-%m-%d %H:%M:%S}"


_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("", "拾", "佰", "仟")
_GROUPS = ("", "万", "亿", "兆")


def in_words(fen: int) -> str:
    """An amount as it is written on Chinese papers so that nobody can alter it; the sign is not part of it."""
    whole, rest = divmod(abs(fen), 100)
    jiao, single = divmod(rest, 10)
    text = f"{_whole_in_words(whole)}元" if whole else ""
    if not rest:
        return f"{text or '零元'}整"
    if jiao:
        text += f"{_DIGITS[jiao]}角"
    elif text:
        text += "零"
    return text + (f"{_DIGITS[single]}分" if single else "整")


def _whole_in_words(whole: int) -> str:
    text, gap = "", False
    groups = [whole // 10_000**power % 10_000 for power in range(len(_GROUPS))]
    for power in reversed(range(len(_GROUPS))):
        if not groups[power]:
            gap = bool(text)
            continue
        if text and (gap or groups[power] < 1000):
            text += _DIGITS[0]
        text += _group_in_words(groups[power]) + _GROUPS[power]
        gap = False
    return text


def _group_in_words(group: int) -> str:
    text, gap = "", False
    for place in (3, 2, 1, 0):
        digit = group // 10**place % 10
        if digit:
            text += (_DIGITS[0] if gap else "") + _DIGITS[digit] + _PLACES[place]
            gap = False
        else:
            gap = bool(text)
    return text
