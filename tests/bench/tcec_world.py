"""Who takes part in the T/CEC 102 stage: a host with as many stations as a large operator has, and a home.

Both are stubs of `tcec_partner`; the hub knows them by profiles like any other partner's.
"""

import hashlib
from collections.abc import Iterator

from operator_sdk.contract.tcec102.keys import KeySet
from operator_sdk.contract.tcec102.profile import Profile, read_profile
from tests.bench.world import World

TCEC_HOST, TCEC_HOME = "MA5TCHOST", "MA5TCHOME"
PREFIX, STATUS = "/evcs/v1", "notification_equip_charge_status"
STATIONS, CONNECTORS = 1_706, 22_872
"""What one large operator has published."""


def station_sizes() -> list[int]:
    """How many connectors each station has."""
    least, more = divmod(CONNECTORS, STATIONS)
    return [least + (number < more) for number in range(STATIONS)]


def connectors() -> Iterator[str]:
    """Every connector, station by station."""
    for number, size in enumerate(station_sizes()):
        for plug in range(size):
            yield connector_id(number, plug)


def connector_id(station: int, plug: int) -> str:
    """A connector's number."""
    return f"440304{station:05d}{plug:03d}"


def ours(party_id: str) -> KeySet:
    """What the hub issued to a partner: for the partner's calls."""
    return _keys(f"hub for {party_id}")


def theirs(party_id: str) -> KeySet:
    """What a partner issued to the hub: for the hub's calls."""
    return _keys(f"{party_id} for hub")


def _keys(words: str) -> KeySet:
    login, data, start, sign = (
        hashlib.sha256(f"{words} {number}".encode()).hexdigest()[:16] for number in range(4)
    )
    return KeySet(operator_secret=login, data_secret=data, data_secret_iv=start, sig_secret=sign)


def base_url(world: World, party_id: str) -> str:
    """Where a partner's platform answers."""
    return f"{world.tcec_partner_url}/{party_id}"


def profile_text(world: World, party_id: str) -> str:
    """A partner's profile, as an operator would write it."""
    role = "host" if party_id == TCEC_HOST else "home"
    lines = [
        f'operator_id = "{party_id}"',
        f'name = "{party_id}"',
        f'roles = ["{role}"]',
        f'base_url = "{world.tcec_partner_url}"',
        f'prefix = "/{party_id}{PREFIX}"',
        "[limits]",
        "rate_per_s = 100000",
        "concurrent = 1000",
        "[push]",
        "status_s = 1",
        "[pricing]",
        "policy_life_s = 0",
        *_dated("theirs", theirs(party_id)),
        *_dated("ours", ours(party_id)),
    ]
    return "\n".join(lines)


def _dated(side: str, keys: KeySet) -> list[str]:
    return [
        f"[[secrets.{side}]]",
        'id = "bench"',
        f'operator_secret = "{keys.operator_secret}"',
        f'data_secret = "{keys.data_secret}"',
        f'data_secret_iv = "{keys.data_secret_iv}"',
        f'sig_secret = "{keys.sig_secret}"',
    ]


def profile_of(world: World, party_id: str) -> Profile:
    """The same, read."""
    return read_profile(profile_text(world, party_id))[0]
