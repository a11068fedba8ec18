import asyncio, time
import pytest
from tests.rig import *
async def test_it(kind):
    t=time.monotonic()
    async with open_rig(kind) as rig:
        print("up", time.monotonic()-t)
        print(await rig.fingerprint())
        page = await rig.client(A).list_sessions()
        print(page)
    print("down", time.monotonic()-t)
