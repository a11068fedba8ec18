"""The short memory: fresh answers once, each asked for once at a time, never more than there is room for."""

import asyncio

import pytest

from mobile_bff.cache import ShortMemory


async def test_an_answer_is_asked_for_once_however_many_wait() -> None:
    memory: ShortMemory[str] = ShortMemory(life_s=60, most=10)
    gate, asked = asyncio.Event(), []

    async def ask() -> str:
        asked.append(1)
        await gate.wait()
        return "answer"

    waiting = [asyncio.create_task(memory.get("key", ask)) for _ in range(20)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    gate.set()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError), "one who went away"
    assert answers[1:] == ["answer"] * 19
    assert await memory.get("key", ask) == "answer"
    assert len(asked) == 1


async def test_what_failed_is_told_to_all_who_waited_and_not_kept() -> None:
    memory: ShortMemory[str] = ShortMemory(life_s=60, most=10)
    outcomes = iter([OSError("down"), None])

    async def ask() -> str:
        problem = next(outcomes)
        await asyncio.sleep(0)
        if problem:
            raise problem
        return "up"

    both = await asyncio.gather(memory.get("k", ask), memory.get("k", ask), return_exceptions=True)
    assert [type(one) for one in both] == [OSError, OSError]
    assert await memory.get("k", ask) == "up"


async def test_an_answer_grows_old() -> None:
    memory: ShortMemory[int] = ShortMemory(life_s=0, most=10)
    count = iter(range(10))

    async def ask() -> int:
        return next(count)

    assert [await memory.get("k", ask) for _ in range(3)] == [0, 1, 2]


async def test_the_oldest_answers_make_room() -> None:
    memory: ShortMemory[int] = ShortMemory(life_s=60, most=3)
    for number in range(10):
        memory.keep(number, number)
    assert [memory.find(number) for number in range(10)] == [None] * 7 + [7, 8, 9]


@pytest.mark.parametrize("key", [("a", 1), b"bytes"])
async def test_any_key_will_do(key: object) -> None:
    memory: ShortMemory[int] = ShortMemory(life_s=60, most=3)
    memory.keep(key, 5)
    assert memory.find(key) == 5
