"""The DBC describes the pile bus whole: whoever builds a pile needs nothing else."""

from pathlib import Path

import cantools
import pytest
from cantools.database.can import Database

from edge_agent.codecs.pile_bus import AGENT_SILENT_S, BITRATE, CYCLES_MS, DBC, decode, encode
from edge_agent.codecs.pile_bus_messages import (
    Ability,
    Commanded,
    CommandResult,
    Faults,
    Limit,
    Measure,
    Meter,
    PileFault,
    PileKind,
    PileState,
    Report,
    Severity,
    Start,
    Status,
    Stop,
    StopCause,
    StopReason,
)
from edge_agent.export_contracts import main

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def database() -> Database:
    loaded = cantools.database.load_file(DBC)
    assert isinstance(loaded, Database)
    return loaded


def test_every_message_says_what_it_is_for_and_how_often_it_comes(database: Database) -> None:
    for message in database.messages:
        assert message.comment
        assert message.is_extended_frame
        is_repeated = message.senders == ["Pile"] and message.name != "CARD"
        assert bool(message.cycle_time) == (is_repeated or message.name == "LIMIT")
        for signal in message.signals:
            assert signal.byte_order == "little_endian"
            assert (signal.minimum, signal.maximum) != (None, None)
    assert BITRATE == 250_000
    assert CYCLES_MS[Status] == 100


def test_an_id_is_priority_kind_destination_source(database: Database) -> None:
    kinds = [message.frame_id >> 16 & 0xFF for message in database.messages]
    assert len(set(kinds)) == len(kinds)
    for message in database.messages:
        ends = (message.frame_id >> 8 & 0xFF, message.frame_id & 0xFF)
        assert ends == ((0xE0, 0) if message.senders == ["Pile"] else (0, 0xE0))


def test_a_charge_is_a_lease_that_outlasts_a_restart_of_the_agent(database: Database) -> None:
    assert (CYCLES_MS[Limit], AGENT_SILENT_S) == (1_000, 15)
    assert "15 s" in (database.get_message_by_name("LIMIT").comment or "")
    causes = database.get_message_by_name("STATUS").get_signal_by_name("stop_cause").choices
    assert causes is not None
    assert set(map(str, causes.values())) == set(StopCause)


def test_stop_and_faults_win_the_bus(database: Database) -> None:
    by_priority = sorted(database.messages, key=lambda message: message.frame_id)
    assert [message.name for message in by_priority[:2]] == ["STOP", "FAULTS"]


WORKED = [
    (
        Status(
            3,
            PileState.CHARGING,
            plugged=True,
            locked=True,
            contactor_closed=True,
            soc_percent=61,
            last_sequence=7,
            last_result=CommandResult.ACCEPTED,
            stop_cause=StopCause.NONE,
        ),
        0x0CA0E003,
        "03 07 3D 07 01 00",
    ),
    (Measure(3, 5970, 1200, 71_640, 35), 0x18A1E003, "52 17 B0 04 D8 17 01 23"),
    (Measure(3, 0, -10, -400, None), 0x18A1E003, "00 00 F6 FF 70 FE FF 80"),
    (Meter(3, 12_345_678), 0x18A2E003, "4E 61 BC 00 00"),
    (
        Faults(3, frozenset({PileFault.EMERGENCY_STOP, PileFault.CONNECTOR_LOCK}), Severity.STOP),
        0x08A3E003,
        "01 01 02",
    ),
    (Ability(3, 1, PileKind.DC, 120_000, 60_000), 0x1CA5E003, "01 01 C0 D4 01 60 EA 00"),
    (Commanded(3, 8, Start()), 0x0CB003E0, "08 FF FF FF"),
    (Commanded(3, 8, Start(60_000)), 0x0CB003E0, "08 60 EA 00"),
    (Commanded(3, 9, Stop(StopReason.DANGER)), 0x04B103E0, "09 02"),
]


@pytest.mark.parametrize(("message", "can_id", "data"), WORKED)
def test_worked_frames(message: Report | Commanded, can_id: int, data: str) -> None:
    assert encode(message) == (can_id, bytes.fromhex(data))
    assert decode(can_id, bytes.fromhex(data)) == message


def test_the_published_copy_is_the_one_in_use(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 0
    assert (tmp_path / DBC.name).read_bytes() == DBC.read_bytes()
    assert (ROOT / "schema" / DBC.name).read_bytes() == DBC.read_bytes()
