"""The thin typed methods of the sync client about disputes, suspense and the daily check of records."""

from operator_sdk.client.runner import SyncRunner


class SyncDisputesMethods(SyncRunner):
    """One method per call of `operator_sdk.client.calls_disputes`, with the same names and arguments."""
