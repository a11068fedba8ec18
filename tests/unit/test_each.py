"""One item that fails keeps none of those behind it waiting, and is not forgotten either."""

import pytest

from hub.core.runner import each


async def test_all_are_worked_on_in_their_order() -> None:
    async def double(number: int) -> int:
        return 2 * number

    assert await each("doubling", [3, 1, 2], double) == [6, 2, 4]


async def test_one_that_fails_keeps_nobody_waiting_and_is_raised_at_the_end() -> None:
    worked_on = []

    async def work(number: int) -> None:
        worked_on.append(number)
        if number < 3:
            raise ValueError(number)

    with pytest.raises(ExceptionGroup, match="2 of 3 failed") as raised:
        await each("counting", [1, 2, 3], work)
    assert worked_on == [1, 2, 3]
    assert [problem.args for problem in raised.value.exceptions] == [(1,), (2,)]


async def test_without_a_database_nothing_more_is_tried() -> None:
    worked_on = []

    async def work(number: int) -> None:
        worked_on.append(number)
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        await each("counting", [1, 2], work)
    assert worked_on == [1]
