"""A driver's phone: GraphQL over HTTP, and a live subscription that reconnects by itself."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from operator_sdk.chance import fresh_id
from operator_sdk.contract.messages.roaming import SessionProgress
from operator_sdk.examples.demo.patience import until
from operator_sdk.examples.demo.trouble import Trouble

PROTOCOL = Subprotocol("graphql-transport-ws")
CODE_S, AGAIN_S = 10, 1
OVER = frozenset({"ended", "billed", "settled", "start_failed", "refused"})

_ERROR = "... on UserError { code message }"
_SESSION = "id stateText refusal"
SIGNED_IN = f"... on SignedIn {{ accessToken }} {_ERROR}"
PROGRESS = "number at stateText energy amount powerW percent secondsLeft socPercent stopReasonText"


class Phone:
    """One driver, signed in."""

    def __init__(self, http: httpx.AsyncClient, url: str, token: str = "", *, language: str = "zh") -> None:
        self._http, self._url, self._token, self._language = http, url, token, language

    async def by_code(self, home: str, number: str, codes: Path) -> "Phone":
        """Signed in with the one-time code that arrives for this number.

        Raises:
            Trouble: none arrives, or it is not accepted.
        """
        seen = len(_codes(codes, number))
        await self.ask(
            "mutation($home: ID!, $phone: String!) {"
            " result: requestSignInCode(homePartyId: $home, phone: $phone)"
            f" {{ ... on SignInCodeSent {{ expiresInS }} {_ERROR} }} }}",
            home=home,
            phone=number,
        )

        async def arrived() -> str | None:
            return next(iter(_codes(codes, number)[seen:]), None)

        code = await until(arrived, within_s=CODE_S, missing="no one-time code arrived")
        return await self._signed_in(
            "mutation($home: ID!, $phone: String!, $code: String!) {"
            " result: signInWithCode(homePartyId: $home, phone: $phone, code: $code)"
            f" {{ {SIGNED_IN} }} }}",
            home=home,
            phone=number,
            code=code,
        )

    async def by_assertion(self, assertion: str) -> "Phone":
        """Signed in with what the driver's home has signed.

        Raises:
            Trouble: it is not accepted.
        """
        return await self._signed_in(
            "mutation($assertion: String!) { result: signInWithAssertion(assertion: $assertion)"
            f" {{ {SIGNED_IN} }} }}",
            assertion=assertion,
        )

    async def _signed_in(self, document: str, **variables: object) -> "Phone":
        answer = (await self.ask(document, **variables))["result"]
        if "accessToken" not in answer:
            raise Trouble(f"a driver could not sign in: {answer}")
        return Phone(self._http, self._url, answer["accessToken"], language=self._language)

    async def start(self, code: str, target: dict[str, int] | None = None) -> dict[str, Any]:
        """Scan a code and start: the session, or `{"code", "message"}`."""
        scanned = (
            await self.ask(
                "query($code: String!) { result: resolveScan(code: $code)"
                f" {{ ... on ScannedConnector {{ scanId hold stationName }} {_ERROR} }} }}",
                code=code,
            )
        )["result"]
        if "scanId" not in scanned:
            return cast("dict[str, Any]", scanned)
        wanted = {"scanId": scanned["scanId"], "idempotencyKey": fresh_id("phone"), "target": target}
        answer = await self.ask(
            "mutation($input: StartChargingInput!) { result: startCharging(input: $input)"
            f" {{ ... on ChargingSession {{ {_SESSION} }} {_ERROR} }} }}",
            input=wanted,
        )
        return cast("dict[str, Any]", answer["result"])

    async def stop(self, session_id: str) -> None:
        """By hand.

        Raises:
            Trouble: it may not be stopped.
        """
        answer = await self.ask(
            "mutation($input: StopChargingInput!) { result: stopCharging(input: $input)"
            f" {{ ... on ChargingStop {{ sessionId }} {_ERROR} }} }}",
            input={"sessionId": session_id, "idempotencyKey": f"stop-{session_id}"},
        )
        if "sessionId" not in answer["result"]:
            raise Trouble(f"a charge could not be stopped: {answer['result']}")

    async def newest_session(self) -> str | None:
        """The charge that changed last."""
        answer = await self.ask("{ chargingSessions(first: 1) { edges { node { id } } } }")
        edges = answer["chargingSessions"]["edges"]
        return str(edges[0]["node"]["id"]) if edges else None

    async def held_fen(self) -> int:
        """What the home holds of this driver's money."""
        answer = await self.ask("{ me { wallet { balance held } } }")
        return int(answer["me"]["wallet"]["held"] or 0)

    async def report_fault(self, connector: str, kind: str, text: str) -> dict[str, Any]:
        """Something is wrong with this connector; the fault as it was taken.

        Raises:
            Trouble: it was not taken.
        """
        answer = await self.ask(
            "mutation($input: ReportFaultInput!) { result: reportFault(input: $input)"
            f" {{ ... on Fault {{ id stateText orderStateText }} {_ERROR} }} }}",
            input={"connector": connector, "kind": kind, "text": text, "idempotencyKey": fresh_id("fault")},
        )
        if "id" not in answer["result"]:
            raise Trouble(f"a fault could not be reported: {answer['result']}")
        return cast("dict[str, Any]", answer["result"])

    async def faults(self) -> list[dict[str, Any]]:
        """What the driver reported, with what came of it."""
        answer = await self.ask(
            "{ faults(first: 20) { edges { node { id stateText orderStateText outcome } } } }"
        )
        return [edge["node"] for edge in answer["faults"]["edges"]]

    async def follow(self, session_id: str) -> AsyncIterator[SessionProgress]:
        """Every update of a charge until it is over, across lost connections."""
        number, is_over = 0, False
        while not is_over:
            with contextlib.suppress(OSError, WebSocketException, TimeoutError):
                async for update in self._subscribed(session_id, number):
                    number, is_over = update.number, update.state in OVER
                    yield update
            if not is_over:
                await asyncio.sleep(AGAIN_S)

    async def ask(self, document: str, **variables: object) -> dict[str, Any]:
        """One operation; its data.

        Raises:
            Trouble: the service says that the operation itself is wrong, or cannot be reached.
        """
        answer = await self._http.post(
            self._url, json={"query": document, "variables": variables}, headers=self._headers
        )
        said = answer.json() if answer.status_code == 200 else {"errors": answer.text[:200]}
        if said.get("errors"):
            raise Trouble(f"the phone's service answered {answer.status_code}: {said['errors']}")
        return cast("dict[str, Any]", said["data"])

    @property
    def _headers(self) -> dict[str, str]:
        known = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        return {"Accept-Language": self._language, **known}

    async def _subscribed(self, session_id: str, after: int) -> AsyncIterator[SessionProgress]:
        url = self._url.replace("http", "ws", 1)
        async with connect(url, subprotocols=[PROTOCOL], open_timeout=10, proxy=None) as socket:
            await _say(socket, type="connection_init", payload={**self._headers, "locale": self._language})
            await _hear(socket, "connection_ack")
            query = (
                "subscription($id: ID!, $after: Int!)"
                f" {{ chargingProgress(sessionId: $id, after: $after) {{ {PROGRESS} }} }}"
            )
            asked = {"query": query, "variables": {"id": session_id, "after": after}}
            await _say(socket, id="1", type="subscribe", payload=asked)
            while (heard := await _hear(socket, "next", "complete", "error"))["type"] == "next":
                payload = heard["payload"]
                if payload.get("errors"):
                    raise Trouble(f"the subscription failed: {payload['errors']}")
                yield _progress(session_id, payload["data"]["chargingProgress"])
            if heard["type"] == "error":
                raise Trouble(f"the subscription was refused: {heard['payload']}")


async def _say(socket: ClientConnection, **message: object) -> None:
    await socket.send(json.dumps(message))


async def _hear(socket: ClientConnection, *types: str) -> dict[str, Any]:
    """The next message of one of these types; pings are answered on the way."""
    while True:
        message: dict[str, Any] = json.loads(await socket.recv())
        if message["type"] == "ping":
            await _say(socket, type="pong")
        elif message["type"] in types:
            return message


def _progress(session_id: str, said: dict[str, Any]) -> SessionProgress:
    named = {
        "session_id": session_id,
        "number": said["number"],
        "at": said["at"],
        "state": said["stateText"],
        "energy_wh": said["energy"],
        "amount_fen": said["amount"],
        "power_w": said["powerW"],
        "percent": said["percent"],
        "seconds_left": said["secondsLeft"],
        "soc_percent": said["socPercent"],
        "stop_reason": said["stopReasonText"],
    }
    return msgspec.convert(named, type=SessionProgress)


def _codes(file: Path, number: str) -> list[str]:
    with contextlib.suppress(FileNotFoundError):
        said = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        return [one["code"] for one in said if one["phone"].endswith(number)]
    return []
