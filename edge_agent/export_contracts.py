"""Writes the pile bus into `schema/`: the DBC, for whoever builds a pile's controller."""

import argparse
import sys
from pathlib import Path

from edge_agent.codecs.pile_bus import DBC


def main(argv: list[str]) -> int:
    """Export into a folder."""
    parser = argparse.ArgumentParser(prog="python -m edge_agent.export_contracts", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("schema"))
    folder: Path = parser.parse_args(argv).folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DBC.name).write_bytes(DBC.read_bytes())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
