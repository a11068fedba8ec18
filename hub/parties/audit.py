"""The audit log: who changed what about the hub itself, written in the unit that changes it."""

import json
from typing import Any

from hub.core.clock import Clock
from hub.core.database import Unit
from hub.core.ids import Ids
from hub.parties.tables import AuditRow

PREFIX = "adt"


class AuditLog:
    """Appends. `actor` is a staff login, or `cli:` and the account that holds the database."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self._clock, self._ids = clock, ids

    def note(self, unit: Unit, *, actor: str, action: str, subject: str, **detail: Any) -> None:
        """Note a change; `detail` holds nothing secret or personal."""
        unit.session.add(
            AuditRow(
                audit_id=self._ids.new(PREFIX),
                at=self._clock.wall(),
                actor=actor[:60],
                action=action,
                subject=subject[:120],
                detail=json.dumps(detail, ensure_ascii=False, sort_keys=True),
            )
        )
