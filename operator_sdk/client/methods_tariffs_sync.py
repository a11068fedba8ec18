"""The thin typed methods of the sync client about tariffs and where they apply."""

from operator_sdk.client.runner import SyncRunner


class SyncTariffsMethods(SyncRunner):
    """One method per call of `operator_sdk.client.calls_tariffs`, with the same names and arguments."""
