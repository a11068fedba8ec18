"""`interpile dispute`, as an accountant runs it."""

from hub.commands.shell import with_hub
from hub.roaming.tables_records import RecordRow
from hub.wiring import Hub
from operator_sdk.contract.messages.disputes import DisputeAnswer, DisputeEvidence, DisputeInsist, DisputeRaise
from tests.integration.test_commands import A, B, Terminal, add_parties, hub_at, interpile  # noqa: F401
from tests.integration.test_record_commands import OTHER, RECORD, audited
from tests.integration.test_record_states import row

LOG = DisputeEvidence(name="日志", text="11:00 拔枪")


async def quarrel(hub: Hub) -> tuple[str, str]:
    """B disputes two of A's records; A contests one of them, and B insists."""
    async with hub.database.unit() as unit:
        now = hub.clock.business()
        day = {"booked_day": now.date().isoformat(), "updated_at": now}
        unit.session.add_all(row(one, "accepted", session_id=None, **day) for one in (RECORD, OTHER))
    first, second = [
        await hub.roaming.disputes.raise_dispute(
            B, DisputeRaise(dispute_ref=one, record_id=one, reason="没有充过电", evidence=[LOG])
        )
        for one in (RECORD, OTHER)
    ]
    contest = DisputeAnswer(answer="contest", reason="有录像", evidence=[LOG])
    await hub.roaming.disputes.answer(A, second.dispute_id, contest)
    await hub.roaming.disputes.insist(B, second.dispute_id, DisputeInsist(reason="不是这辆车"))
    return first.dispute_id, second.dispute_id


async def record_states(hub: Hub) -> dict[str, str]:
    async with hub.database.reading() as unit:
        rows = [await unit.session.get(RecordRow, one) for one in (RECORD, OTHER)]
    return {one.record_id: one.state for one in rows if one is not None}


def test_an_accountant_looks_and_decides(interpile: Terminal) -> None:  # noqa: F811
    add_parties(interpile)
    first, second = with_hub(quarrel)
    assert {one["dispute_id"] for one in interpile.json("dispute list")} == {first, second}
    assert [one["dispute_id"] for one in interpile.json("dispute list --state answered")] == [second]
    assert interpile("dispute list --state nonsense") == 2
    assert interpile("dispute list") == 0
    waiting = {line.split()[0]: line.split()[2] for line in interpile.out.splitlines()[1:]}
    assert waiting == {first: "host", second: "staff"}
    assert interpile(f"dispute show {second}") == 0
    for words in ("日志 | 11:00 拔枪", "有录像", "不是这辆车", "15.00", "no: only a credit can follow"):
        assert words in interpile.out
    assert interpile("dispute show dsp_none") == 1
    assert interpile(f"dispute resolve {first} maybe --reason x") == 2
    assert interpile.json(f"dispute resolve {first} accepted --reason seen")["state"] == "accepted"
    assert interpile(f"dispute resolve {first} credited --reason seen") == 1
    assert "state_conflict" in interpile.err
    assert interpile(f"dispute resolve {second} credited --reason 录像不清") == 0
    assert "cli:" in interpile.out
    assert with_hub(record_states) == {RECORD: "accepted", OTHER: "credited"}
    assert {("resolve_dispute", first), ("resolve_dispute", second)} <= set(with_hub(audited))
