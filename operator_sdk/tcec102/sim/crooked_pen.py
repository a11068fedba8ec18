"""Envelopes as some partners make them: a pen that follows the pains switched on."""

import json
from typing import Any

from msgspec.structs import replace

from operator_sdk.clock import Clock, unix_ms
from operator_sdk.contract.tcec102.crypto import encrypt, signature
from operator_sdk.contract.tcec102.keys import KeySet
from operator_sdk.contract.tcec102.messages import Part, QueryTokenReply
from operator_sdk.contract.tcec102.profile import Profile
from operator_sdk.tcec102.pen import Pen
from operator_sdk.tcec102.sim.crooked_json import spoil
from operator_sdk.tcec102.sim.pains import Pains

_MIME_COLUMNS = 76
_OF_REQUESTS = ("epoch_ms", "constant_seq", "lower_case_sig", "mime_base64")
_OF_ANSWERS = (
    "lower_case_sig",
    "mime_base64",
    "ret_as_string",
    "unsigned_errors",
    "unsigned_answers",
    "foreign_answer_sig",
    "wrong_answer_sig",
    "data_null",
    "data_absent",
)


class CrookedPen(Pen):
    """Writes as the profile says, and wrong where a pain says so."""

    def __init__(self, pains: Pains, clock: Clock) -> None:
        self._pains, self._clock = pains, clock

    def write(self, message: Part, profile: Profile) -> bytes:
        """The business JSON, spoilt."""
        if isinstance(message, QueryTokenReply) and "token_absolute_ms" in self._pains:
            ends_ms = unix_ms(self._clock.wall()) + 1000 * message.token_available_time
            message = replace(message, token_available_time=ends_ms)
        return spoil(super().write(message, self._profile(profile)), self._pains)

    def seal_request(self, keys: KeySet, operator_id: str, plain: bytes, *, stamp: str, seq: str) -> bytes:
        """A request's envelope."""
        if not any(name in self._pains for name in _OF_REQUESTS):
            return super().seal_request(keys, operator_id, plain, stamp=stamp, seq=seq)
        if "epoch_ms" in self._pains:
            stamp = str(unix_ms(self._clock.wall()))
        if "constant_seq" in self._pains:
            seq = "0001"
        data = self._data(keys, plain)
        sig = self._sig(keys, operator_id + data + stamp + seq)
        return _json({"OperatorID": operator_id, "Data": data, "TimeStamp": stamp, "Seq": seq, "Sig": sig})

    def seal_answer(self, keys: KeySet, ret: int, msg: str, plain: bytes | None, profile: Profile) -> bytes:
        """An answer's envelope."""
        if not any(name in self._pains for name in _OF_ANSWERS):
            return super().seal_answer(keys, ret, msg, plain, profile)
        data = self._data(keys, plain or b"{}")
        sent: Any = data
        if ret != 0 and "data_null" in self._pains:
            # As Java signs it: a null becomes four letters.
            data, sent = "null", None
        if ret != 0 and "data_absent" in self._pains:
            data, sent = "", None
        sig: str | None = self._sig(keys, f"{ret}{msg}{data}")
        if "wrong_answer_sig" in self._pains:
            sig = "0" * 32
        if "foreign_answer_sig" in self._pains:
            sig = self._sig(keys, f"{profile.operator_id}{data}202601010000000001")
        if "unsigned_answers" in self._pains or (ret != 0 and "unsigned_errors" in self._pains):
            sig = None
        body = {"Ret": str(ret) if "ret_as_string" in self._pains else ret, "Msg": msg, "Data": sent}
        if sent is None and "data_absent" in self._pains:
            del body["Data"]
        return _json(body if sig is None else {**body, "Sig": sig})

    def _data(self, keys: KeySet, plain: bytes) -> str:
        data = encrypt(keys, plain)
        if "mime_base64" not in self._pains:
            return data
        return "\r\n".join(data[at : at + _MIME_COLUMNS] for at in range(0, len(data), _MIME_COLUMNS))

    def _sig(self, keys: KeySet, text: str) -> str:
        sig = signature(keys, text)
        return sig.lower() if "lower_case_sig" in self._pains else sig

    def _profile(self, profile: Profile) -> Profile:
        if "service_spelling" in self._pains:
            profile = replace(profile, spelling=replace(profile.spelling, service="Service"))
        if "lower_camel" in self._pains:
            profile = replace(profile, spelling=replace(profile.spelling, case="lower_camel"))
        if "odd_money" in self._pains:
            profile = replace(profile, numbers=replace(profile.numbers, money_decimals=4))
        return profile


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
