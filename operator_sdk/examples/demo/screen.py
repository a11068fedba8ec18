"""What the person in front of it sees: steps that are ticked off, and a live table of the charges.

Where the output is no terminal the same is said in plain lines.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from operator_sdk.contract.messages.roaming import SessionProgress

WIDTH_MOST = 100
STATES = {
    "starting": "启动 starting",
    "charging": "充电 charging",
    "paused": "暂停 paused",
    "stopping": "停止 stopping",
    "ended": "结束 ended",
    "settled": "已结算 settled",
    "start_failed": "未启动 failed",
}
BAR_WIDTH = 10
PLAIN_EVERY_PERCENT = 25


@dataclass(slots=True)
class Row:
    """A charge on the screen, and everything a subscriber has received of it."""

    driver: str
    way: str
    connector: str
    updates: list[SessionProgress] = field(default_factory=list)
    state: str = "starting"
    said_percent: int = -1

    @property
    def last(self) -> SessionProgress | None:
        """The newest update."""
        return self.updates[-1] if self.updates else None


class Screen:
    """Prints. One live area at the bottom, steps above it."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, emoji=False)
        self._is_live = self.console.is_terminal
        self.console.width = min(self.console.width, WIDTH_MOST) if self._is_live else WIDTH_MOST
        self._rows: list[Row] = []
        self._doing: dict[str, Spinner] = {}
        self._live = Live(console=self.console, get_renderable=self._area, refresh_per_second=8, transient=True)

    def __enter__(self) -> "Screen":
        if self._is_live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_live:
            self._live.stop()

    def heading(self, zh: str, en: str) -> None:
        """A new part."""
        self.console.print()
        self.console.rule(Text.assemble((zh, "bold cyan"), " ", (en, "cyan")), align="left", style="dim cyan")

    def say(self, text: RenderableType = "") -> None:
        """A line, or a table."""
        self.console.print(text)

    def tick(self, zh: str, en: str, detail: str = "") -> None:
        """Something is done."""
        line = Text.assemble(("✓ ", "bold green"), zh, " ", (en, "dim"))
        if detail:
            line.append(f"  {detail}", style="cyan")
        self.console.print(line)

    @asynccontextmanager
    async def step(self, zh: str, en: str) -> AsyncIterator[list[str]]:
        """Something that takes a while; what is put into the list is shown behind it when it is done."""
        began, detail = monotonic(), list[str]()
        words = f"{zh} {en}"
        self._doing[words] = Spinner("dots", Text.assemble(zh, " ", (en, "dim"), " …"), style="cyan")
        try:
            yield detail
        finally:
            del self._doing[words]
        self.tick(zh, en, " · ".join([*detail, f"{monotonic() - began:.1f} s"]))

    def follow(self, row: Row) -> None:
        """Put a charge on the table."""
        self._rows.append(row)
        if not self._is_live:
            self.say(f"  {row.driver}: {row.way}, {row.connector}")

    def take(self, row: Row, update: SessionProgress) -> None:
        """A subscriber received an update."""
        row.updates.append(update)
        row.state = update.state
        if not self._is_live and self._is_worth_a_line(row, update):
            row.said_percent = update.percent or 0
            self.say(f"    {row.driver}: {_plainly(update)}")

    def keep_table(self) -> None:
        """The charges have ended: their table stays where it is."""
        if self._is_live:
            self.say(self._table())
        self._rows.clear()

    def facts(self, title: str, rows: Iterable[tuple[str, str]]) -> None:
        """A framed list of names and what they are."""
        table = Table.grid(padding=(0, 2))
        for name, value in rows:
            table.add_row(Text(name, style="bold"), Text(value, overflow="fold"))
        self.say(Panel(table, title=title, title_align="left", border_style="cyan", expand=False))

    def table(self, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]], title: str = "") -> None:
        """A plain table; columns are a name and how to align it."""
        table = Table(
            box=None, pad_edge=False, padding=(0, 3, 0, 0), title=title or None, title_justify="left",
            header_style="dim", title_style="bold",
        )  # fmt: skip
        for name, justify in columns:
            table.add_column(name, justify="right" if justify == "right" else "left", no_wrap=True)
        for row in rows:
            table.add_row(*map(Text, row))
        self.say(table)

    def _is_worth_a_line(self, row: Row, update: SessionProgress) -> bool:
        percent = update.percent or 0
        return percent >= row.said_percent + PLAIN_EVERY_PERCENT or update.state not in {"charging", "starting"}

    def _area(self) -> RenderableType:
        parts: list[RenderableType] = [self._table()] if self._rows else []
        return Group(*parts, *self._doing.values())

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for name, justify in (
            ("司机 Driver", "left"), ("启动 Start", "left"), ("枪 Plug", "left"), ("状态 State", "left"),
            ("进度 Progress", "left"), ("kWh", "right"), ("元 CNY", "right"), ("剩余 Left", "right"),
        ):  # fmt: skip
            table.add_column(name, justify="right" if justify == "right" else "left", no_wrap=True)
        for row in self._rows:
            table.add_row(*_cells(row))
        return table


def _cells(row: Row) -> list[RenderableType]:
    last = row.last
    percent = None if last is None else last.percent
    style = "green" if row.state in {"charging", "settled"} else "yellow"
    return [
        Text(row.driver),
        Text(row.way),
        Text(row.connector),
        Text(STATES.get(row.state, row.state), style=style),
        _bar(percent),
        kwh(last.energy_wh if last else 0),
        yuan(last.amount_fen if last else 0),
        left(last),
    ]


def _bar(percent: int | None) -> Text:
    done = (percent or 0) * BAR_WIDTH // 100
    figure = "  – " if percent is None else f"{percent:>3} %"
    return Text.assemble(("━" * done, "green"), ("━" * (BAR_WIDTH - done), "bright_black"), " ", figure)


def _plainly(update: SessionProgress) -> str:
    percent = "  – " if update.percent is None else f"{update.percent:>3} %"
    state = STATES.get(update.state, update.state)
    money = f"{kwh(update.energy_wh)} kWh  {yuan(update.amount_fen)} 元 CNY"
    return f"{percent}  {money}  剩余 left {left(update)}  {state}"


def left(update: SessionProgress | None) -> str:
    """The time left, for people."""
    if update is None or update.seconds_left is None:
        return "–"
    minutes, seconds = divmod(update.seconds_left, 60)
    return f"{minutes}:{seconds:02d}"


def kwh(wh: int) -> str:
    """Energy, for people."""
    return f"{wh // 1000}.{wh % 1000:03d}"


def yuan(fen: int) -> str:
    """Money, for people."""
    whole, rest = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{whole}.{rest:02d}"
