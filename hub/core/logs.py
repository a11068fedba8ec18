"""Log lines as JSON with an allow-list of fields, so that nothing secret or personal can slip in."""

import json
import logging
from typing import Any

from hub.core.requests import current_request_id

FIELDS = (
    "operation",
    "status",
    "code",
    "party_id",
    "session_id",
    "record_id",
    "letter_id",
    "cycle_id",
    "kind",
    "attempts",
    "milliseconds",
)


class JsonLines(logging.Formatter):
    """One line of JSON a record; an exception shows as its type and place, never as its message."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage() if not record.exc_info else record.msg,
            "request_id": current_request_id(),
        }
        line |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["where"] = _where(record.exc_info[2])
        return json.dumps(line, ensure_ascii=False)


def _where(trace: Any) -> list[str]:
    places = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return places[-6:]


def configure_logs(level: str = "INFO") -> None:
    """Send everything through JSON lines on standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("uvicorn.access", "aiosqlite", "sqlalchemy.engine", "asyncio", "kombu", "amqp"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
