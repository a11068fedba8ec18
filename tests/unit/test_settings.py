"""Settings are read once, and what cannot be used is refused with the variable's name."""

import base64
import json
from pathlib import Path

import pytest

from hub.core.secrets import SecretsError, make_secrets, read_secrets
from hub.settings import Settings, SettingsError

EPOCH = "2026-03-02T04:00:00Z"


def test_without_any_variable_it_is_production_at_the_walls_speed() -> None:
    settings = Settings.from_env({})
    assert (settings.env, settings.relaxed, settings.speed) == ("production", False, 1)
    assert settings.database_url.startswith("sqlite:")


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"INTERPILE_ENV": "staging"}, "INTERPILE_ENV"),
        ({"SPEED": "60", "INTERPILE_EPOCH": EPOCH}, "SPEED"),
        ({"SPEED": "0.5"}, "SPEED"),
        ({"INTERPILE_ENV": "demo", "SPEED": "60"}, "INTERPILE_EPOCH"),
        ({"INTERPILE_EPOCH": "2026-03-02T04:00:00"}, "zone"),
        ({"INTERPILE_EPOCH": "yesterday"}, "INTERPILE_EPOCH"),
        ({"INTERPILE_PUBLIC_URL": "http://hub.example"}, "INTERPILE_PUBLIC_URL"),
        ({"INTERPILE_PUBLIC_URL": "ftp://hub.example"}, "INTERPILE_PUBLIC_URL"),
        ({"INTERPILE_PUBLIC_URL": "https://hub.example/?a=b"}, "INTERPILE_PUBLIC_URL"),
        ({"INTERPILE_CODE_FILE": "codes.jsonl"}, "INTERPILE_CODE_FILE"),
        ({"INTERPILE_RATE_PER_S": "many"}, "INTERPILE_RATE_PER_S"),
        ({"INTERPILE_MASTER_KEY": "not base64"}, "INTERPILE_MASTER_KEY"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(given: dict[str, str], names: str) -> None:
    with pytest.raises(SettingsError, match=names):
        Settings.from_env(given)


def test_a_demo_may_run_faster_and_on_http() -> None:
    settings = Settings.from_env(
        {
            "INTERPILE_ENV": "demo",
            "SPEED": "60",
            "INTERPILE_EPOCH": EPOCH,
            "INTERPILE_PUBLIC_URL": "http://hub.local:8080/",
        }
    )
    assert (settings.speed, settings.public_url) == (60, "http://hub.local:8080")


def test_production_may_be_tried_out_on_the_loopback() -> None:
    assert Settings.from_env({"INTERPILE_PUBLIC_URL": "http://127.0.0.1:9000"}).public_url.endswith(":9000")


def test_a_master_key_from_the_environment_is_the_one_and_is_never_shown(tmp_path: Path) -> None:
    file, key = tmp_path / "secrets.json", bytes(range(32))
    make_secrets(file)
    settings = Settings.from_env({"INTERPILE_MASTER_KEY": base64.b64encode(key).decode()})
    assert read_secrets(file, master=settings.master_key).derive("x") != read_secrets(file).derive("x")
    assert base64.b64encode(key).decode() not in repr(settings)
    assert repr(key) not in repr(settings)
    content = json.loads(file.read_text())
    del content["master"]
    file.write_text(json.dumps(content))
    assert read_secrets(file, master=settings.master_key).master == key
    with pytest.raises(SecretsError, match="not a secrets file"):
        read_secrets(file)
    with pytest.raises(SecretsError, match="32 bytes"):
        read_secrets(file, master=key[1:])
