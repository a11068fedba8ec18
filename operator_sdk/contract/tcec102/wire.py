"""The envelopes of T/CEC 102.4: seal and open requests and answers.

Encrypted first, then signed; verified first, then decrypted. A signature is compared with that of every key
set, in constant time. Of a request only what is verified is decrypted, so that padding tells nobody anything.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from operator_sdk.contract.tcec102.crypto import decrypt, encrypt, same_signature, signature
from operator_sdk.contract.tcec102.keys import KeySet
from operator_sdk.contract.tcec102.loose_json import NotJson, parse
from operator_sdk.contract.tcec102.problems import Ret, WireProblem
from operator_sdk.contract.tcec102.profile import Profile

__all__ = [
    "Answered",
    "Envelope",
    "Opened",
    "Ret",
    "WireProblem",
    "open_answer",
    "open_request",
    "read_envelope",
    "seal_answer",
    "seal_request",
]

_OPERATOR_ID = re.compile(r"[0-9A-Za-z]{1,32}")
_STAMP = re.compile(r"[0-9]{14}|[0-9]{13}")
_EPOCH_MS_DIGITS = 13
_SEQ = re.compile(r"[0-9]{1,4}")
_SIG = re.compile(r"[0-9A-F]{32}")
_ANY_SIG = re.compile(r"[0-9A-Fa-f]{32}")
_RET = re.compile(r"-?[0-9]{1,9}")
_LONGEST_MSG = 500
_LOWER_CASE, _LINE_BREAKS = "lower_case_sig", "line_breaks"
_ENVELOPE_FIELDS = ("OperatorID", "Data", "TimeStamp", "Seq", "Sig")
_ANSWER_FIELDS = ("Ret", "Msg", "Data", "Sig", "OperatorID")


@dataclass(frozen=True, slots=True)
class Envelope:
    """A request, its fields as text. `tolerated` says what was forgiven to get there.

    `data` is without line breaks and `sig` in upper case, so that the same message resent has the same fields
    however its JSON is written; `sent_data` is Data as it came, which is what may have been signed.
    """

    operator_id: str
    data: str
    time_stamp: str
    seq: str
    sig: str
    sent_data: str
    tolerated: frozenset[str] = frozenset()

    @property
    def signed_text(self) -> str:
        """What the signature covers: the same for the same message, however its JSON is written."""
        return self.operator_id + self.data + self.time_stamp + self.seq

    @property
    def digest(self) -> bytes:
        """What makes two envelopes one message, for a replay guard: who replays may add a blank to a body."""
        return hashlib.sha256(f"{self.signed_text}\x1f{self.sig}".encode()).digest()


@dataclass(frozen=True, slots=True)
class Opened:
    """A verified request: the business bytes and the key set that fits, with which the answer is sealed."""

    plain: bytes
    keys: KeySet
    tolerated: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer. `ret` is the standard's code where the profile translates one; `operator_id` is not signed."""

    ret: int
    msg: str
    plain: bytes | None
    tolerated: frozenset[str] = frozenset()
    operator_id: str | None = None


def seal_request(keys: KeySet, operator_id: str, plain: bytes, *, stamp: str, seq: str) -> bytes:
    """A request's body. `operator_id` is the caller's own; `keys` are those that the callee issued to it."""
    data = encrypt(keys, plain)
    return msgspec.json.encode(
        {
            "OperatorID": operator_id,
            "Data": data,
            "TimeStamp": stamp,
            "Seq": seq,
            "Sig": signature(keys, operator_id + data + stamp + seq),
        }
    )


UNREADABLE = "decrypt"
"""The reason of a problem behind a good signature: whoever sent it has the keys."""


def read_envelope(body: bytes) -> Envelope:
    """The fields of a request; nothing is verified yet, so nothing of it may be believed but whom it names.

    Raises:
        WireProblem: ENVELOPE (4003): not JSON, or a field is missing or not of its form.
    """
    tolerated: set[str] = set()
    found = _fields(body, _ENVELOPE_FIELDS, tolerated)
    texts = [_required_text(found, name, tolerated) for name in _ENVELOPE_FIELDS]
    operator_id, data, stamp, seq, sig = texts
    _must_fit(_OPERATOR_ID, operator_id, "OperatorID: 9 letters and digits are expected")
    _must_fit(_STAMP, stamp, "TimeStamp: yyyyMMddHHmmss is expected")
    _must_fit(_SEQ, seq, "Seq: 4 digits are expected")
    _must_fit(_ANY_SIG, sig, "Sig: 32 hexadecimal digits are expected")
    if len(stamp) == _EPOCH_MS_DIGITS:
        tolerated.add("epoch_stamp")
    if not _SIG.fullmatch(sig):
        tolerated.add(_LOWER_CASE)
    joined = "".join(data.split())
    if joined != data:
        tolerated.add(_LINE_BREAKS)
    return Envelope(operator_id, joined, stamp, seq, sig.upper(), data, frozenset(tolerated))


def open_request(envelope: Envelope, key_sets: Sequence[KeySet], profile: Profile) -> Opened:
    """Verify, then decrypt, with the key sets that we issued to the caller.

    Raises:
        WireProblem: SIGNATURE (4001): no key set fits; ENVELOPE (4003): Data does not decrypt to UTF-8.
    """
    _check_case(profile, is_lower=_LOWER_CASE in envelope.tolerated)
    after = envelope.time_stamp + envelope.seq
    before, datas = [envelope.operator_id], _data_forms(envelope.sent_data)
    fitting, forms = _verified(envelope.sig, key_sets, before, datas, after)
    if not fitting:
        raise WireProblem(
            Ret.SIGNATURE,
            "Sig does not match: upper-case hex of HMAC-MD5, key SigSecret, over OperatorID+Data+TimeStamp+Seq",
            "signature",
        )
    opened = _decrypted(fitting, envelope.data)
    if opened is None:
        raise WireProblem(
            Ret.ENVELOPE,
            "Data does not decrypt: AES-128-CBC with PKCS#7, DataSecret and DataSecretIV, base64, UTF-8",
            UNREADABLE,
        )
    return Opened(*opened, tolerated=forms)


def seal_answer(keys: KeySet | None, ret: int, msg: str, plain: bytes | None, profile: Profile | None) -> bytes:
    """An answer's body, always signed when there are keys.

    Without `plain` Data is an encrypted `{}`, or "" where the profile says `errors_sealed = false`. Without
    keys (the caller is not known) Data and Sig are "".
    """
    if keys is None:
        return _answer(ret, msg, "", "")
    if plain is None and profile is not None and not profile.signature.errors_sealed:
        data = ""
    else:
        data = encrypt(keys, b"{}" if plain is None else plain)
    return _answer(ret, msg, data, signature(keys, f"{int(ret)}{msg}{data}"))


def _answer(ret: int, msg: str, data: str, sig: str) -> bytes:
    return msgspec.json.encode({"Ret": int(ret), "Msg": msg, "Data": data, "Sig": sig})


def open_answer(body: bytes, key_sets: Sequence[KeySet], profile: Profile) -> Answered:
    """An answer to our call, opened with the key sets that the callee issued to us.

    Where Ret is not 0, Data may be anything; a Data that opens is given, another is None.

    Raises:
        WireProblem: ENVELOPE (4003): not an answer, or a successful one without a Data that decrypts; SIGNATURE
            (4001): Sig is wrong, or missing where the profile's policy is `strict`. Only a 4002 is believed
            without one: many platforms sign no errors, and all that it can bring about is another token.
    """
    tolerated: set[str] = set()
    found = _fields(body, _ANSWER_FIELDS, tolerated)
    ret_text = _ret_text(found.get("Ret"), tolerated)
    msg, data = _text_or_none(found, "Msg", tolerated), _text_or_none(found, "Data", tolerated)
    fitting, forms = _judged(found, (ret_text, msg, data), key_sets, profile)
    tolerated |= forms
    ret = int(ret_text)
    standard: int = profile.ret.theirs.get(str(ret), ret)
    if standard != ret:
        tolerated.add("own_ret")
    opened = _decrypted(fitting, data) if data else None
    if opened is None and ret == Ret.OK:
        raise WireProblem(Ret.ENVELOPE, "Data of a successful answer is missing or does not decrypt", "decrypt")
    operator_id = found.get("OperatorID")
    return Answered(
        ret=standard,
        msg=(msg or "").replace("\0", "")[:_LONGEST_MSG],
        plain=opened[0] if opened else None,
        tolerated=frozenset(tolerated),
        operator_id=operator_id if isinstance(operator_id, str) else None,
    )


def _judged(
    found: dict[str, Any],
    parts: tuple[str, str | None, str | None],
    key_sets: Sequence[KeySet],
    profile: Profile,
) -> tuple[list[KeySet], frozenset[str]]:
    """The key sets that may open the answer, by the profile's policy of signatures."""
    policy = profile.signature.answers
    if policy == "none":
        return list(key_sets), frozenset({"unverified"})
    sig = found.get("Sig")
    if not sig:
        if policy == "if_present":
            return list(key_sets), frozenset({"unsigned"})
        if profile.ret.theirs.get(parts[0], int(parts[0])) == Ret.TOKEN:
            return [], frozenset({"unsigned_4002"})  # no key set: whatever Data says is not opened
        raise WireProblem(Ret.SIGNATURE, f"the answer (Ret {parts[0]}) has no Sig", "unsigned")
    if not isinstance(sig, str) or not _ANY_SIG.fullmatch(sig):
        raise WireProblem(Ret.SIGNATURE, "the answer's Sig is not 32 hexadecimal digits", "signature")
    _check_case(profile, is_lower=not _SIG.fullmatch(sig))
    ret_text, msg, data = parts
    forms = _data_forms(data) if data is not None else _NULL_FORMS
    fitting, tolerated = _verified(sig, key_sets, _msg_forms(ret_text, msg), forms, "")
    if not fitting:
        raise WireProblem(Ret.SIGNATURE, "the answer's Sig does not match Ret+Msg+Data", "signature")
    return fitting, tolerated


_NULL_FORMS = ["", "null"]
"""What a null is in a signature: nothing, or Java's text of it."""


def _msg_forms(ret_text: str, msg: str | None) -> list[str]:
    return [ret_text + form for form in (_NULL_FORMS if msg is None else [msg])]


def _data_forms(data: str) -> list[str]:
    """Data as it came, and without the line breaks of a MIME encoder."""
    joined = "".join(data.split())
    return [data] if joined == data else [data, joined]


def _verified(
    sig: str, key_sets: Sequence[KeySet], befores: list[str], datas: list[str], after: str
) -> tuple[list[KeySet], frozenset[str]]:
    """The key sets whose signature it is, over any of the forms in which the parts may have been signed."""
    fitting: list[KeySet] = []
    tolerated: set[str] = set()
    for keys in key_sets:
        for before in befores:
            for data in datas:
                if same_signature(signature(keys, before + data + after), sig.upper()):
                    fitting.append(keys)
                    # Of more than one form of Ret+Msg the last is Java's text of a Msg that is null.
                    _note(tolerated, data, datas, is_null=len(befores) > 1 and before == befores[-1])
    return fitting, frozenset(tolerated)


def _note(tolerated: set[str], data: str, datas: list[str], *, is_null: bool) -> None:
    if is_null or (datas is _NULL_FORMS and data == _NULL_FORMS[-1]):
        tolerated.add("null_text_signed")
    if len(datas) > 1 and datas is not _NULL_FORMS:
        tolerated.add(_LINE_BREAKS)


def _check_case(profile: Profile, *, is_lower: bool) -> None:
    if is_lower and not profile.signature.lower_case_sig:
        raise WireProblem(Ret.SIGNATURE, "Sig must be upper-case hexadecimal", "signature_case")


def _decrypted(key_sets: Sequence[KeySet], data: str) -> tuple[bytes, KeySet] | None:
    """The bytes and the key set that gave them; a wrong key hardly ever gives UTF-8."""
    joined = "".join(data.split())
    for keys in key_sets:
        try:
            plain = decrypt(keys, joined)
            plain.decode()
        except ValueError:
            continue
        return plain, keys
    return None


def _fields(body: bytes, names: tuple[str, ...], tolerated: set[str]) -> dict[str, Any]:
    """The envelope's own fields, found in any case; the others are left."""
    try:
        tree, forgiven = parse(body)
    except NotJson as problem:
        raise WireProblem(Ret.ENVELOPE, f"the body is not JSON: {problem}", "not_json") from None
    if not isinstance(tree, dict):
        raise WireProblem(Ret.ENVELOPE, "the body must be a JSON object", "not_json")
    tolerated |= forgiven
    standard = {name.lower(): name for name in names}
    found: dict[str, Any] = {}
    for given, value in tree.items():
        name = standard.get(given.lower())
        if name is None:
            continue
        if name != given:
            tolerated.add(f"case:{name}")
        if name in found and found[name] != value:
            raise WireProblem(Ret.ENVELOPE, f"{name} is given twice, in two spellings", "envelope")
        found[name] = value
    return found


def _required_text(found: dict[str, Any], name: str, tolerated: set[str]) -> str:
    text = _text_or_none(found, name, tolerated)
    if not text:
        raise WireProblem(Ret.ENVELOPE, f"{name} is required", "envelope")
    return text


def _text_or_none(found: dict[str, Any], name: str, tolerated: set[str]) -> str | None:
    value = found.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**30:
        tolerated.add(f"number:{name}")
        return str(value)
    if value == {} and name == "Data":
        tolerated.add("object:Data")
        return None
    if value is not None and not isinstance(value, str):
        raise WireProblem(Ret.ENVELOPE, f"{name}: text is expected", "envelope")
    return value


def _ret_text(value: Any, tolerated: set[str]) -> str:
    if isinstance(value, str) and _RET.fullmatch(value):
        tolerated.add("text_number:Ret")
        return value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**9:
        return str(value)
    raise WireProblem(Ret.ENVELOPE, "Ret: a whole number is expected", "envelope")


def _must_fit(form: re.Pattern[str], text: str, expected: str) -> None:
    if not form.fullmatch(text):
        raise WireProblem(Ret.ENVELOPE, expected, "envelope")
