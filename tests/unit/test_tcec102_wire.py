"""Envelopes: what is forgiven, what is refused with which Ret, and rotation of keys without a lost message."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from operator_sdk.contract.tcec102.crypto import encrypt, signature
from operator_sdk.contract.tcec102.golden import GOLDEN_KEYS as KEYS
from operator_sdk.contract.tcec102.golden import GOLDEN_PROFILE as PROFILE
from operator_sdk.contract.tcec102.keys import KeySet
from operator_sdk.contract.tcec102.profile import RetCodes, Signature
from operator_sdk.contract.tcec102.wire import (
    Answered,
    Opened,
    WireProblem,
    open_answer,
    open_request,
    read_envelope,
    seal_answer,
    seal_request,
)

CALLER, STAMP, SEQ, PLAIN = "123456789", "20260801100000", "0001", b'{"StartChargeSeq":"1"}'
OTHER = KeySet(
    operator_secret="other",
    data_secret="fedcba0987654321",
    data_secret_iv="fedcba0987654321",
    sig_secret="fedcba0987654321",
)


def _request(**changed: Any) -> dict[str, Any]:
    sealed: dict[str, Any] = json.loads(seal_request(KEYS, CALLER, PLAIN, stamp=STAMP, seq=SEQ))
    sealed.update(changed)
    return {name: value for name, value in sealed.items() if value is not ...}


def _open(fields: dict[str, Any], **policy: Any) -> Opened:
    profile = replace(PROFILE, signature=Signature(**policy))
    return open_request(read_envelope(json.dumps(fields).encode()), [OTHER, KEYS], profile)


def _refused(fields: dict[str, Any], **policy: Any) -> WireProblem:
    with pytest.raises(WireProblem) as caught:
        _open(fields, **policy)
    return caught.value


def _answer(keys: KeySet = KEYS, signed: str | None = None, **changed: Any) -> bytes:
    """An answer of a partner's making; `signed` is the text that it signed."""
    data = encrypt(keys, PLAIN)
    fields: dict[str, Any] = {"Ret": 0, "Msg": "", "Data": data, "Sig": signature(keys, f"0{data}"), **changed}
    if signed is not None:
        fields["Sig"] = signature(keys, signed)
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


def _opened(body: bytes, **policy: Any) -> Answered:
    return open_answer(body, [OTHER, KEYS], replace(PROFILE, signature=Signature(**policy)))


def test_a_request_in_any_case_with_numbers_for_text_is_opened() -> None:
    signed = signature(KEYS, f"{CALLER}{encrypt(KEYS, PLAIN)}{STAMP}1")
    fields = {name.lower(): value for name, value in _request(Seq=1, TimeStamp=int(STAMP), Sig=signed).items()}
    envelope = read_envelope(json.dumps(fields).encode())
    assert envelope.tolerated >= {"case:Sig", "number:Seq", "number:TimeStamp"}
    assert _open(fields).plain == PLAIN


@pytest.mark.parametrize("signs_the_breaks", [True, False])
def test_line_breaks_of_a_mime_encoder_are_forgiven(signs_the_breaks: bool) -> None:
    data = encrypt(KEYS, PLAIN * 9)
    wrapped = "\r\n".join(data[at : at + 76] for at in range(0, len(data), 76)) + "\r\n"
    signed = signature(KEYS, f"{CALLER}{wrapped if signs_the_breaks else data}{STAMP}{SEQ}")
    opened = _open(_request(Data=wrapped, Sig=signed))
    assert opened == Opened(PLAIN * 9, KEYS, frozenset({"line_breaks"}))


def test_epoch_milliseconds_are_forgiven_as_a_stamp() -> None:
    body = seal_request(KEYS, CALLER, PLAIN, stamp="1785549600000", seq=SEQ)
    assert read_envelope(body).tolerated == {"epoch_stamp"}
    assert open_request(read_envelope(body), [KEYS], PROFILE).plain == PLAIN


@pytest.mark.parametrize(
    ("changed", "msg"),
    [
        ({"Sig": ...}, "Sig is required"),
        ({"Data": ""}, "Data is required"),
        ({"OperatorID": None}, "OperatorID is required"),
        ({"OperatorID": "12345678'"}, "OperatorID: 9 letters and digits are expected"),
        ({"TimeStamp": "2026-08-01 10:00:00"}, "TimeStamp: yyyyMMddHHmmss is expected"),
        ({"Seq": "00001"}, "Seq: 4 digits are expected"),
        ({"Sig": "no"}, "Sig: 32 hexadecimal digits are expected"),
        ({"Data": {"StartChargeSeq": "1"}}, "Data: text is expected"),
        ({"seq": "0002"}, "Seq is given twice, in two spellings"),
    ],
)
def test_an_envelope_with_a_wrong_field_is_refused_with_4003(changed: dict[str, Any], msg: str) -> None:
    problem = _refused(_request(**changed))
    assert (problem.ret, problem.msg) == (4003, msg)


def test_a_stamp_whose_last_digit_went_into_the_seq_is_refused() -> None:
    # The signature covers both without a separator, so that it fits; the forms must not.
    problem = _refused(_request(TimeStamp=STAMP[:13], Seq=STAMP[13] + SEQ))
    assert problem.ret == 4003


@pytest.mark.parametrize(
    ("name", "value"),
    [("OperatorID", "123456780"), ("TimeStamp", "20260801100001"), ("Seq", "0002"), ("Sig", "0" * 32)],
)
def test_a_changed_envelope_is_refused_with_4001(name: str, value: str) -> None:
    problem = _refused(_request(**{name: value}))
    assert (problem.ret, problem.reason) == (4001, "signature")


def test_a_lower_case_signature_is_taken_only_where_the_profile_says_so() -> None:
    lower = _request()["Sig"].lower()
    assert _refused(_request(Sig=lower)).msg == "Sig must be upper-case hexadecimal"
    assert _open(_request(Sig=lower), lower_case_sig=True).plain == PLAIN


@pytest.mark.parametrize("data", ["AAAA", "not base64!", encrypt(OTHER, PLAIN), encrypt(KEYS, b"\xff\xfe")])
def test_signed_data_that_does_not_decrypt_is_refused_with_4003(data: str) -> None:
    problem = _refused(_request(Data=data, Sig=signature(KEYS, f"{CALLER}{data}{STAMP}{SEQ}")))
    assert (problem.ret, problem.reason) == (4003, "decrypt")


def test_while_keys_overlap_either_set_opens_and_its_own_seals_the_answer() -> None:
    for keys in (KEYS, OTHER):
        body = seal_request(keys, CALLER, PLAIN, stamp=STAMP, seq=SEQ)
        assert open_request(read_envelope(body), [OTHER, KEYS], PROFILE).keys == keys
    # Only the data secret was changed: the signature fits both, the decryption one.
    rotated = replace(KEYS, data_secret="0000000000000000")
    body = seal_request(rotated, CALLER, PLAIN, stamp=STAMP, seq=SEQ)
    assert open_request(read_envelope(body), [KEYS, rotated], PROFILE).keys == rotated


def test_the_same_message_in_other_json_has_the_same_signed_text() -> None:
    first = json.dumps(_request()).encode()
    again = json.dumps({name.lower(): value for name, value in _request(More=1).items()}, indent=2).encode()
    assert read_envelope(first).signed_text == read_envelope(again).signed_text


def test_who_replays_cannot_make_another_message_of_the_same_one() -> None:
    plain = read_envelope(json.dumps(_request()).encode())
    bent = read_envelope(
        json.dumps(_request(Data=" " + _request()["Data"], Sig=_request()["Sig"].lower())).encode()
    )
    assert open_request(bent, [KEYS], replace(PROFILE, signature=Signature(lower_case_sig=True))).plain == PLAIN
    fields = ("operator_id", "data", "time_stamp", "seq", "sig", "signed_text")
    assert [getattr(plain, name) for name in fields] == [getattr(bent, name) for name in fields]
    assert bent.tolerated == {"line_breaks", "lower_case_sig"}


def test_keys_and_problems_show_no_secret() -> None:
    problem = _refused(_request(Sig="0" * 32))
    for text in (repr(KEYS), str(KEYS), f"{KEYS}", str(problem), repr(problem), problem.msg):
        assert KEYS.sig_secret not in text
        assert PLAIN.decode() not in text


def test_keys_of_another_length_are_padded_or_cut_only_when_told() -> None:
    short = replace(KEYS, data_secret="short")
    with pytest.raises(ValueError, match="DataSecret must be 16 bytes"):
        encrypt(short, PLAIN)
    padded = replace(short, pad=True)
    assert padded.aes_key == b"short" + b"\0" * 11
    assert replace(KEYS, data_secret_iv=KEYS.data_secret_iv + "more", pad=True).aes_iv == KEYS.aes_iv
    with pytest.raises(ValueError, match="16 bytes"):
        encrypt(replace(short, data_secret="", pad=True), PLAIN)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (_answer(), set()),
        (_answer(Ret="0"), {"text_number:Ret"}),
        (_answer(OperatorID="987654321"), set()),
        (_answer(Msg=None, signed="0null" + encrypt(KEYS, PLAIN)), {"null_text_signed"}),
        (_answer(Msg=None), set()),
        (_answer(Msg=...), set()),
    ],
)
def test_a_good_answer_is_opened_in_every_form_seen(body: bytes, words: set[str]) -> None:
    answered = _opened(body)
    assert (answered.ret, answered.plain, set(answered.tolerated)) == (0, PLAIN, words)


@pytest.mark.parametrize(
    ("data", "plain", "signed"),
    [
        (None, None, "4004no"),
        (None, None, "4004nonull"),
        ("", None, "4004no"),
        (..., None, "4004no"),
        ({}, None, "4004no"),
        (encrypt(KEYS, b"{}"), b"{}", "4004no" + encrypt(KEYS, b"{}")),
        ("junk", None, "4004nojunk"),
    ],
)
def test_an_error_may_have_any_data(data: Any, plain: bytes | None, signed: str) -> None:
    answered = _opened(_answer(Ret=4004, Msg="no", Data=data, signed=signed))
    assert (answered.ret, answered.msg, answered.plain) == (4004, "no", plain)


def test_the_policy_decides_on_answers_without_a_signature() -> None:
    unsigned = _answer(Ret=4001, Msg="Sig", Data="", Sig="")
    with pytest.raises(WireProblem, match="Ret 4001") as caught:
        _opened(unsigned)
    assert (caught.value.ret, caught.value.reason) == (4001, "unsigned")
    assert _opened(unsigned, answers="if_present").ret == 4001
    assert _opened(_answer(Sig=...), answers="if_present").plain == PLAIN
    assert _opened(_answer(Sig=...), answers="none").tolerated == {"unverified"}


@pytest.mark.parametrize("data", [None, "", ..., {}, encrypt(KEYS, PLAIN)])
@pytest.mark.parametrize("ret", [4002, "4002", 77])
def test_that_a_token_is_refused_is_believed_without_a_signature_and_nothing_else_in_it(
    ret: int | str, data: Any
) -> None:
    """It brings about another token and one more try; a code of the partner's own may mean it."""
    profile = replace(PROFILE, ret=RetCodes(theirs={"77": 4002, "78": 4004}))
    answered = open_answer(_answer(Ret=ret, Msg="token", Data=data, Sig=""), [KEYS], profile)
    assert (answered.ret, answered.plain, "unsigned_4002" in answered.tolerated) == (4002, None, True)
    for other in (0, -1, 78, 4001, 4003, 4004, 500):
        with pytest.raises(WireProblem, match="has no Sig"):
            open_answer(_answer(Ret=other, Msg="token", Data=data, Sig=""), [KEYS], profile)
    with pytest.raises(WireProblem, match="does not match"):
        open_answer(_answer(Ret=ret, Msg="token", Data=data, signed="another"), [KEYS], profile)


def test_the_policy_decides_on_answers_with_another_signature() -> None:
    odd = _answer(signed=f"987654321{encrypt(KEYS, PLAIN)}{STAMP}{SEQ}")
    for answers in ("strict", "if_present"):
        with pytest.raises(WireProblem, match="does not match"):
            _opened(odd, answers=answers)
    assert _opened(odd, answers="none").plain == PLAIN


@pytest.mark.parametrize(
    "body",
    [
        b"<html>502</html>",
        b"[]",
        b"{}",
        _answer(Ret=0.5),
        _answer(Ret=None),
        _answer(Data="", signed="0"),
        _answer(Data=None, signed="0"),
        _answer(Data=encrypt(OTHER, PLAIN), signed=f"0{encrypt(OTHER, PLAIN)}"),
    ],
)
def test_what_is_no_whole_answer_is_a_problem(body: bytes) -> None:
    with pytest.raises(WireProblem) as caught:
        _opened(body)
    assert caught.value.ret == 4003


def test_a_partners_own_codes_are_translated() -> None:
    profile = replace(PROFILE, ret=RetCodes(theirs={"4015": 0, "9": -1}))
    stored = open_answer(_answer(Ret=4015, Data="", signed="4015"), [KEYS], profile)
    assert stored == Answered(0, "", None, frozenset({"own_ret"}))
    assert open_answer(_answer(Ret=9, Data="", signed="9"), [KEYS], profile).ret == -1
    assert open_answer(_answer(Ret=8, Data="", signed="8"), [KEYS], profile).ret == 8


def test_error_answers_are_signed_and_their_data_is_as_the_profile_says() -> None:
    sealed = seal_answer(KEYS, 4004, "ConnectorID: is required", None, PROFILE)
    assert _opened(sealed).plain == b"{}"
    bare = replace(PROFILE, signature=Signature(errors_sealed=False))
    fields = json.loads(seal_answer(KEYS, 4004, "no", None, bare))
    assert fields == {"Ret": 4004, "Msg": "no", "Data": "", "Sig": signature(KEYS, "4004no")}


def test_a_caller_that_is_not_known_gets_an_answer_without_data_and_signature() -> None:
    assert json.loads(seal_answer(None, 4003, "unknown OperatorID", None, None)) == {
        "Ret": 4003,
        "Msg": "unknown OperatorID",
        "Data": "",
        "Sig": "",
    }
