"""Which virtual CAN bus works on this machine, found by trying.

    python -m edge_agent.drivers.probe

prints one line of JSON, `{"interface": "udp_multicast", "zh": "...", "en": "..."}`. `udp_multicast` needs a
route for multicast; without one, `slcan` over the small TCP hub of `edge_agent.sim.can_hub` does the same.
"""

import asyncio
import json
import socket
from dataclasses import asdict, dataclass

from edge_agent.codecs.pile_bus import BITRATE
from edge_agent.drivers.can_port import BusError, CanPort

GROUP = "239.74.163.2"
HEARD_WITHIN_S = 1.0
SAY_EVERY_S = 0.05
PROBE_ID = 0x1FFFFFFF


@dataclass(frozen=True, slots=True)
class Probe:
    """What works, and why, for a person to read."""

    interface: str
    zh: str
    en: str


async def probe(group: str = GROUP, port: int | None = None) -> Probe:
    """Send on one end of a multicast bus and listen on another, for a second at most."""
    wrong = await _try(group, free_udp_port() if port is None else port)
    if wrong is None:
        return Probe(
            "udp_multicast",
            f"本机支持多播（{group}）：仿真 CAN 总线使用 udp_multicast。",
            f"Multicast works here ({group}): simulated CAN buses use udp_multicast.",
        )
    return Probe(
        "slcan",
        f"本机不支持多播（{wrong}）：仿真 CAN 总线改用经 TCP 集线器的 slcan。",
        f"Multicast does not work here ({wrong}): simulated CAN buses use slcan over a TCP hub.",
    )


def free_udp_port() -> int:
    """A UDP port that nobody uses: each simulated bus needs its own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("", 0))
        return int(found.getsockname()[1])


async def _try(group: str, port: int) -> str | None:
    """What is wrong with it, None when nothing is."""
    heard = asyncio.Event()
    reasons: list[str] = []

    def end(tell: asyncio.Event | None) -> CanPort:
        return CanPort(
            interface="udp_multicast",
            channel=group,
            bitrate=BITRATE,
            port=port,
            on_frame=lambda _id, _data: tell.set() if tell else None,
            on_garbage=lambda _: None,
            on_gone=reasons.append,
        )

    speaker, listener = end(None), end(heard)
    try:
        await speaker.open()
        await listener.open()
        if not reasons:
            await asyncio.wait_for(_say_until(speaker, heard), HEARD_WITHIN_S)
    except TimeoutError:
        return "sent, and not heard within a second"
    except BusError as error:
        return str(error)
    finally:
        await speaker.close()
        await listener.close()
    return reasons[0] if reasons else None


async def _say_until(speaker: CanPort, heard: asyncio.Event) -> None:
    while not heard.is_set():
        speaker.send(PROBE_ID, b"")
        await asyncio.sleep(SAY_EVERY_S)


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(probe())), ensure_ascii=False))
