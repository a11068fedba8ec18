"""`python -m edge_agent ...` is `interpile edge ...`."""

import sys

from edge_agent.commands import edge

if __name__ == "__main__":
    sys.exit(edge(sys.argv[1:]))
