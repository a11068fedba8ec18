"""The one TOML of a site: its sample is right, and every slip in it is named."""

from pathlib import Path

import pytest

from edge_agent import commands
from edge_agent.key_file import KeyFileWrong, init_key, load_key
from edge_agent.settings import SettingsWrong, read_settings
from operator_sdk.keys import load_key as load_sdk_key

SAMPLE = Path(commands.__file__).parent / "examples" / "site.toml"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The documented sample with a key beside it."""
    init_key(tmp_path / "shanghai-01.jwk")
    (tmp_path / "site.toml").write_text(SAMPLE.read_text("utf-8"), "utf-8")
    return tmp_path / "site.toml"


def changed(site: Path, old: str, new: str) -> Path:
    text = site.read_text("utf-8")
    assert old in text
    site.write_text(text.replace(old, new), "utf-8")
    return site


def test_the_sample_is_right_and_says_what_it_means(site: Path) -> None:
    settings = read_settings(site)
    assert settings.site.site_id == "shanghai-01"
    assert settings.state_dir == site.parent / "state"
    first, second = settings.piles
    assert (first.kind, first.rated_power_w, first.can.node, first.meter.address) == (
        "ac",
        7_000,
        1,
        "202506180042",
    )
    assert (second.meter.baud, second.meter.parity, second.meter.poll_ms) == (2400, "E", 1000)
    assert second.safety.current_a_most == 250
    assert second.safety.temperature_c_most == 85
    assert first.safety.temperature_c_most == 90


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('site_id = "shanghai-01"', 'site_id = "in Shanghai"', "site.site_id"),
        ('party_id = "MA1MY0GF9"', 'party_id = "short"', "site.party_id"),
        ('zone = "Asia/Shanghai"', 'zone = "Asia/Shangai"', "site.zone"),
        ("updates_every_s = 20 ", 'updates_every_s = "20" ', "site.updates_every_s"),
        ("spool_items_most", "spool_item_most", "spool_item_most"),
        ("[gateway]\n", "[gateway]\nkey = 1\n", "gateway"),
        ("wss://edge.example.com/edge", "https://edge.example.com/edge", "gateway.url"),
        ('public_key = "11qY', 'public_key = "11q', "gateway.public_key"),
        ('public_key = "11qY', 'public_key = "%%%', "gateway.public_key"),
        ("temperature_c_most = 90", "temperature_c_most = 900", "pile[0].safety.temperature_c_most"),
        ("temperature_c_most = 85", "temperature_most = 85", "pile[1].safety"),
        ('kind = "ac"', 'kind = "AC"', "pile[0].kind"),
        ('connector_id = "1101"', 'connector_id = "11 01"', "pile[0].connector_id"),
        ('connector_id = "1201"', 'connector_id = "1101"', "'1101' is used twice"),
        ("rated_power_w = 7_000", "rated_power_w = 0", "pile[0].rated_power_w"),
        ("node = 1 ", "node = 224 ", "pile[0].can.node"),
        ("node = 2 ", "node = 1 ", "two piles are node 1 on socketcan can0"),
        ('parity = "E"', 'parity = "even"', "pile[0].meter.parity"),
        ('address = "202506180042"', 'address = "2025"', "pile[0].meter.address"),
        ('port = "/dev/ttyS2"', 'port = "/dev/ttyS1"', "several meters share /dev/ttyS1"),
        (
            'meter = { port = "/dev/ttyS2" }',
            'meter = { port = "/dev/ttyS1", address = "202506180042" }',
            "202506180042 is used twice on /dev/ttyS1",
        ),
        (
            'meter = { port = "/dev/ttyS2" }',
            'meter = { port = "/dev/ttyS1", address = "202506180043", baud = 9600 }',
            "differ in baud or parity",
        ),
        ("[[pile]]", "[pile]", "line"),
        ('site_id = "shanghai-01"', "site_id = shanghai-01", "line 5"),
        ('key_file = "shanghai-01.jwk"', 'key_file = "elsewhere.jwk"', "site.key_file"),
    ],
)
def test_a_slip_is_refused_and_named(site: Path, old: str, new: str, named: str) -> None:
    with pytest.raises(SettingsWrong) as refused:
        read_settings(changed(site, old, new))
    assert str(site) in str(refused.value)
    assert named in str(refused.value)


@pytest.mark.parametrize("host", ["hub", "10.0.0.7", "127.0.0.1.example.com", "localhost.example.com", "[::2]"])
def test_what_crosses_a_network_is_encrypted_except_in_a_demonstration_or_a_test(site: Path, host: str) -> None:
    plain = changed(site, "wss://edge.example.com/edge", f"ws://{host}/edge")
    with pytest.raises(SettingsWrong, match=r"gateway\.url: .*wss://"):
        read_settings(plain, environment="production")
    for environment in ("demo", "test"):
        assert read_settings(plain, environment=environment).gateway.url == f"ws://{host}/edge"


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "127.8.0.1", "localhost", "[::1]:8080"])
def test_what_stays_on_this_machine_need_not_be_encrypted(site: Path, host: str) -> None:
    plain = changed(site, "wss://edge.example.com/edge", f"ws://{host}/edge")
    assert read_settings(plain, environment="production").gateway.url == f"ws://{host}/edge"


def test_an_agent_in_production_does_not_start_without_encryption(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = changed(site, "wss://edge.example.com/edge", "ws://edge.example.com/edge")
    monkeypatch.delenv("INTERPILE_ENV", raising=False)
    assert commands.edge(["status", str(plain)]) == 2
    assert "wss://" in capsys.readouterr().err
    monkeypatch.setenv("INTERPILE_ENV", "demo")
    assert commands.edge(["status", str(plain)]) == 2
    assert "unable to open" in capsys.readouterr().err, "its file is right, but it never ran"


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsWrong, match="No such file"):
        read_settings(tmp_path / "none.toml")


def test_nothing_starts_with_a_wrong_file(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert commands.edge(["run", str(changed(site, 'kind = "ac"', 'kind = "steam"'))]) == 2
    assert "pile[0].kind" in capsys.readouterr().err
    assert not (site.parent / "state").exists()
    monkeypatch.setenv("SPEED", "60")
    monkeypatch.setenv("INTERPILE_ENV", "production")
    assert commands.edge(["run", str(changed(site, 'kind = "steam"', 'kind = "ac"'))]) == 2
    assert "SPEED" in capsys.readouterr().err
    assert not (site.parent / "state").exists()


def test_a_key_is_made_once_and_reads_as_the_sdk_reads_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "site.jwk"
    assert commands.edge(["key", "init", str(path)]) == 0
    public = capsys.readouterr().out.strip()
    assert path.stat().st_mode & 0o777 == 0o600
    of_sdk = load_sdk_key(path)
    assert of_sdk.public_b64url() == public
    assert of_sdk.private.private_bytes_raw() == load_key(path).private_bytes_raw()
    assert commands.edge(["key", "init", str(path)]) == 2
    assert "exists" in capsys.readouterr().err
    assert load_key(path).private_bytes_raw() == of_sdk.private.private_bytes_raw()


@pytest.mark.parametrize("content", ["", "[]", '{"crv": "Ed25519"}', '{"crv": "Ed25519", "d": "AA"}', "\x00"])
def test_what_is_no_key_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "key").write_text(content)
    with pytest.raises(KeyFileWrong):
        load_key(tmp_path / "key")


def test_an_agent_that_never_ran_has_no_status(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.edge(["status", str(site)]) == 2
    assert "unable to open" in capsys.readouterr().err
