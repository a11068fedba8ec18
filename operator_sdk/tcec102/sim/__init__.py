"""A whole T/CEC 102 partner platform for tests and demonstrations: host, home or both, with real bytes.

`interpile sim tcec102` runs it in a process of its own. It stands on `Tcec102Client` and
`Tcec102Server`; what it does wrong on purpose is in `pains`.
"""
