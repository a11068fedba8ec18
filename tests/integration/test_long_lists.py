"""Lists that are longer than memory should hold are read in blocks, on both engines."""

from sqlalchemy import text

from hub.core.database import BLOCK, Database

COUNTED = """
WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < :most)
SELECT n FROM counted ORDER BY n
"""


async def test_a_long_list_comes_a_block_at_a_time_in_its_order(database: Database) -> None:
    most = 2 * BLOCK + 7
    async with database.reading() as unit:
        blocks = [list(rows) async for rows in unit.blocks(text(COUNTED).bindparams(most=most))]
    assert [len(rows) for rows in blocks] == [BLOCK, BLOCK, 7]
    assert [row[0] for rows in blocks for row in rows] == list(range(1, most + 1))


async def test_who_stops_in_the_middle_leaves_the_unit_usable(database: Database) -> None:
    async with database.reading() as unit:
        async for rows in unit.blocks(text(COUNTED).bindparams(most=BLOCK + 1)):
            assert len(rows) == BLOCK
            break
        assert (await unit.execute(text("SELECT 41 + 1"))).scalar_one() == 42
