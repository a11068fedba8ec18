"""What a hosted home decides about a message is its refusal; what may be otherwise next time is tried again."""

import pytest

from hub.core.errors import UNDECIDED, HubError, NotFoundError
from hub.parties.link import LinkError, LinkRefused
from hub.protocols.hosted.link import _as_answered
from operator_sdk.contract.public_codes import Code


@pytest.mark.parametrize("problem", [NotFoundError(), HubError(Code.STATE_CONFLICT), HubError(Code.ID_REUSED)])
def test_a_decision_is_a_refusal_with_its_code(problem: HubError) -> None:
    with pytest.raises(LinkRefused) as refused, _as_answered():
        raise problem
    assert refused.value.reason == problem.code


@pytest.mark.parametrize("code", sorted(UNDECIDED))
def test_what_is_not_decided_is_no_refusal(code: Code) -> None:
    with pytest.raises(LinkError) as silent, _as_answered():
        raise HubError(code)
    assert not isinstance(silent.value, LinkRefused)


def test_a_database_out_of_reach_says_nothing_for_the_home() -> None:
    with pytest.raises(OSError, match="gone"), _as_answered():
        raise OSError("gone")
