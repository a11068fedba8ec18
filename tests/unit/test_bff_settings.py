"""What the phone's service is told from outside."""

from pathlib import Path

import pytest

from mobile_bff.settings import Settings, SettingsError

HUB = {"BFF_HUB_URL": "http://hub:8080/"}


def test_beside_the_hub_nothing_needs_to_be_set() -> None:
    settings = Settings.from_env({}, own_url="http://127.0.0.1:8080", issuer="https://hub.example")
    assert (settings.hub_url, settings.issuer) == ("http://127.0.0.1:8080", "https://hub.example")
    assert settings.in_production
    assert settings.party_id is None


def test_the_environment_says_more_than_the_neighbour() -> None:
    given = {**HUB, "BFF_HUB_ISSUER": "https://a.example", "INTERPILE_PUBLIC_URL": "https://b.example"}
    settings = Settings.from_env(given, own_url="http://x", issuer="https://c.example")
    assert (settings.hub_url, settings.issuer) == ("http://hub:8080", "https://a.example")
    assert Settings.from_env(HUB).issuer == "http://hub:8080"


def test_all_of_it_together() -> None:
    given = {
        **HUB,
        "INTERPILE_ENV": "demo",
        "BFF_PARTY_ID": "MA5APP001",
        "BFF_KEY_FILE": "app.json",
        "BFF_ORIGINS": "https://one.example, https://two.example:8443/",
        "BFF_SOCKETS_PER_DRIVER": "7",
        "BFF_HUB_CONNECTIONS": "9",
        "BFF_RATE_PER_S": "8",
        "BFF_SIGN_INS_PER_S": "3",
    }
    settings = Settings.from_env(given)
    assert settings == Settings(
        hub_url="http://hub:8080",
        issuer="http://hub:8080",
        env="demo",
        party_id="MA5APP001",
        key_file=Path("app.json"),
        origins=("https://one.example", "https://two.example:8443"),
        sockets_per_driver=7,
        connections=9,
        rate_per_s=8,
        sign_ins_per_s=3,
    )
    assert not settings.in_production


@pytest.mark.parametrize(
    "given",
    [
        {},
        {**HUB, "INTERPILE_ENV": "staging"},
        {"BFF_HUB_URL": "hub:8080"},
        {"BFF_HUB_URL": "http://hub?x=1"},
        {"BFF_HUB_URL": "http://[::1"},
        {**HUB, "BFF_PARTY_ID": "MA5APP001"},
        {**HUB, "BFF_KEY_FILE": "app.json"},
        {**HUB, "BFF_ORIGINS": "*"},
        {**HUB, "BFF_ORIGINS": "https://a.example/path"},
        {**HUB, "BFF_SOCKETS_PER_DRIVER": "0"},
        {**HUB, "BFF_HUB_CONNECTIONS": "many"},
        {**HUB, "BFF_RATE_PER_S": "0"},
        {**HUB, "BFF_SIGN_INS_PER_S": "0"},
    ],
)
def test_what_cannot_be_used_is_said_at_the_start(given: dict[str, str]) -> None:
    with pytest.raises(SettingsError):
        Settings.from_env(given)
