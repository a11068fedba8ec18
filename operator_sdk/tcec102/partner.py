"""What a partner's profile and secrets say about one call. Pure."""

import hmac
import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta

from operator_sdk.contract.tcec102.keys import KeySet
from operator_sdk.contract.tcec102.profile import DatedKeys, Profile, active_keys
from operator_sdk.contract.tcec102.values import parse_stamp
from operator_sdk.tcec102.errors import NoKeys


def keys_in_force(dated: list[DatedKeys], at: datetime) -> list[KeySet]:
    """The key sets that hold at an instant, the newest first.

    Raises:
        NoKeys: there is none.
    """
    holding = [one.keys for one in active_keys(dated, at)]
    if not holding:
        raise NoKeys("no secrets are in force")
    return holding


def knows_secret(key_sets: Sequence[KeySet], secret: str) -> bool:
    """Whether this is the OperatorSecret of one of them; compared in constant time."""
    given = secret.encode("utf-8", "replace")
    found = [hmac.compare_digest(keys.operator_secret.encode(), given) for keys in key_sets]
    return any(found)


def is_in_window(profile: Profile, stamp: str, now: datetime) -> bool:
    """Whether a TimeStamp is as near to now as the profile wants; true where it wants nothing."""
    if not profile.time.window_s:
        return True
    try:
        at = parse_stamp(stamp, profile.time.zone)
    except ValueError:
        return False
    return abs(now - at) <= timedelta(seconds=profile.time.window_s)


def is_admitted(profile: Profile, address: str) -> bool:
    """Whether the profile lets this address call; every address where it names none."""
    if not profile.network.addresses:
        return True
    try:
        caller = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(caller in ipaddress.ip_network(one, strict=False) for one in profile.network.addresses)
