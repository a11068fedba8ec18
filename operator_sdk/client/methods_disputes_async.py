"""The thin typed methods of the async client about disputes, suspense and the daily check of records."""

from operator_sdk.client.runner import AsyncRunner


class AsyncDisputesMethods(AsyncRunner):
    """One method per call of `operator_sdk.client.calls_disputes`, with the same names and arguments."""
