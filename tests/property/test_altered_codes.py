"""Ten thousand altered codes: each names the connector it was made for, or nothing; none starts anything."""

import random
import string
from collections.abc import Callable
from urllib.parse import quote

import pytest

from hub.core.errors import HubError
from hub.roaming.scans import read_code, signed_url
from hub.roaming.tables import AuthorizationRow, ScanRow, SessionRow
from operator_sdk.contract.public_codes import Code
from tests.rig import A, C, open_rig

pytestmark = pytest.mark.property

BASE, KEYS = "https://hub.example", {"1": b"first key" * 4, "2": b"other key" * 4}
LETTERS = string.ascii_letters + string.digits + "-_./?&=%:#@\\ \t\n\0一é²"
CONNECTORS = [f"A1.{A}", f"A2.{A}", f"{'9' * 26}.{A}", "1.MA5DDDDD4"]

Change = Callable[[random.Random, str, str], str]


def _place(chance: random.Random, text: str) -> int:
    return chance.randrange(len(text))


def one_letter_other(chance: random.Random, url: str, _: str) -> str:
    at = _place(chance, url)
    return url[:at] + chance.choice(LETTERS) + url[at + 1 :]


def one_letter_more(chance: random.Random, url: str, _: str) -> str:
    at = _place(chance, url)
    return url[:at] + chance.choice(LETTERS) + url[at:]


def some_letters_fewer(chance: random.Random, url: str, _: str) -> str:
    at = _place(chance, url)
    return url[:at] + url[at + chance.randint(1, 12) :]


def two_letters_exchanged(chance: random.Random, url: str, _: str) -> str:
    one, other = sorted((_place(chance, url), _place(chance, url)))
    return url[:one] + url[other] + url[one + 1 : other] + url[one] + url[other + 1 :] if one < other else url


def another_case(chance: random.Random, url: str, _: str) -> str:
    at = _place(chance, url)
    return url[:at] + url[at:].swapcase()


def another_connector(chance: random.Random, url: str, own: str) -> str:
    return url.replace(own, chance.choice([one for one in CONNECTORS if one != own]))


def another_key(chance: random.Random, url: str, own: str) -> str:
    return url.replace("k=1", f"k={chance.choice(['2', '3', '', '1&k=2', '2&k=1'])}")


def another_check_value(chance: random.Random, url: str, own: str) -> str:
    other = signed_url(BASE, "1", KEYS["1"], chance.choice([one for one in CONNECTORS if one != own]))
    return url.rpartition("m=")[0] + "m=" + other.rpartition("m=")[2]


def another_server(chance: random.Random, url: str, own: str) -> str:
    hosts = [
        "https://evil.example",
        "http://hub.example",
        "https://hub.example:444",
        "https://hub.example@evil",
    ]
    return url.replace(BASE, chance.choice(hosts))


def another_path(chance: random.Random, url: str, own: str) -> str:
    paths = ["/c//", "/C/", "/d/", "/c/../c/", "/c/x/", "//c/", "/c/%2e/"]
    return url.replace("/c/", chance.choice(paths))


def packed(chance: random.Random, url: str, own: str) -> str:
    return chance.choice([quote(url, safe=""), url + url, f"hlht://{url}", url.encode().hex(), f"{url}#{own}"])


def no_url_at_all(chance: random.Random, url: str, own: str) -> str:
    return "".join(chance.choices(LETTERS, k=chance.randint(1, 200)))


CHANGES: list[Change] = [
    one_letter_other, one_letter_more, some_letters_fewer, two_letters_exchanged, another_case,
    another_connector, another_key, another_check_value, another_server, another_path, packed, no_url_at_all,
]  # fmt: skip


def altered(count: int, base: str, keys: dict[str, bytes], connectors: list[str]) -> list[tuple[str, str]]:
    """(connector, altered text of its code), none of them the code itself."""
    chance = random.Random(20_260_302)
    made: list[tuple[str, str]] = []
    while len(made) < count:
        own = connectors[len(made) % len(connectors)]
        url = signed_url(base, "1", keys["1"], own)
        text = chance.choice(CHANGES)(chance, url, own)
        if chance.random() < 0.2:
            text = chance.choice(CHANGES[:5])(chance, text, own) if text else text
        if text != url:
            made.append((own, text))
    return made


def test_an_altered_code_is_refused_or_names_what_it_was_made_for() -> None:
    refused = {Code.CODE_FORGED: 0, Code.CODE_UNKNOWN: 0}
    read = 0
    for own, text in altered(10_000, BASE, KEYS, CONNECTORS):
        try:
            assert read_code(text, BASE, KEYS) == own, text
            read += 1
        except HubError as problem:
            refused[problem.code] += 1
    assert sum(refused.values()) + read == 10_000
    assert min(refused.values()) > 1_000
    assert read < 1_000, "what is read is the same code in other words: a fragment, white space around it"


def test_what_still_reads_differs_in_words_that_mean_nothing() -> None:
    url = signed_url(BASE, "1", KEYS["1"], CONNECTORS[0])
    for same in (f" {url}\n", f"{url}#x", f"{url}&utm=1", url.replace("k=1", "k=%31")):
        assert read_code(same, BASE, KEYS) == CONNECTORS[0]
    for other in (url[:-1], f"{url}x", url.replace("k=1", "k=01"), url.replace(A, A.lower())):
        with pytest.raises(HubError) as problem:
            read_code(other, BASE, KEYS)
        assert problem.value.code == Code.CODE_FORGED


async def test_over_http_nothing_starts_and_nothing_is_held() -> None:
    """Every driver tries nine, so that the limit hides nothing, and then starts what he never got."""
    async with open_rig("sqlite", rate_per_s=1_000) as rig:
        keys = rig.hub.secrets.scan_keys()
        before = await rig.fingerprint()
        own = {f"A1.{A}", f"A2.{A}"}
        for number, (_, text) in enumerate(altered(270, rig.url, keys, sorted(own))):
            driver = f"d{number // 9}"
            headers = {"authorization": f"Bearer {rig.token(C, driver)}"}
            answer = await rig.http.post("/v1/scans", json={"code": text[:500] or "x"}, headers=headers)
            if answer.status_code == 201:
                assert answer.json()["connector"] in own, text
                continue
            assert answer.json()["code"] in {"code_forged", "code_unknown", "malformed"}, (text, answer.text)
            if number % 9 == 0:
                start = {"request_ref": "r", "scan_id": f"sca_{number:08}-0000-7000-8000-000000000000"}
                started = await rig.http.post("/v1/driver/sessions", json=start, headers=headers)
                assert started.json()["code"] == "scan_unknown"
        assert {f"{row.connector_id}.{row.host_party_id}" for row in await rig.rows(ScanRow)} <= own
        assert await rig.rows(SessionRow) == await rig.rows(AuthorizationRow) == []
        assert await rig.fingerprint() == before
