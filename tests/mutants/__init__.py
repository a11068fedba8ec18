"""Deliberate bugs, one at a time and never shipped: a proof that does not fail on its bug proves nothing."""
