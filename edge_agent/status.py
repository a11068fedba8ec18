"""How an agent fares, read from its file: it need not run, and is not disturbed if it does."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

import msgspec

from edge_agent.charge import Charge
from edge_agent.settings import Settings
from edge_agent.store import Tap
from operator_sdk.contract.edge_link.frames import BillItem, decode_item
from operator_sdk.contract.messages.records import ChargeRecord

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class StatusUnknown(Exception):
    """There is no file, or no agent has written it."""


@dataclass(frozen=True, slots=True)
class Status:
    """What the file says, as plain values: see `as_json`."""

    said: dict[str, Any]
    zone: ZoneInfo

    def as_json(self) -> dict[str, Any]:
        """Site, spool {live, bills}, frames {can, meter}, link, connectors, faults, taps, session."""
        return self.said

    def as_text(self) -> str:
        """A page for a person."""
        said, spool, frames, link = self.said, self.said["spool"], self.said["frames"], self.said["link"]
        lines = [
            f"站点 site       {said['site_id']}",
            f"上行 link       {link['state']} {self._local(link['at'])} {link['reason']}".rstrip(),
            f"待传 spool      {spool['live']} live, {spool['bills']} bills",
            f"帧数 frames     {frames['can']} CAN, {frames['meter']} meter",
        ]
        for one in said["connectors"]:
            state = f"{one['state']} {self._local(one['at'])} {one['session_id'] or ''}".rstrip()
            lines.append(f"枪 connector    {one['connector_id']} {state}")
        lines += [
            f"故障 fault      {one['connector_id'] or 'site'} {one['code']} {self._local(one['at'])}"
            for one in said["faults"]
        ]
        lines += [
            f"刷卡 card       {one['connector_id']} {one['outcome']} {one['refusal'] or one['session_id']}"
            for one in said["taps"][-5:]
        ]
        if said.get("session") is not None:
            lines += [f"会话 {name:<15} {value}" for name, value in said["session"].items() if name != "bill"]
        return "\n".join(lines)

    def _local(self, at: str | None) -> str:
        return f"{datetime.fromisoformat(at).astimezone(self.zone):%Y-%m-%d %H:%M:%S}" if at else ""


def read_status(settings: Settings, session_id: str | None = None) -> Status:
    """Read the file of this site's agent.

    Raises:
        StatusUnknown: there is none, or it holds nothing of the session asked for.
    """
    path = settings.database
    try:
        # Not `mode=ro`: a reader of a WAL file makes the shared index when no agent runs.
        with closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True)) as db:
            said = _read(db)
            said["site_id"] = settings.site.site_id
            said["session"] = _session(db, session_id) if session_id else None
    except sqlite3.Error as problem:
        raise StatusUnknown(f"{path}: {problem}") from problem
    return Status(said, ZoneInfo(settings.site.zone))


def _read(db: sqlite3.Connection) -> dict[str, Any]:
    meta = dict(db.execute("select name, value from meta").fetchall())
    waiting = dict(
        db.execute("select stream, count(*) from spool where is_delivered = 0 group by stream").fetchall()
    )
    running = dict(db.execute("select connector_id, session_id from charges where is_open = 1").fetchall())
    return {
        "spool_id": meta.get("spool_id", ""),
        "spool": {"live": waiting.get("live", 0), "bills": waiting.get("bills", 0)},
        "frames": {"can": int(meta.get("can_frames", 0)), "meter": int(meta.get("meter_frames", 0))},
        "link": {
            "state": meta.get("link", "down"),
            "at": meta.get("link_at"),
            "reason": meta.get("link_reason", ""),
        },
        "connectors": [
            {
                "connector_id": connector_id,
                "state": state,
                "at": _iso(at),
                "session_id": running.get(connector_id),
            }
            for connector_id, state, at in db.execute("select * from statuses order by connector_id")
        ],
        "faults": [
            {"connector_id": connector_id or None, "code": code, "at": _iso(at)}
            for connector_id, code, at in db.execute("select * from faults order by at")
        ],
        "taps": [
            msgspec.to_builtins(msgspec.msgpack.decode(body, type=Tap))
            for (body,) in db.execute("select body from taps order by seq")
        ],
    }


def _session(db: sqlite3.Connection, session_id: str) -> dict[str, Any]:
    row = db.execute("select body from charges where session_id = ?", (session_id,)).fetchone()
    if row is None:
        raise StatusUnknown(f"no session {session_id} was ever begun here")
    charge = msgspec.msgpack.decode(row[0], type=Charge)
    bill = _bill(db, session_id)
    return {
        "session_id": session_id,
        "connector_id": charge.connector_id,
        "state": str(charge.state),
        "updates_made": charge.last_number,
        "energy_wh": charge.energy_wh,
        "amount_fen": charge.amount_fen,
        "stop_reason": charge.stop_reason,
        "host_ref": charge.host_ref,
        "bill": msgspec.to_builtins(bill) if bill is not None else None,
    }


def _bill(db: sqlite3.Connection, session_id: str) -> ChargeRecord | None:
    row = db.execute("select body from spool where stream = 'bills' and subject = ?", (session_id,)).fetchone()
    return cast("BillItem", decode_item(row[0])).record if row else None


def _iso(us: int) -> str:
    return (_EPOCH + timedelta(microseconds=us)).isoformat()
