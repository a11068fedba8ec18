"""What the machine says of itself: CPU time by process and core, memory, cores to pin to."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cores:
    """The server under measurement has the first core; everything else shares the others."""

    server: int | None
    others: tuple[int, ...]

    @staticmethod
    def found() -> "Cores":
        """Pinning makes sense from two cores on."""
        cores = sorted(os.sched_getaffinity(0))
        return Cores(cores[0], tuple(cores[1:])) if len(cores) > 1 else Cores(None, ())

    @property
    def every(self) -> tuple[int, ...]:
        """All of them."""
        return (*(() if self.server is None else (self.server,)), *self.others)

    def name(self, *, server: bool) -> str:
        """For a command line; empty where nothing is pinned."""
        if self.server is None:
            return ""
        return str(self.server if server else self.others[0])


def cpu_s(pid: int) -> float:
    """User and system time a process has used, all threads; 0 when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def core_busy_s(core: int | None) -> float:
    """How long a core has been busy with anything, the hypervisor's share included."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *numbers = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _wait, irq, soft, steal = (int(number) for number in numbers[:8])
            return (user + nice + system + irq + soft + steal) * TICK_S
    return 0.0


def memory_mb(pid: int, field: str = "VmRSS") -> float:
    """Resident memory of a process, now or (VmHWM) at its highest."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    return 0.0


def pin(pids: list[int], cores: tuple[int, ...]) -> int:
    """Move processes with their threads to cores, as far as this user may; says how many went."""
    moved = 0
    if not cores:
        return moved
    for pid in pids:
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                os.sched_setaffinity(int(thread), cores)
        except (PermissionError, FileNotFoundError, ProcessLookupError):
            continue
        moved += 1
    return moved


def describe() -> dict[str, object]:
    """The machine in a few words."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.release(),
    }


def load_average() -> list[float]:
    """One, five and fifteen minutes."""
    return [round(value, 2) for value in os.getloadavg()]
