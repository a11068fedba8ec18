"""Disputes over accepted records: raised by either side, answered, resolved."""

from hub.roaming.context import RoamingContext
from hub.roaming.records import Records


class Disputes:
    """Use cases of disputes."""

    def __init__(self, context: RoamingContext, records: Records) -> None:
        self._c, self._records = context, records
