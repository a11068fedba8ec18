"""Partner profiles: the documented example is read, every key is documented, and mistakes are named."""

import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from msgspec import inspect

from operator_sdk.contract.tcec102.profile import (
    Profile,
    ProfileProblem,
    Secrets,
    active_keys,
    read_profile,
)

DOC = Path(__file__).resolve().parents[2] / "docs" / "tcec102-profile.md"
EXAMPLE = re.search(r"```toml\n(.*?)```", DOC.read_text(), re.DOTALL)
assert EXAMPLE is not None
TEXT = EXAMPLE[1]
SECRETS = TEXT[TEXT.index("[[secrets.theirs]]") :]
LEAST = 'operator_id = "395815801"\nname = "n"\nroles = ["host"]\nbase_url = "https://a.example"\n'


def _problem(text: str) -> str:
    with pytest.raises(ProfileProblem) as caught:
        read_profile(text)
    return str(caught.value)


def test_the_documented_example_is_read() -> None:
    profile, secrets = read_profile(TEXT)
    assert (profile.operator_id, profile.roles, profile.hub_operator_id) == (
        "395815801",
        ["host", "home"],
        "MA5HUB001",
    )
    assert profile.path_of("query_token") == "/evcs/sdk/query_token"
    assert profile.path_of("query_start_charge") == "/evcs/v1/query_start_charge"
    assert profile.ret.theirs == {"4015": 0, "9001": -1}
    assert [one.id for one in secrets.theirs] == ["2026a", "2026b"]


def test_all_but_five_things_have_the_standards_default() -> None:
    profile, _ = read_profile(LEAST + SECRETS)
    documented, _ = read_profile(TEXT)
    for section in ("spelling", "numbers", "signature", "token", "push", "time", "limits", "stations"):
        assert getattr(profile, section) == getattr(documented, section)


def test_every_key_of_the_profile_is_documented_with_its_default() -> None:
    text = DOC.read_text()
    for name in _keys(inspect.type_info(Profile), ""):
        assert f"`{name}`" in text, name
    for key in ("id", "operator_secret", "data_secret", "data_secret_iv", "sig_secret", "since", "until"):
        assert f"`{key}`" in text, key


def _keys(described: inspect.Type, under: str) -> list[str]:
    assert isinstance(described, inspect.StructType)
    names = []
    for field in described.fields:
        if isinstance(field.type, inspect.StructType):
            names += _keys(field.type, f"{field.name}.")
        else:
            names.append(f"{under}{field.name}")
    return names


def test_a_profile_can_be_stored_and_shown_without_its_secrets() -> None:
    profile, secrets = read_profile(TEXT)
    stored = msgspec.json.encode(profile)
    assert b"1234567890abcdef" not in stored
    assert msgspec.json.decode(stored, type=Profile) == profile
    assert msgspec.json.decode(msgspec.json.encode(secrets), type=Secrets) == secrets
    assert "1234567890abcdef" not in f"{secrets!r}{profile!r}"


@pytest.mark.parametrize(
    ("day", "accepted"),
    [("2026-08-31", ["2026a"]), ("2026-09-01", ["2026b", "2026a"]), ("2026-09-03", ["2026b"])],
)
def test_while_key_sets_overlap_both_are_good_and_the_newest_is_first(day: str, accepted: list[str]) -> None:
    _, secrets = read_profile(TEXT)
    at = datetime.fromisoformat(f"{day}T12:00:00+08:00").astimezone(UTC)
    assert [one.id for one in active_keys(secrets.theirs, at)] == accepted


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (('case = "standard"', 'casing = "standard"'), "unknown key `spelling.casing`"),
        (("[push]", "[pushes]"), "unknown key `pushes`"),
        (('name = "Example Charging"', ""), "missing key `name`"),
        (
            ('"395815801"', '"39581580"'),
            "operator_id: the partner's OperatorID: 9 digits and upper-case letters",
        ),
        (
            ('"https://interop.example.com"', '"https://interop.example.com/evcs"'),
            "base_url: https:// and a host",
        ),
        (('prefix = "/evcs/v1" ', 'prefix = "evcs/v1/" '), "prefix: a path such as"),
        (('"tcec102-2016"', '"gbt44130"'), "standard: GB/T 44130 is not spoken yet"),
        (('"tcec102-2016"', '"ocpi"'), "standard: this standard is not known"),
        (('["host", "home"]', '["host", "host"]'), "roles: each role once"),
        (('["host", "home"]', '["cpo"]'), "roles[0]: Invalid enum value 'cpo'"),
        (("query_token =", "query_tokens ="), "unknown key `paths.query_tokens`"),
        (('"Asia/Shanghai"', '"Asia/Beijing"'), "time.zone: a name such as"),
        (("window_s = 300", "window_s = -1"), "time.window_s: Expected `int` >= 0"),
        (("life_s = 7200", 'life_s = "7200"'), "token.life_s: Expected `int`, got `str`"),
        (('"203.0.113.0/24"', '"203.0.113.7/24"'), "network.addresses[0]: an address or network"),
        (('"4015"', '"busy"'), "ret.theirs.busy: the key is the partner's Ret"),
        (('mode = "policy"', 'mode = "trust"\nx = 1'), "unknown key `pricing.x`"),
        (
            ('estimate_service = "0.40"', "estimate_service = 0.40"),
            "pricing.estimate_service: yuan per kWh as text",
        ),
        (('"02:00"', '"2 am"'), "stations.full_at: a time of day"),
        (('id = "2026b"', 'id = "2026a"'), "secrets.theirs[1].id: each key set has an id of its own"),
        (
            ('data_secret_iv = "ponmlkjihgfedcba"', 'data_secret_iv = "short"'),
            "secrets.ours[1].data_secret_iv: 16 bytes are expected, these are 5; `signature.pad_keys = true`",
        ),
        (
            ("since = 2026-09-01T00:00:00+08:00\n\n", "since = 2026-09-01T00:00:00\n\n"),
            "secrets.theirs[1].since: Expected `datetime` with a timezone component",
        ),
        (("until = 2026-09-02T00:00:00+08:00", "untill = 1"), "unknown key `secrets.theirs[0].untill`"),
        (("[spelling]", "[spelling"), "not TOML"),
        (("[spelling]", "x = " + "[" * 5000), "not TOML"),
        (('"Example Charging"', '"a\\u0000b"'), "name: 1 to 100 characters, without line breaks"),
        (('"MA5HUB001"', '"395815801"'), "hub_operator_id: ours, which cannot be"),
    ],
)
def test_a_mistake_is_named(change: tuple[str, str], problem: str) -> None:
    assert change[0] in TEXT
    assert problem in _problem(TEXT.replace(*change))


def test_a_profile_without_secrets_or_estimates_that_it_needs_says_so() -> None:
    assert _problem(LEAST) == "secrets: [[secrets.theirs]] and [[secrets.ours]] are required"
    assert "missing key `secrets.ours`" in _problem(LEAST + SECRETS[: SECRETS.index("[[secrets.ours]]")])
    needs = LEAST + '[pricing]\nmode = "details"\n' + SECRETS
    assert _problem(needs).startswith('pricing.estimate_electricity: required for mode = "details"')
    assert read_profile(needs.replace('["host"]', '["home"]'))[0].pricing.mode == "details"


def test_short_keys_are_padded_where_the_profile_says_so() -> None:
    short = SECRETS.replace('data_secret = "fedcba0987654321"', 'data_secret = "fedcba"')
    _, secrets = read_profile(f"{LEAST}[signature]\npad_keys = true\n{short}")
    assert secrets.theirs[1].keys.aes_key == b"fedcba" + b"\0" * 10


def test_a_problem_never_shows_a_secret() -> None:
    wrong = SECRETS.replace('data_secret = "fedcba0987654321"', 'data_secret = "a-secret-of-wrong-length"')
    assert "a-secret" not in _problem(LEAST + wrong)
    assert "a-secret" not in _problem(LEAST + wrong.replace('"a-secret-of-wrong-length"', '["a-secret"]'))
    assert "a-secret" not in _problem(LEAST + wrong.replace('"a-secret-of-wrong-length"', "a-secret"))
