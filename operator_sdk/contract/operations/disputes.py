"""What the hub serves about disputes, suspense and the daily check of records."""

from operator_sdk.contract.operations.model import Operation

DISPUTES: tuple[Operation, ...] = ()
