"""The auditor: recomputes everything from raw rows and from what partners and the bank wrote down themselves.

It shares no code with the hub and none with the contract: its own SQL, its own arithmetic (`fractions`), its
own tables of what may follow what. `tests/simulation/test_auditor.py` holds it to that.
"""
