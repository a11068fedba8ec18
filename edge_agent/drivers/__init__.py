"""The hardware of a site: the only rooms, with `sim`, that open a CAN bus or a serial line."""
