"""What the hub serves about tariffs and where they apply."""

from operator_sdk.contract.operations.model import Operation

TARIFFS: tuple[Operation, ...] = ()
