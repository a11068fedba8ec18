"""PartyLink to an operator's own platform: signed calls out, verified answers back."""

from dataclasses import dataclass
from typing import TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.core.clock import Clock, unix_s
from hub.core.ids import Ids
from hub.core.outbound import Outbound, OutboundAnswer, OutboundError
from hub.core.requests import current_request_id
from hub.core.secrets import Seal
from hub.core.tables import Evidence
from hub.parties.link import Capability, LinkError, LinkRefused, MissingLink
from hub.parties.service import PartiesService
from operator_sdk.contract.messages.checks import RecordListPart, RecordListReply
from operator_sdk.contract.messages.common import Empty, ErrorBody, Message, Token
from operator_sdk.contract.messages.records import HomeRecord, RecordAnswer, SettlementRecord, SettlementReply
from operator_sdk.contract.messages.roaming import (
    CheckConnectorReply,
    CheckConnectorRequest,
    DriverAccount,
    DriverAccountRequest,
    HomeAuthorization,
    HomeAuthorizeRequest,
    HostSession,
    HostStartReply,
    HostStartRequest,
    ReleaseReply,
    ReleaseRequest,
    SessionProgress,
    StopReply,
    StopRequest,
)
from operator_sdk.contract.operations import OPERATOR, Operation
from operator_sdk.contract.signing import (
    SignatureHeaders,
    SignatureProblem,
    SigningKey,
    read_claims,
    sign_request,
    verify_answer,
)

M = TypeVar("M", bound=Message)

AUTHORIZE_S, START_S, OTHER_S, LIST_S = 3, 5, 10, 20
SERVER_ERROR = 500
FINAL_STATUSES = range(400, SERVER_ERROR)
TRY_AGAIN = frozenset({401, 408, 409, 425, 429})
"""Client errors that are no decision: ours to mend or to repeat."""


@dataclass(frozen=True, slots=True)
class NativeTools:
    """What all native links share."""

    outbound: Outbound
    signer: SigningKey
    parties: PartiesService
    clock: Clock
    ids: Ids
    seal: Seal


class NativeLink(MissingLink):
    """One operator's platform at its registered base URL."""

    capabilities = frozenset(
        {
            Capability.CHECK_CONNECTOR,
            Capability.AUTHORIZE,
            Capability.RELEASE_AUTHORIZATION,
            Capability.START,
            Capability.STOP,
            Capability.QUERY_SESSION,
            Capability.PUSH_SESSION,
            Capability.PUSH_RECORD,
            Capability.PUSH_SETTLEMENT,
            Capability.CHECK_RECORDS,
            Capability.DRIVER_ACCOUNT,
        }
    )

    def __init__(self, party_id: str, base_url: str, tools: NativeTools) -> None:
        self._party_id, self._base_url, self._tools = party_id, base_url.rstrip("/"), tools

    async def check_connector(self, connector_id: str) -> CheckConnectorReply:
        """Ask the host."""
        return await self._ask(
            CheckConnectorReply, "check_connector", CheckConnectorRequest(connector_id=connector_id)
        )

    async def authorize(self, request: HomeAuthorizeRequest) -> tuple[HomeAuthorization, Evidence | None]:
        """Ask the home, within 3 s."""
        return await self._ask_proven(HomeAuthorization, "authorize", request, timeout_s=AUTHORIZE_S)

    async def release_authorization(
        self, authorization_id: str, reason: str, home_ref: str | None = None
    ) -> None:
        """Tell the home to give back."""
        request = ReleaseRequest(authorization_id=authorization_id, reason=reason, home_ref=home_ref)
        await self._ask(ReleaseReply, "release_authorization", request, authorization_id=authorization_id)

    async def start(self, request: HostStartRequest) -> HostStartReply:
        """Start at the host, within 5 s."""
        return await self._ask(HostStartReply, "start", request, timeout_s=START_S)

    async def stop(self, session_id: str, request: StopRequest) -> StopReply:
        """Stop at the host."""
        return await self._ask(StopReply, "stop", request, session_id=session_id)

    async def query_session(self, session_id: str) -> HostSession:
        """Ask the host."""
        return await self._ask(HostSession, "query_session", None, session_id=session_id)

    async def push_session(self, progress: SessionProgress) -> None:
        """Tell the home."""
        await self._ask(Empty, "push_session", progress, session_id=progress.session_id)

    async def push_record(self, record: HomeRecord) -> tuple[RecordAnswer, Evidence | None]:
        """Bill the home."""
        return await self._ask_proven(RecordAnswer, "push_record", record)

    async def push_settlement(self, settlement: SettlementRecord) -> None:
        """Tell the host."""
        await self._ask(SettlementReply, "push_settlement", settlement)

    async def check_records(self, part: RecordListPart) -> tuple[RecordListReply, Evidence | None]:
        """Ask the operator to compare, within 20 s."""
        return await self._ask_proven(RecordListReply, "check_records", part, timeout_s=LIST_S)

    async def driver_account(self, token: Token) -> DriverAccount:
        """Ask the home."""
        return await self._ask(DriverAccount, "driver_account", DriverAccountRequest(token=token))

    async def _ask(
        self,
        reply: type[M],
        operation_id: str,
        message: Message | None,
        *,
        timeout_s: int = OTHER_S,
        **path: str,
    ) -> M:
        said, _ = await self._ask_proven(reply, operation_id, message, timeout_s=timeout_s, **path)
        return said

    async def _ask_proven(
        self,
        reply: type[M],
        operation_id: str,
        message: Message | None,
        *,
        timeout_s: int = OTHER_S,
        **path: str,
    ) -> tuple[M, Evidence | None]:
        operation = OPERATOR[operation_id]
        url = self._base_url + operation.path.format(**path)
        body = b"" if message is None else msgspec.json.encode(message)
        signed = self._sign(operation, url, body)
        headers = {
            "content-type": "application/json",
            "x-request-id": current_request_id(),
            **signed.as_dict(),
        }
        try:
            answer = await self._tools.outbound.call(
                operation.method, url, headers=headers, body=body, timeout_s=timeout_s
            )
        except OutboundError as problem:
            raise LinkError(problem.reason, sent=problem.sent) from problem
        proof = None
        if operation.signed and answer.status < SERVER_ERROR:
            proof = await self._verify(answer, signed)
        return _decode(reply, answer), proof

    def _sign(self, operation: Operation, url: str, body: bytes) -> SignatureHeaders:
        return sign_request(
            self._tools.signer,
            method=operation.method,
            target_uri=url,
            body=body,
            created=unix_s(self._tools.clock.wall()),
            nonce=self._tools.ids.secret(),
        )

    async def _verify(self, answer: OutboundAnswer, signed: SignatureHeaders) -> Evidence:
        headers = answer.headers
        try:
            claims = read_claims(headers.get("signature-input"), headers.get("signature"))
            key = await self._key(claims.key_id)
            verify_answer(
                claims,
                key,
                status=answer.status,
                body=answer.body,
                digest_header=headers.get("content-digest"),
                request_signature=signed.signature,
                now_s=unix_s(self._tools.clock.wall()),
            )
        except SignatureProblem as problem:
            raise LinkError(problem.code) from problem
        signature = f"{headers['signature-input']}\n{headers['signature']}\nreq: {signed.signature}"
        return Evidence(body=self._tools.seal.close(answer.body), key_id=claims.key_id, signature=signature)

    async def _key(self, key_id: str) -> Ed25519PublicKey:
        key = await self._tools.parties.live_key(self._party_id, key_id)
        if key is None:
            raise SignatureProblem("signature_invalid")
        return key


def _decode(reply: type[M], answer: OutboundAnswer) -> M:
    if answer.status in FINAL_STATUSES:
        kind = LinkError if answer.status in TRY_AGAIN else LinkRefused
        raise kind(_error_code(answer.body))
    if not 200 <= answer.status < 300:
        raise LinkError(f"status {answer.status}")
    try:
        return msgspec.json.decode(answer.body or b"{}", type=reply)
    except msgspec.DecodeError as problem:
        raise LinkError("malformed answer") from problem


def _error_code(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=ErrorBody).code[:40]
    except msgspec.DecodeError:
        return "malformed"
