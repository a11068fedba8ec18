"""Findings, and how they are shown: a table for the terminal, JSON for machines, HTML for people."""

import html
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

HOLDS, FAILS, NOTE, SKIPPED = "holds", "fails", "note", "skipped"
_MARKS = {HOLDS: "ok  ", FAILS: "FAIL", NOTE: "note", SKIPPED: "-   "}
_SHOWN_BYTES = 4000

_ONE_OR_MORE = {
    HOLDS: ("holds", "hold"),
    FAILS: ("does not hold", "do not hold"),
    NOTE: ("note", "notes"),
    SKIPPED: ("skipped", "skipped"),
}

EVIDENCE_MOST = 3
"""Exchanges that are shown with one finding."""

_STYLE = """
body { font: 15px/1.5 system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; color: #222;
  margin: 2rem auto; max-width: 76rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .3rem; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; }
th:nth-child(1) { width: 5rem; } th:nth-child(2) { width: 11rem; } th:nth-child(3) { width: 30%; }
td { overflow-wrap: anywhere; }
td:nth-child(2) { font-family: ui-monospace, monospace; font-size: .87em; }
summary { color: #555; cursor: pointer; font-size: .87em; }
td, th { border-bottom: 1px solid #ccc; padding: .4rem .6rem; text-align: left; vertical-align: top; }
.fails td:first-child { color: #b00020; font-weight: 700; }
.holds td:first-child { color: #0a7a33; }
.note td:first-child { color: #8a5a00; }
.skipped td { color: #777; }
pre { background: #f4f4f4; overflow-x: auto; padding: .6rem; white-space: pre-wrap; word-break: break-all; }
@media print { tr { break-inside: avoid; } }
@media screen and (max-width: 46rem) {
  thead { display: none; }
  tr { border-bottom: 1px solid #ccc; display: block; padding: .4rem 0; }
  td { border: 0; display: block; padding: 0; }
}
"""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The bytes of one exchange as text, cut; secrets and tokens are never in it."""

    interface: str
    sent: str
    received: str
    opened: str
    http_status: int
    took_ms: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `state` is holds, fails, note or skipped."""

    name: str
    title: str
    state: str
    said: str
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """All findings about one platform. `at` is when it was looked at (RFC 3339)."""

    operator_id: str
    name: str
    base_url: str
    at: str
    findings: Sequence[Finding]

    @property
    def failed(self) -> int:
        """How many do not hold."""
        return sum(one.state == FAILS for one in self.findings)

    def counts(self) -> str:
        """One line: how many of each state."""
        counts = Counter(one.state for one in self.findings)
        there = [(state, counts[state]) for state in _MARKS if counts[state]]
        said = ", ".join(f"{count} {_ONE_OR_MORE[state][count > 1]}" for state, count in there)
        return f"{len(self.findings)} checks: {said}"


def shown(data: bytes) -> str:
    """Bytes as text for a reader: cut, and what is no UTF-8 is marked."""
    text = data[:_SHOWN_BYTES].decode("utf-8", "backslashreplace")
    return text + (f" ... ({len(data)} bytes)" if len(data) > _SHOWN_BYTES else "")


def as_table(report: Report) -> str:
    """The table, and below it the bytes of what fails."""
    lines = [f"{report.name} ({report.operator_id}) at {report.base_url}", ""]
    width = max((len(one.name) for one in report.findings), default=0)
    lines += [f"{_MARKS[one.state]}  {one.name:<{width}}  {one.said}" for one in report.findings]
    for one in report.findings:
        if one.state == FAILS and one.evidence:
            lines += ["", f"{one.name}: {one.title}"]
            for evidence in one.evidence:
                lines += [
                    f"  {evidence.interface}: HTTP {evidence.http_status}, {evidence.took_ms} ms",
                    f"  sent     {evidence.sent}",
                    f"  received {evidence.received}",
                ]
                lines += [f"  opened   {evidence.opened}"] if evidence.opened else []
    return "\n".join([*lines, "", report.counts()])


def as_json(report: Report) -> dict[str, Any]:
    """The report as plain values."""
    return {**asdict(report), "findings": [asdict(one) for one in report.findings], "failed": report.failed}


def as_html(report: Report) -> str:
    """One page that needs nothing else."""
    rows = "\n".join(_row(one) for one in report.findings)
    title = html.escape(f"T/CEC 102: {report.name} ({report.operator_id})")
    fits = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    head = f'<meta charset="utf-8">{fits}<title>{title}</title><style>{_STYLE}</style>'
    where = html.escape(f"{report.base_url}, {report.at}: {report.counts()}")
    columns = "<tr><th>State<th>Check<th>What should hold<th>What was found</tr>"
    return (
        f'<!doctype html><html lang="en"><head>{head}</head><body><h1>{title}</h1><p>{where}</p>'
        f"<table><thead>{columns}</thead><tbody>{rows}</tbody></table></body></html>\n"
    )


def _row(one: Finding) -> str:
    cells = "".join(f"<td>{html.escape(text)}</td>" for text in (one.state, one.name, one.title))
    said = html.escape(one.said) + "".join(_details(evidence) for evidence in one.evidence)
    return f'<tr class="{one.state}">{cells}<td>{said}</td></tr>'


def _details(one: Evidence) -> str:
    what = f"sent     {one.sent}\nreceived {one.received}\nopened   {one.opened}"
    head = f"{one.interface}: HTTP {one.http_status}, {one.took_ms} ms"
    return f"<details><summary>{html.escape(head)}</summary><pre>{html.escape(what)}</pre></details>"
