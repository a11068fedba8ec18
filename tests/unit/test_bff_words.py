"""The caller's language, and words for every code."""

import pytest

from mobile_bff.graph.errors import (
    CodeNotAccepted,
    NotAllowed,
    SignInFailed,
    TooManyRequests,
    Unavailable,
    UserError,
    as_data,
)
from mobile_bff.refused import Refused, told
from mobile_bff.words import OWN_WORDS, Locale, locale_of, word_of
from operator_sdk.contract.public_codes import PUBLIC_CODES, Code
from operator_sdk.errors import (
    BadRequest,
    ConnectionFailed,
    MalformedAnswer,
    ServerFailed,
)


@pytest.mark.parametrize(
    ("header", "locale"),
    [
        (None, "zh"),
        ("", "zh"),
        ("en", "en"),
        ("en-GB,en;q=0.9", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("fr;q=1, en;q=0.2, zh;q=0.1", "en"),
        ("en;q=0, zh;q=0.001", "zh"),
        ("de, *", "zh"),
        ("en;q=nonsense", "zh"),
        ("e" * 10_000, "zh"),
        (17, "zh"),
    ],
)
def test_the_language_is_the_best_of_those_we_have(header: object, locale: str) -> None:
    assert locale_of(header) == locale


@pytest.mark.parametrize("code", [*PUBLIC_CODES, *OWN_WORDS])
def test_every_code_has_words_in_both_languages(code: str) -> None:
    zh, en = word_of(code, Locale.ZH), word_of(code, Locale.EN)
    assert any("\u4e00" <= letter <= "\u9fff" for letter in zh)
    assert en.isascii()
    assert en


@pytest.mark.parametrize("code", list(Code))
def test_every_public_code_becomes_an_error_type(code: Code) -> None:
    error = as_data(Refused(code), Locale.EN, ())
    assert isinstance(error, UserError)
    assert error.code == code
    assert error.message == PUBLIC_CODES[code].en


def test_an_error_that_a_result_cannot_be_is_not_allowed() -> None:
    assert type(as_data(Refused(Code.SIGN_IN_FAILED), Locale.EN, ())) is NotAllowed
    assert type(as_data(Refused(Code.SIGN_IN_FAILED), Locale.EN, (SignInFailed,))) is SignInFailed
    assert type(as_data(Refused(Code.CODE_FORGED), Locale.EN, (CodeNotAccepted,))) is CodeNotAccepted


def test_a_refusal_in_somebody_elses_words_keeps_its_code() -> None:
    error = as_data(Refused("meter_sealed"), Locale.ZH, ())
    assert (type(error), error.code) == (NotAllowed, "meter_sealed")


def test_waiting_times_are_passed_on() -> None:
    error = as_data(Refused(Code.TOO_MANY_REQUESTS, retry_after_s=17), Locale.EN, ())
    assert isinstance(error, TooManyRequests)
    assert error.retry_after_s == 17
    down = as_data(Refused(Code.UNAVAILABLE), Locale.EN, ())
    assert isinstance(down, Unavailable)
    assert down.retry_after_s > 0


@pytest.mark.parametrize(
    "problem",
    [
        ConnectionFailed("no connection"),
        MalformedAnswer("no JSON"),
        ServerFailed(status=500, code="internal"),
        ServerFailed(status=502, code="http_502"),
        BadRequest(status=418, code="http_418"),
    ],
)
def test_whatever_is_wrong_between_us_and_the_hub_is_unavailable(problem: Exception) -> None:
    with pytest.raises(Refused) as caught, told():
        raise problem
    assert caught.value.code == Code.UNAVAILABLE


def test_a_code_of_the_hub_keeps_its_field_and_its_time() -> None:
    details = {"problem": "Expected `str` matching regex - at `$.home_party_id`"}
    with pytest.raises(Refused) as caught, told():
        raise BadRequest(status=400, code="malformed", details=details)
    assert (caught.value.code, caught.value.field) == ("malformed", "homePartyId")
    with pytest.raises(Refused) as named, told():
        raise BadRequest(status=400, code="malformed", details={"field": "limit"})
    assert named.value.field == "limit"
    with pytest.raises(Refused) as often, told():
        raise BadRequest(status=429, code="too_many_requests", retry_after_s=9)
    assert often.value.retry_after_s == 9
