"""`interpile site`, `station put` and `tariff`, as whoever sets a hosted host up runs them."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from operator_sdk.contract.signing import public_to_b64url
from tests.integration.test_commands import Terminal, hub_at, interpile  # noqa: F401 - fixtures

C = "MA5CCCCC3"
TARIFF = {
    "tariff_id": "flat",
    "version": 1,
    "valid_from": "2026-01-01T00:00:00.123456+08:00",
    "periods": [
        {"start_minute": 0, "end_minute": 1440, "electricity_micro": 800_000, "service_micro": 400_000}
    ],
}
STATION = {
    "station_id": "S1",
    "name": "一站",
    "latitude_e6": 22_540_000,
    "longitude_e6": 114_050_000,
    "tariff_id": "flat",
    "piles": [{"pile_id": "P1", "kind": "ac", "rated_power_w": 7_000, "connectors": [{"connector_id": "C1"}]}],
}


def new_key() -> str:
    return public_to_b64url(Ed25519PrivateKey.generate().public_key())


@pytest.fixture
def described(interpile: Terminal, tmp_path: Path) -> Terminal:  # noqa: F811
    interpile.json(f"party add {C} --name C --role home --role host --protocol hosted")
    write(tmp_path / "tariff.json", TARIFF)
    write(tmp_path / "stations.json", [STATION])
    assert len(interpile.json(f"tariff put {C}", f"{tmp_path}/tariff.json")) == 1
    assert len(interpile.json(f"station put {C}", f"{tmp_path}/stations.json")) == 1
    return interpile


def write(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content), "utf-8")


def test_a_site_is_added_shown_given_another_key_and_revoked(described: Terminal) -> None:
    first, second = new_key(), new_key()
    add = f"site add site-c --party {C} --station S1 --public-key {first}"
    added = described.json(add)
    assert (added["state"], added["public_key"], added["connected"]) == ("live", first, False)
    assert described.json(add) == added
    assert described.json("site list") == [added]
    assert described.json("site show site-c") == added
    assert described(f"site key site-c --public-key {second}") == 0
    assert second in described.out
    assert described("site list") == 0
    assert "site-c" in described.out
    assert described.json("site revoke site-c")["state"] == "revoked"
    assert described(f"site key site-c --public-key {first}") == 1
    assert "state_conflict" in described.err


def test_the_gateway_is_named_as_an_agents_file_wants_it(described: Terminal) -> None:
    facts = described.json("site gateway")
    assert facts["url"] == "ws://127.0.0.1:8080/v1/edge"
    assert (facts["id"], len(facts["public_key"])) == ("MA5HUB000", 43)


def test_the_blacklist_holds_what_was_blocked(described: Terminal) -> None:
    customer = described.json(f"customer add {C} c-1 --phone 13800001111")["customer_id"]
    assert described.json(f"site blacklist {C}") == {"version": 0, "digests": []}
    described.json(f"customer token add {customer} card CC-1")
    described.json(f"customer token block {customer} card CC-1")
    listed = described.json(f"site blacklist {C}")
    assert (listed["version"], [len(one) for one in listed["digests"]]) == (1, [32])
    assert described(f"site blacklist {C}") == 0
    assert listed["digests"][0] in described.out


@pytest.mark.parametrize("content", ["[", '{"tariff_id": "x"}', '{"unknown": 1}', "3"])
def test_a_file_that_says_something_else_is_refused_in_one_line(
    described: Terminal, tmp_path: Path, content: str
) -> None:
    (tmp_path / "bad.json").write_text(content, "utf-8")
    for line in (f"tariff put {C}", f"station put {C}"):
        assert described(line, f"{tmp_path}/bad.json") == 1
        assert described.err.count("\n") == 1
        assert "bad.json" in described.err
    assert described(f"tariff put {C}", f"{tmp_path}/nothing.json") == 1


def test_tariffs_are_assigned_and_listed(described: Terminal, tmp_path: Path) -> None:
    fees = {"parking": {"price_micro_per_hour": 5_000_000, "free_minutes": 30}, "tariff_id": "parked"}
    write(tmp_path / "parked.json", TARIFF | fees)
    (put,) = described.json(f"tariff put {C}", f"{tmp_path}/parked.json")
    assert (put["parking"]["free_minutes"], put["idle"]) == (30, None)
    assert described(f"tariff put {C}", f"{tmp_path}/parked.json") == 0
    assert "yes" in described.out

    general = described.json(f"tariff assign {C} parked --kind ac")
    assert (general["tariff_id"], general["kind"], general["station_id"]) == ("parked", "ac", None)
    own = described.json(f"tariff assign {C} flat --station S1 --home {C} --from 2099-01-01T00:00:00+08:00")
    assert (own["station_id"], own["home_party_id"]) == ("S1", C)
    ended = described.json(f"tariff assign {C} --end --kind ac")
    assert ended["tariff_id"] is None
    assert described.json(f"tariff list {C}") == [general, own, ended]
    assert described(f"tariff list {C}") == 0
    assert "none of its own" in described.out
    assert described(f"tariff assign {C} parked --kind dc") == 0
    assert "parked" in described.out


def test_what_cannot_be_assigned_is_told_in_a_line(described: Terminal) -> None:
    for words, exit_code in (
        ("", 2),
        ("flat --end", 2),
        ("flat --kind hydrogen", 2),
        ("flat --from yesterday", 2),
        ("never", 1),
        ("flat --station S9", 1),
        ("flat --home MA5BBBBB2", 1),
    ):
        assert described(f"tariff assign {C} {words}") == exit_code, words
    assert described.json(f"tariff list {C}") == []
