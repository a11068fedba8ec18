"""`python -m operator_sdk.examples.keys FILE`: make an operator's key, print its public part as JSON.

A file that exists is left as it is and its public part printed.
"""

import argparse
import json
import sys
from pathlib import Path

from operator_sdk.keys import load_key, new_key, save_key


def main(argv: list[str] | None = None) -> int:
    """Make the key where there is none."""
    parser = argparse.ArgumentParser(prog="keys", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--key-id", help="a name of one's own instead of the thumbprint")
    given = parser.parse_args(argv)
    if not given.file.exists():
        given.file.parent.mkdir(parents=True, exist_ok=True)
        save_key(new_key(given.key_id), given.file)
    key = load_key(given.file)
    print(json.dumps({"key_id": key.key_id, "public_key": key.public_b64url()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
