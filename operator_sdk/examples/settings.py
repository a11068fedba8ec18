"""What both examples are told: by argument, or by the environment variable named beside it."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from operator_sdk.client import OperatorCredentials
from operator_sdk.contract.signing import SigningKey
from operator_sdk.keys import load_key


@dataclass(frozen=True, slots=True)
class Settings:
    """How one example operator runs."""

    party_id: str
    key: SigningKey
    hub_url: str
    hub_issuer: str
    public_url: str
    address: str
    port: int
    database: Path
    data: Path | None
    sites: Path | None = None

    @property
    def credentials(self) -> OperatorCredentials:
        """Who the operator is to the hub."""
        return OperatorCredentials(self.party_id, self.key)


_ARGUMENTS = (
    ("--party-id", "OPERATOR_PARTY_ID", None, "this operator's 9-character organisation code"),
    ("--key", "OPERATOR_KEY_FILE", None, "its Ed25519 private key, JWK or PEM"),
    ("--hub", "OPERATOR_HUB_URL", "http://127.0.0.1:8000", "where the hub is reached"),
    ("--hub-issuer", "OPERATOR_HUB_ISSUER", "", "the hub's own public URL, where it is another"),
    ("--listen", "OPERATOR_LISTEN", "127.0.0.1:8100", "address:port to listen on"),
    ("--public-url", "OPERATOR_PUBLIC_URL", "", "this operator's base URL as the hub knows it"),
    ("--database", "OPERATOR_DATABASE", "", "the SQLite file"),
    ("--data", "OPERATOR_DATA_FILE", "", "JSON: the host's site, or the home's drivers"),
    ("--sites", "OPERATOR_SITES_FILE", "", "JSON: the host's site agents: site_id, public_key, connectors"),
)


def read(program: str, argv: Sequence[str] | None = None) -> Settings:
    """Settings from arguments and environment; exits with a usage message where one is missing."""
    parser = argparse.ArgumentParser(prog=f"python -m operator_sdk.examples.{program}")
    for flag, variable, usual, words in _ARGUMENTS:
        default = os.environ.get(variable) or usual
        parser.add_argument(flag, default=default, required=default is None, help=f"{words} [{variable}]")
    given = parser.parse_args(argv)
    address, _, port = given.listen.rpartition(":")
    hub_url = given.hub.rstrip("/")
    return Settings(
        party_id=given.party_id,
        key=load_key(given.key),
        hub_url=hub_url,
        hub_issuer=(given.hub_issuer or hub_url).rstrip("/"),
        public_url=(given.public_url or f"http://{given.listen}").rstrip("/"),
        address=address or "127.0.0.1",
        port=int(port),
        database=Path(given.database or f"{program}.db"),
        data=Path(given.data) if given.data else None,
        sites=Path(given.sites) if given.sites else None,
    )
