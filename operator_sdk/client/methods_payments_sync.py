"""The thin typed methods of the sync client about payments, deposits and bank working days."""

from operator_sdk.client.runner import SyncRunner


class SyncPaymentsMethods(SyncRunner):
    """One method per call of `operator_sdk.client.calls_payments`, with the same names and arguments."""
