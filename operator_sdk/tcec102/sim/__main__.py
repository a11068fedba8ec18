"""`python -m operator_sdk.tcec102.sim tcec102 ...`: as `interpile sim`."""

import sys

from operator_sdk.tcec102.sim.command import sim

if __name__ == "__main__":
    sys.exit(sim(sys.argv[1:]))
