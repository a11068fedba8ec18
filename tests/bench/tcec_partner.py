"""The platforms of the T/CEC 102 host and home as one stub: raw ASGI, says yes to everything, keeps nothing.

It verifies and decrypts whatever comes, counts it by interface, and seals its answer. `GET /counts` says how
much came.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

from operator_sdk.contract.tcec102.wire import Ret, open_request, read_envelope, seal_answer
from tests.bench.tcec_world import TCEC_HOME, TCEC_HOST, profile_of, theirs
from tests.bench.world import World

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Fields = dict[str, Any]

YES = {"SuccStat": 0, "FailReason": 0}
POLICY = {"SumPeriod": 1, "PolicyInfos": [{"StartTime": "000000", "ElecPrice": 1, "SevicePrice": 1}]}
STATIC: dict[str, Fields] = {
    "query_token": {"AccessToken": "bench", "TokenAvailableTime": 7200, **YES},
    "query_equip_auth": YES,
    "query_equip_business_policy": POLICY | YES,
    "query_start_charge": {"StartChargeSeqStat": 1, **YES},
    "query_stop_charge": {"StartChargeSeqStat": 3, **YES},
    "notification_start_charge_result": YES,
    "notification_equip_charge_status": YES,
    "notification_stop_charge_result": YES,
    "notification_stationStatus": {"Status": 0},
}
"""What is answered beside what is said back; anything else is told that the platform is busy."""

SAID_BACK = frozenset({"OperatorID", "StartChargeSeq", "ConnectorID", "EquipAuthSeq", "EquipBizSeq"})


class Partner:
    """Both platforms in one process, told apart by the path they are registered under."""

    def __init__(self, world: World) -> None:
        parties = (TCEC_HOST, TCEC_HOME)
        self._keys = {party_id: theirs(party_id) for party_id in parties}
        self._profiles = {party_id: profile_of(world, party_id) for party_id in parties}
        self._came: Counter[str] = Counter()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        body = b""
        while True:
            event = await receive()
            body += event.get("body", b"")
            if not event.get("more_body"):
                break
        answer = self._answer(scope["path"], body) if body else msgspec.json.encode(self._came)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def _answer(self, path: str, body: bytes) -> bytes:
        party_id, interface = path.split("/")[1], path.rpartition("/")[2]
        profile = self._profiles[party_id]
        opened = open_request(read_envelope(body), [self._keys[party_id]], profile)
        asked: Fields = msgspec.json.decode(opened.plain)
        self._came[interface] += 1
        found = STATIC.get(interface)
        if found is None:
            return seal_answer(opened.keys, Ret.BUSY, "busy", None, profile)
        said = {name: value for name, value in asked.items() if name in SAID_BACK}
        return seal_answer(opened.keys, Ret.OK, "", msgspec.json.encode(said | found), profile)
