"""Bills for people, line by line."""

from operator_sdk.contract.messages.records import Record
from operator_sdk.examples.demo.administrator import NAMES
from operator_sdk.examples.demo.city import ZONE
from operator_sdk.examples.demo.screen import Screen, kwh, yuan

_COLUMNS = (
    ("时段 Period", "left"),
    ("kWh", "right"),
    ("电价 Elec./kWh", "right"),
    ("服务价 Serv./kWh", "right"),
    ("电费 Electricity", "right"),
    ("服务费 Service", "right"),
)


def show_bills(screen: Screen, records: list[Record]) -> None:
    """Each bill with its lines, its total and how it was settled."""
    for record in records:
        title = (
            f"{NAMES[record.home_party_id or '']} → {NAMES[record.host_party_id]}"
            f" · {record.connector.partition('.')[0]} · {record.stop_reason}"
        )
        screen.table(_COLUMNS, [_cells(record, number) for number in range(len(record.lines))], title)
        settled = record.settlement
        line = f"合计 Total [bold]{yuan(record.amount_fen)}[/] 元 CNY, {kwh(record.energy_wh)} kWh"
        if settled is not None:
            line += (
                f" · 实扣 captured {yuan(settled.captured_fen)} · 释放 released {yuan(settled.released_fen)}"
            )
        screen.say(line)
        screen.say()


def _cells(record: Record, number: int) -> tuple[str, ...]:
    line = record.lines[number]
    start, end = (at.astimezone(ZONE).strftime("%H:%M:%S") for at in (line.start, line.end))
    return (
        f"{start}–{end}",
        kwh(line.energy_wh),
        _price(line.electricity_micro),
        _price(line.service_micro),
        yuan(line.electricity_fen),
        yuan(line.service_fen),
    )


def _price(micro: int) -> str:
    return f"{micro // 1_000_000}.{micro % 1_000_000 // 100:04d}"
