"""A partner's platform as a client of the hub: one call after the other, every answer opened."""

import http.client
import time
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from operator_sdk.contract.tcec102.wire import Ret, open_answer, seal_request
from tests.bench.processes import BenchError
from tests.bench.tcec_traffic import CHINA
from tests.bench.tcec_world import CONNECTORS, PREFIX, STATIONS, ours, profile_of
from tests.bench.world import World

WAIT_S = 240
"""The first list of all takes its time."""


class TcecClient:
    """Calls the hub as one partner."""

    def __init__(self, world: World, party_id: str) -> None:
        place = urlsplit(world.hub_url)
        self._http = http.client.HTTPConnection(place.hostname or "", place.port, timeout=WAIT_S)
        self._party_id, self._keys, self._made = party_id, ours(party_id), 0
        self._profile, self.token = profile_of(world, party_id), ""

    def sign_in(self) -> str:
        """Ask for a token, and keep it."""
        words = {"OperatorID": self._party_id, "OperatorSecret": self._keys.operator_secret}
        self.token = str(self.call("query_token", words)["AccessToken"])
        return self.token

    def call(self, interface: str, words: dict[str, Any]) -> dict[str, Any]:
        """What the hub answers.

        Raises:
            BenchError: it does not say Ret 0.
            WireProblem: the envelope cannot be opened.
        """
        self._made += 1
        stamp = datetime.now(CHINA).strftime("%Y%m%d%H%M%S")
        seq = f"{self._made % 10_000:04d}"
        body = seal_request(self._keys, self._party_id, msgspec.json.encode(words), stamp=stamp, seq=seq)
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        self._http.request("POST", f"{PREFIX}/{interface}", body, headers)
        answer = open_answer(self._http.getresponse().read(), [self._keys], self._profile)
        if answer.ret != Ret.OK or answer.plain is None:
            raise BenchError(f"{interface}: Ret {answer.ret} {answer.msg[:200]}")
        said: dict[str, Any] = msgspec.json.decode(answer.plain)
        return said

    def close(self) -> None:
        """Hang up."""
        self._http.close()


def pull_stations(client: TcecClient, page_size: int) -> float:
    """Every page of every station, decrypted and counted; how many seconds that took.

    Raises:
        BenchError: not all of them came.
    """
    begun, page, pages = time.perf_counter(), 0, 1
    items = stations = plugs = 0
    while page < pages:
        page += 1
        words = {"LastQueryTime": "", "PageNo": page, "PageSize": page_size}
        said = client.call("query_stations_info", words)
        pages, items = int(said["PageCount"]), int(said["ItemSize"])
        for station in said["StationInfos"]:
            stations += 1
            plugs += sum(len(pile["ConnectorInfos"]) for pile in station["EquipmentInfos"])
    spent = time.perf_counter() - begun
    if (stations, plugs, items) != (STATIONS, CONNECTORS, STATIONS):
        raise BenchError(f"{stations} stations with {plugs} connectors came, ItemSize {items}")
    return spent
