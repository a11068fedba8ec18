"""The PyPI package `dlt645` as a meter, in a process of its own: `python -m tests.dlt645_peer tcp | rtu PORT`.

Prints where it listens once it does, and ends when its standard input does.
"""

import sys

from dlt645 import MeterServerService
from dlt645.common.transform import string_to_bcd

METER = "202506180042"
SHOWS = {0x00010000: 123456.78, 0x00020000: 0.01}
FLOWS = {0x02010100: 220.5, 0x02020100: 32.105, 0x02020200: -1.5, 0x02030000: 7.1234, 0x02800002: 50.01}


def main() -> None:
    if sys.argv[1] == "tcp":
        meter = MeterServerService.new_tcp_server("127.0.0.1", 0)
    else:
        meter = MeterServerService.new_rtu_server(sys.argv[2], 8, 1, 2400, "N", 5.0)
    meter.set_address(string_to_bcd(METER, "little"))
    for identifier, kwh in SHOWS.items():
        assert meter.set_00(identifier, kwh)
    for identifier, value in FLOWS.items():
        assert meter.set_02(identifier, value)
    assert meter.start()
    sys.stdout.write(f"{meter.server.port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    meter.stop()


if __name__ == "__main__":
    main()
