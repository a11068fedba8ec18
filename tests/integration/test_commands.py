"""The hub's subcommands, run as the dispatcher runs them, over a database of their own."""

import io
import json
import sys
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from hub import commands
from hub.commands.shell import with_hub
from hub.parties.link import Capability, MissingLink, PulledStations, PullPlan, StationGap
from hub.wiring import Hub
from hub.wiring_protocols import LinkRegistry
from operator_sdk.contract.messages.directory import StationPut, TariffPeriod, TariffPut
from operator_sdk.contract.messages.upkeep import WorkOrderCreate, WorkOrderDetail

A, B = "MA5AAAAA1", "MA5BBBBB2"
MIGRATED: list[bytes] = []
"""A database as the first test of this process has migrated it: the others begin with a copy."""


class Terminal:
    """Runs subcommands and keeps what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys, self._monkeypatch = capsys, monkeypatch
        self.out, self.err = "", ""

    def __call__(self, line: str, *more: str, given: str = "") -> int:
        """Run `interpile` with these words."""
        name, *words = line.split()
        self._monkeypatch.setattr(sys, "stdin", io.StringIO(given))
        self._capsys.readouterr()
        code = getattr(commands, name)([*words, *more])
        self.out, self.err = self._capsys.readouterr()
        return int(code)

    def json(self, line: str, *more: str, given: str = ""):
        """Run it for machines; it must succeed."""
        assert self(line, *more, "--json", given=given) == 0, self.err
        return json.loads(self.out)


@pytest.fixture
def hub_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INTERPILE_ENV", "test")
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/hub.db")
    monkeypatch.setenv("INTERPILE_SECRET_FILE", str(tmp_path / "secrets.json"))
    for name in ("DATABASE_MIGRATION_URL", "REDIS_URL", "BROKER_URL", "SPEED", "INTERPILE_EPOCH"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def interpile(hub_at: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    terminal, file = Terminal(capsys, monkeypatch), hub_at / "hub.db"
    if MIGRATED:
        file.write_bytes(MIGRATED[0])
    else:
        assert terminal("migrate") == 0
        MIGRATED.append(file.read_bytes())
    return terminal


def add_parties(interpile: Terminal) -> None:
    for party_id, role in ((A, "host"), (B, "home")):
        interpile.json(f"party add {party_id} --name X --role {role} --base-url http://127.0.0.1:9000")


def test_every_registered_command_is_there_with_its_help() -> None:
    points = [point for point in entry_points(group="interpile.commands") if "hub" in point.value]
    assert len(points) >= 13
    for point in points:
        command = point.load()
        assert callable(command)
        assert command.help


def test_every_command_explains_itself(interpile: Terminal) -> None:
    names = [name for name, value in vars(commands).items() if isinstance(value, commands.Subcommand)]
    assert len(names) >= 14
    for name in names:
        assert interpile(f"{name} --help") == 0
        assert f"interpile {name}" in interpile.out


def test_a_fresh_database_is_asked_to_be_migrated(
    hub_at: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    interpile = Terminal(capsys, monkeypatch)
    assert interpile("party list") == 1
    assert interpile.out == ""
    assert "interpile migrate" in interpile.err
    assert interpile.err.count("\n") == 1


def test_an_operator_with_its_key_and_its_agreement(interpile: Terminal, tmp_path: Path) -> None:
    add_parties(interpile)
    listed = interpile.json("party list")
    assert [party["party_id"] for party in listed] == ["MA5HUB000", A, B]
    assert interpile("party list") == 0
    assert A in interpile.out
    secrets = interpile.json("key init", str(tmp_path / "other.json"))
    key = f"--key-id k1 --public-key {secrets['public_key']}"
    assert interpile.json(f"key add {A} {key}")["state"] == "live"
    assert interpile.json(f"key list {A}")["items"][0]["key_id"] == "k1"
    assert interpile.json(f"key revoke {A} k1")["state"] == "revoked"
    agreed = interpile.json(f"agreement add {B} {A} --commission-ppm 20000")
    assert (agreed["home_party_id"], agreed["commission_ppm"]) == (B, 20_000)
    assert interpile(f"agreement add {A} {B}") == 1
    assert "rule_violated" in interpile.err


def test_an_app_is_added_without_an_address(interpile: Terminal) -> None:
    added = interpile.json("party add MA5APP001 --name Phones --role app --protocol app")
    assert (added["roles"], added["protocol"], added["base_url"]) == (["app"], "app", None)
    assert interpile("party add MA5APP002 --name Phones --role app --base-url http://127.0.0.1:9000") == 1
    assert "app" in interpile.err


def test_a_key_may_come_from_a_jwk_file(interpile: Terminal, tmp_path: Path) -> None:
    add_parties(interpile)
    file = tmp_path / "key.json"
    public = interpile.json("key init", str(tmp_path / "other.json"))["public_key"]
    file.write_text(json.dumps({"kty": "OKP", "crv": "Ed25519", "kid": "a-1", "x": public, "d": "secret"}))
    assert interpile.json(f"key add {A} --file", str(file))["key_id"] == "a-1"
    file.write_text("{}")
    assert interpile(f"key add {A} --file", str(file)) == 1
    assert interpile(f"key add {A} --key-id x") == 2


def test_secrets_are_never_overwritten(interpile: Terminal, tmp_path: Path) -> None:
    file = str(tmp_path / "other.json")
    assert interpile("key init", file) == 0
    assert interpile("key init", file) == 1
    assert interpile.err == f"interpile: {file} exists already\n"


def test_a_password_comes_from_standard_input_and_is_never_an_argument(interpile: Terminal) -> None:
    added = interpile.json("staff add ann --role admin --role ledger", given="correct horse battery\n")
    assert added == {"login": "ann", "roles": ["admin", "ledger"]}
    assert interpile("staff add bob --role admin", given="short\n") == 2
    assert interpile("staff add bob --role emperor", given="correct horse battery\n") == 1
    assert interpile("staff add bob --role admin --password x") == 2


def test_stations_load_from_a_file_and_bad_rows_are_shown(interpile: Terminal, tmp_path: Path) -> None:
    add_parties(interpile)
    file = tmp_path / "stations.csv"
    file.write_text("station_id,latitude,longitude,fast,slow,count\n1,22.5,114.0,1,1,2\n2,22.5,114.0,1,1,3\n")
    words = f"station import {A} {file} --profile st-evcdp --datum wgs-84"
    assert interpile(words) == 0
    assert "count mismatch" in interpile.out
    report = interpile.json(words)
    assert (report["unchanged"], report["connectors"], report["problems"][0]["line"]) == (1, 2, 3)
    assert interpile.json(f"station remove {A} ST1")["removed"] is True
    assert interpile(f"station import {A} {file} --datum wgs-84") == 1
    assert interpile(f"station import {A} {file} --profile st-evcdp") == 2
    assert interpile(f"station import {A} {file} --profile st-evcdp --datum mars") == 2
    assert interpile(f"station import {A} {tmp_path}/none.csv --datum wgs-84") == 1
    assert interpile(f"station import {B} {file} --profile st-evcdp --datum wgs-84") == 1
    file.write_text("station_id,latitude,longitude,fast,slow,count\n2,22.5,114.0,1,1,3\n")
    assert interpile(f"station import {A} {file} --profile st-evcdp --datum wgs-84") == 1


class AskedLink(MissingLink):
    """A host that is asked for its stations and has one, and one that cannot be kept."""

    capabilities = frozenset({Capability.LIST_STATIONS})

    def pull_plan(self) -> PullPlan:
        return PullPlan(full_minute=120, incremental_s=600)

    async def list_stations(self, since: datetime | None = None) -> PulledStations:
        put = StationPut(name="N", latitude_e6=0, longitude_e6=0, tariff_id="t", piles=[])
        period = TariffPeriod(start_minute=0, end_minute=1440, electricity_micro=1, service_micro=1)
        tariffs = {"t": TariffPut(valid_from=datetime(2026, 1, 1, tzinfo=UTC), periods=[period])}
        return PulledStations([("S1", put)], [StationGap("S2", ("name", "coordinates"))], tariffs)


def test_a_host_is_asked_for_stations_by_hand_and_its_gaps_are_shown(
    interpile: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_parties(interpile)
    assert interpile(f"station pull {A}") == 1
    assert "not asked for stations" in interpile.err
    assert interpile("station pull MA5ZZZZZ9") == 1

    async def of(registry: LinkRegistry, party_id: str) -> AskedLink:
        return AskedLink()

    monkeypatch.setattr(LinkRegistry, "of", of)
    report = interpile.json(f"station pull {A}")
    assert (report["complete"], report["kept"]["stations"], report["kept"]["gaps"]) == (True, 2, 1)
    assert interpile(f"station pull {A} --full") == 0
    shown = interpile.json(f"station gaps {A}")
    assert [host["party_id"] for host in shown["hosts"]] == [A]
    assert [(gap["station_id"], gap["missing"]) for gap in shown["gaps"]] == [("S2", ["name", "coordinates"])]
    assert interpile("station gaps") == 0
    assert "name, coordinates" in interpile.out


def test_work_orders_are_listed_shown_assigned_and_counted(interpile: Terminal, tmp_path: Path) -> None:
    add_parties(interpile)
    file = tmp_path / "stations.csv"
    file.write_text("station_id,latitude,longitude,fast,slow,count\n1,22.5,114.0,1,1,2\n")
    assert interpile(f"station import {A} {file} --profile st-evcdp --datum gcj-02") == 0
    for login, role in (("wes", "maintenance"), ("dan", "dispatcher")):
        interpile.json(f"staff add {login} --role {role}", given="a long enough password\n")
    order_id = with_hub(_open_order).order_id

    for words, found in (
        ("", 1),
        ("--state open", 1),
        ("--state done", 0),
        ("--overdue", 0),
        ("--near 22.5,114.0", 1),
        (f"--host {B}", 0),
        ("--text screen", 1),
    ):
        assert len(interpile.json(f"order list {words}")) == found, words
    assert interpile.json("order list --near 22.5,114.01")[0]["distance_m"] == 1_027
    assert interpile("order list --near somewhere") == 2
    assert interpile("order list --priority never") == 2

    assert interpile.json(f"order assign {order_id} wes --priority high --note hurry")["assignee"] == "wes"
    assert interpile(f"order assign {order_id} dan") == 1
    assert "not a maintenance worker" in interpile.err
    shown = interpile.json(f"order show {order_id}")
    assert (shown["state"], shown["priority"], shown["history"][1]["note"]) == ("assigned", "high", "hurry")
    for words in (f"order show {order_id}", "order list", "order statistics"):
        assert interpile(words) == 0
        assert "assigned" in interpile.out, words
    counted = interpile.json("order statistics")
    assert (counted["total"], counted["states"]) == (1, [{"name": "assigned", "count": 1}])
    assert interpile("order show wo_none") == 1


async def _open_order(hub: Hub) -> WorkOrderDetail:
    create = WorkOrderCreate(request_ref="c-1", connector=f"ST1F001.{A}", title="Broken screen")
    return await hub.upkeep.orders.create(create, actor="dan")


def test_a_hosted_drivers_wallet(interpile: Terminal) -> None:
    interpile.json("party add MA5CCCCC3 --name C --role home --protocol hosted")
    driver = interpile.json("customer add MA5CCCCC3 c-1 --phone 13800000000")["customer_id"]
    assert interpile.json(f"customer token add {driver} card 8600001")["customer_id"] == driver
    for _ in range(2):
        assert interpile.json(f"customer top-up {driver} 5000 --ref bank-1")["balance_fen"] == 5_000
    assert interpile(f"customer top-up {driver} 6000 --ref bank-1") == 1
    assert interpile.json(f"customer token block {driver} card", given="8600001\n")["held_fen"] == 0
    assert interpile.json(f"customer token block {driver} card 8600001 --undo")["debt_fen"] == 0
    assert interpile(f"customer show {driver}") == 0
    assert "50.00" in interpile.out
    assert interpile.json("ledger verify")["verified"] is True


def test_books_of_an_idle_hub(interpile: Terminal) -> None:
    assert interpile("ledger verify") == 0
    assert interpile.json("cycle list") == []
    assert interpile("cycle close --cutoff yesterday") == 2
    assert interpile("cycle close --cutoff 2026-03-03T00:00:00+08:00") == 1
    assert interpile("cycle show cyc_none") == 1
    assert interpile(f"cycle statement cyc_none {A}") == 1
    assert interpile.json("outbox dead") == []
    assert interpile("outbox replay let_none") == 1
    assert interpile.err.count("\n") == 1


def test_settings_that_cannot_be_used_are_one_line(
    interpile: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERPILE_ENV", "production")
    monkeypatch.setenv("SPEED", "60")
    for line in ("party list", "serve", "jobs", "migrate"):
        assert interpile(line) == 1
        assert interpile.err.startswith("interpile: SPEED")


def test_wrong_usage_is_exit_code_two(interpile: Terminal) -> None:
    for line in ("party", "party ad", "party add", "party list --nonsense", "serve --port 0"):
        assert interpile(line) == 2
    assert interpile("party add bad --name X --role host") == 2
    assert "party_id" in interpile.err
