"""Obligations, cycles, netting and statements: who owes whom, and what is left of it once a day."""
