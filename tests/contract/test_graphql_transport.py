"""What the endpoint takes and refuses, before any hub is asked: always JSON, always a code, never a 5xx."""

import json
from collections.abc import AsyncIterator
from urllib.parse import parse_qs

import pytest
import pytest_asyncio

from tests.bff_rig import Bff, open_bff
from tests.rig_partners import listen

pytestmark = [pytest.mark.contract, pytest.mark.asyncio(loop_scope="module")]
CONNECTOR = "A1.MA5AAAAA1"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bff() -> AsyncIterator[Bff]:
    gone = listen()
    gone.socket.close()
    async with open_bff(gone.url, issuer="https://hub.example", origins=("https://app.example",)) as opened:
        yield opened


WIDE = " ".join(
    f"a{n}: stations(first: 50) {{ edges {{ node {{ id name address partyId partyName }} }} }}"
    for n in range(30)
)
LARGE = {
    "too_deep": "{" + "stations{edges{node{" * 4 + "id" + "}" * 13,
    "too_wide": "{" + WIDE + "}",
    "too_many_aliases": "{" + " ".join(f"a{n}: __typename" for n in range(60)) + "}",
    "too_long": "{" + " ".join(f"a{n}: __typename" for n in range(1_000)) + "}",
    "malformed": "{",
}


@pytest.mark.parametrize("code", LARGE)
async def test_a_document_that_asks_too_much_has_its_code_each_time(bff: Bff, code: str) -> None:
    for language, letters in (("en", "The S"), ("zh", "查S"), ("zh", "查S")):
        answer = await bff.phone(language=language).ask(LARGE[code])
        (error,) = answer["errors"]
        assert error["extensions"]["code"] == code
        assert error["message"][0] in letters
        assert answer["data"] is None


@pytest.mark.parametrize("depth", [20, 60, 200, 5_000])
async def test_however_deep_the_text_is_it_is_too_deep(bff: Bff, depth: int) -> None:
    for opening, closing in ("{a", "}"), ("[", "]"):
        text = (
            "{ a(b: " + opening * depth + closing * depth + ") }"
            if opening == "["
            else opening * depth + closing * depth
        )
        answer = await bff.phone().post({"query": text})
        assert answer.status_code == 200
        code = answer.json()["errors"][0]["extensions"]["code"]
        assert code in {"too_deep", "too_long", "malformed"}
        assert code != "malformed" or opening == "["


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"5", 400),
        (b"null", 400),
        (b"{}", 400),
        (b'{"query": 5}', 400),
        (b'{"query": "{me{name}}", "variables": []}', 400),
        (b'{"query": "{me{name}}", "operationName": {}}', 400),
        (b'[{"query": "{me{name}}"}, {"query": "{me{name}}"}]', 400),
        (b'{"query": "{me{name}}", "variables": {"a": "\\ud800"}}', 400),
        (b'{"query": ' + b"[" * 5_000, 400),
        (b"\xff\xfe", 400),
        (json.dumps({"query": "{" + " " * 70_000 + "me{name}}"}).encode(), 413),
        (json.dumps({"query": "{me{name}}", "operationName": "x" * 9_000}).encode(), 400),
        (json.dumps({"query": ""}).encode(), 400),
        (json.dumps({"query": 'subscription {chargingProgress(sessionId: "x") {number}}'}).encode(), 200),
        (json.dumps({"query": "fragment f on Query {__typename}"}).encode(), 400),
    ],
    ids=lambda value: value[:40] if isinstance(value, bytes) else value,
)
async def test_what_is_no_request_is_refused_in_json(bff: Bff, body: bytes, status: int) -> None:
    answer = await bff.phone().post(body)
    assert answer.status_code == status
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] in {"malformed", "too_large"}
    assert error["extensions"]["requestId"] == answer.headers["x-request-id"]
    assert len(answer.content) < 500


async def test_only_posts_of_json_are_answered_and_every_answer_is_closed(bff: Bff) -> None:
    phone = bff.phone()
    get = await phone._http.get(f"{bff.url}/graphql?query={{me{{name}}}}", headers={"accept": "text/html"})
    assert (get.status_code, get.headers["allow"]) == (405, "POST")
    assert "<" not in get.text, "no page to try queries on"
    form = await phone.post(b"query={me{name}}", **{"content-type": "application/x-www-form-urlencoded"})
    assert form.status_code == 400
    plain = await phone.post({"query": "{__typename}"}, **{"x-request-id": "mine-1"})
    assert plain.json() == {"data": {"__typename": "Query"}}
    assert plain.headers["x-request-id"] == "mine-1"
    assert plain.headers["cache-control"] == "no-store"
    assert plain.headers["x-content-type-options"] == "nosniff"
    assert plain.headers["strict-transport-security"]
    assert "default-src 'none'" in plain.headers["content-security-policy"]
    assert "set-cookie" not in plain.headers


async def test_pages_of_others_call_only_when_they_are_named(bff: Bff) -> None:
    phone = bff.phone()
    named = await phone.post({"query": "{__typename}"}, origin="https://app.example")
    assert named.headers["access-control-allow-origin"] == "https://app.example"
    other = await phone.post({"query": "{__typename}"}, origin="https://evil.example")
    assert "access-control-allow-origin" not in other.headers


async def test_a_scanned_code_of_ours_leads_to_the_page_with_the_whole_code(bff: Bff) -> None:
    landing = await bff.phone()._http.get(f"{bff.url}/c/{CONNECTOR}?k=1&m=a_b-c%2B")
    assert landing.status_code == 303
    where, _, asked = landing.headers["location"].partition("?")
    assert where == "/app/#/scan"
    assert parse_qs(asked)["code"] == [f"https://hub.example/c/{CONNECTOR}?k=1&m=a_b-c%2B"]
