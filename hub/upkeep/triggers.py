"""An order's history only grows; held by the database itself, on either engine."""

from hub.parties.triggers import only_grows

TRIGGERS: dict[str, list[str]] = only_grows("work_order_step", "order_id,number")
