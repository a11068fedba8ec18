"""The thin typed methods of the async client about payments, deposits and bank working days."""

from operator_sdk.client.runner import AsyncRunner


class AsyncPaymentsMethods(AsyncRunner):
    """One method per call of `operator_sdk.client.calls_payments`, with the same names and arguments."""
