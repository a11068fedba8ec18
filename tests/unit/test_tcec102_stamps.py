"""TimeStamp and Seq of the hub's envelopes."""

from datetime import UTC, datetime

from hub.core.clock import ManualClock
from hub.protocols.tcec102.stamps import Stamps
from operator_sdk.contract.tcec102.profile import read_profile
from tests.tcec102_gate import HOST, profile_text


def test_processes_of_one_hub_begin_their_seconds_with_numbers_of_their_own() -> None:
    profile, clock = read_profile(profile_text())[0], ManualClock(datetime(2026, 3, 2, 4, tzinfo=UTC))
    one, two = Stamps(clock, 9_990), Stamps(clock, 5_000)
    pairs = [each.next(HOST, profile) for _ in range(200) for each in (one, two)]
    assert len(set(pairs)) == 400
    assert [seq for _, seq in pairs[::2][:11]][-3:] == ["9999", "0001", "0002"]
    rest = [one.next(HOST, profile) for _ in range(9_799)]
    assert len({stamp for stamp, _ in rest}) == 1
    assert one.next(HOST, profile)[0] > rest[-1][0]
