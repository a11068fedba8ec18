"""The thin typed methods of the async client about tariffs and where they apply."""

from operator_sdk.client.runner import AsyncRunner


class AsyncTariffsMethods(AsyncRunner):
    """One method per call of `operator_sdk.client.calls_tariffs`, with the same names and arguments."""
