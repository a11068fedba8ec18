"""Calling the hub: one request builder and one exchange, driven by a sync and an async client."""

from operator_sdk.client.asynchronous import AsyncHubClient
from operator_sdk.client.credentials import BearerToken, Credentials, OperatorCredentials
from operator_sdk.client.patience import Patience, is_decided
from operator_sdk.client.sync import HubClient

__all__ = [
    "AsyncHubClient",
    "BearerToken",
    "Credentials",
    "HubClient",
    "OperatorCredentials",
    "Patience",
    "is_decided",
]
