"""What the hub serves about payments, deposits and bank working days."""

from operator_sdk.contract.operations.model import Operation

PAYMENTS: tuple[Operation, ...] = ()
