"""What roaming asks of the database itself: the function by which a set-based statement undoes itself."""

from hub.core.statements import MUST

TRIGGERS: dict[str, list[str]] = {"postgresql": [MUST]}
