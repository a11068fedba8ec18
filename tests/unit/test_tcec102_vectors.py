"""T/CEC 102.4's published examples: encrypted, decrypted and signed to the byte."""

import pytest
from msgspec.structs import replace

from operator_sdk.contract.tcec102.crypto import decrypt, encrypt, signature
from operator_sdk.contract.tcec102.messages import QueryStationStatusReply, QueryToken, QueryTokenReply
from operator_sdk.contract.tcec102.profile import Profile
from operator_sdk.contract.tcec102.reading import read
from operator_sdk.contract.tcec102.wire import (
    open_answer,
    open_request,
    read_envelope,
    seal_answer,
    seal_request,
)
from tests import tcec102_vectors as vectors

PROFILE = Profile(operator_id="123456789", name="A partner", roles=["host"], base_url="https://partner.example")
every_vector = pytest.mark.parametrize("vector", vectors.VECTORS, ids=lambda vector: vector.name)


@every_vector
def test_what_is_encrypted_is_the_published_data(vector: vectors.Vector) -> None:
    assert encrypt(vector.keys, vector.plain) == vector.data


@every_vector
def test_the_published_data_decrypts_to_the_published_text(vector: vectors.Vector) -> None:
    assert decrypt(vector.keys, vector.data) == vector.plain


@every_vector
def test_the_signature_is_the_published_one(vector: vectors.Vector) -> None:
    assert signature(vector.keys, vector.before + vector.data + vector.after) == vector.sig


@pytest.mark.parametrize("sig_secret", [vectors.PUBLISHED_KEYS.sig_secret, vectors.UNVERIFIED_SIG_SECRET])
def test_the_signature_that_circulates_unverified_is_not_ours(sig_secret: str) -> None:
    vector = vectors.PUBLISHED[0]
    keys = replace(vector.keys, sig_secret=sig_secret)
    assert signature(keys, vector.before + vector.data + vector.after) != vectors.UNVERIFIED_SIG


def test_a_request_is_sealed_and_opened_as_published() -> None:
    vector = vectors.PUBLISHED[1]
    body = seal_request(
        vector.keys, vectors.OPERATOR_ID, vector.plain, stamp=vector.after[:14], seq=vector.after[14:]
    )
    envelope = read_envelope(body)
    assert (envelope.data, envelope.sig) == (vector.data, vector.sig)
    opened = open_request(envelope, [vectors.OWN_KEYS, vector.keys], PROFILE)
    assert (opened.plain, opened.keys, opened.tolerated) == (vector.plain, vector.keys, frozenset())
    assert read(QueryToken, opened.plain) == (
        QueryToken(operator_id="123456789", operator_secret="1234567890abcdef"),
        frozenset(),
    )


def test_an_answer_is_sealed_and_opened_as_published() -> None:
    vector = vectors.PUBLISHED[2]
    body = seal_answer(vector.keys, 0, "", vector.plain, PROFILE)
    assert f'"Sig":"{vector.sig}"'.encode() in body
    answered = open_answer(body, [vector.keys], PROFILE)
    assert (answered.ret, answered.msg, answered.plain) == (0, "", vector.plain)
    token, tolerated = read(QueryTokenReply, vector.plain)
    assert (token.succ_stat, token.token_available_time, tolerated) == (0, 7200, frozenset())


def test_the_standards_own_example_is_read_for_all_its_faults() -> None:
    status, tolerated = read(QueryStationStatusReply, vectors.PUBLISHED[0].plain)
    station = status.station_status_infos[0]
    assert (status.total, station.station_id) == (1, "111111111111111")
    assert (station.connector_status_infos[0].connector_id, station.connector_status_infos[0].status) == (
        "1",
        4,
    )
    assert station.connector_status_infos[0].extra["equipmentID"] == "10000000000000000000001"
    assert {
        "trailing_comma",
        "case:Total",
        "alias:StationStatusInfos",
        "single:StationStatusInfos",
        "single:ConnectorStatusInfos",
        "number:ConnectorID",
        "unknown_field",
    } <= tolerated
