"""Who signed this request, and was it seen before: the checks before an operator's code runs."""

from collections import deque

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from operator_sdk.contract.public_codes import Code
from operator_sdk.contract.signing import WINDOW_S, Claims, SignatureProblem, verify_request

NONCES_MAX = 200_000


class Refuse(Exception):
    """Answer a call with an error: a public code, and words where the code's own do not do.

    A handler raises it for what the contract calls errors (`not_found`, `state_conflict`). What it
    calls refusals (`insufficient_funds`) is no error: answer with the `refusal` field instead.
    """

    def __init__(
        self, code: Code | str, message: str | None = None, *, retry_after_s: int | None = None
    ) -> None:
        super().__init__(str(code))
        self.code = str(code)
        self.message = message
        self.retry_after_s = retry_after_s


class NonceMemory:
    """Nonces for as long as their signatures are within the window, and no longer."""

    def __init__(self, most: int = NONCES_MAX) -> None:
        self._seen: set[tuple[str, str]] = set()
        self._by_age: deque[tuple[int, tuple[str, str]]] = deque()
        self._most = most

    def __len__(self) -> int:
        return len(self._seen)

    def take(self, claims: Claims, now_s: int) -> None:
        """Remember a nonce.

        Raises:
            Refuse: `replayed` when it was seen; `too_many_requests` when there is no room to remember.
        """
        while self._by_age and self._by_age[0][0] < now_s:
            self._seen.discard(self._by_age.popleft()[1])
        nonce = (claims.key_id, claims.nonce)
        if nonce in self._seen:
            raise Refuse(Code.REPLAYED)
        if len(self._seen) >= self._most:
            raise Refuse(Code.TOO_MANY_REQUESTS, retry_after_s=1)
        self._seen.add(nonce)
        # Signatures may be dated up to a window ahead, so a nonce is kept for two.
        self._by_age.append((now_s + 2 * WINDOW_S, nonce))


def admit(
    claims: Claims,
    key: Ed25519PublicKey | None,
    *,
    method: str,
    target_uri: str,
    body: bytes,
    digest_header: str | None,
    now_s: int,
) -> None:
    """Check a request's signature against the key of its sender.

    Raises:
        Refuse: `signature_invalid` or `signature_stale`.
    """
    if key is None:
        raise Refuse(Code.SIGNATURE_INVALID)
    try:
        verify_request(
            claims,
            key,
            method=method,
            target_uri=target_uri,
            body=body,
            digest_header=digest_header,
            now_s=now_s,
        )
    except SignatureProblem as problem:
        raise Refuse(problem.code) from problem
