"""Writes `graphql.graphql`, the schema that the phone's page is built on, into the folder of contracts."""

import argparse
import sys
from pathlib import Path

from mobile_bff.graph.schema import make_schema


def main(argv: list[str]) -> int:
    """Export into a folder."""
    parser = argparse.ArgumentParser(prog="python -m mobile_bff.export_schema", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("schema"))
    folder: Path = parser.parse_args(argv).folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "graphql.graphql").write_text(make_schema(in_order=True).as_str() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
