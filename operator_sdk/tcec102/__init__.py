"""T/CEC 102 for operators: call a platform of either side, be one of either side, simulate a whole partner.

`Tcec102Client` calls the fifteen interfaces, `Tcec102Server` answers them for an operator's own functions, and
`operator_sdk.tcec102.sim` (`interpile sim tcec102`) is a partner platform that can misbehave. The codec and the
partner's profile are in `operator_sdk.contract.tcec102`. Standard: T/CEC 102.1 to 102.4 of 2016.

As in `operator_sdk` the names are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from operator_sdk.tcec102.client import Tcec102Client
    from operator_sdk.tcec102.errors import Tcec102Refused, TokenRefused
    from operator_sdk.tcec102.handlers import Caller, Customer, Infrastructure
    from operator_sdk.tcec102.server import Tcec102Server

__all__ = [
    "Caller",
    "Customer",
    "Infrastructure",
    "Tcec102Client",
    "Tcec102Refused",
    "Tcec102Server",
    "TokenRefused",
]

_HOMES = {
    "Caller": "handlers",
    "Customer": "handlers",
    "Infrastructure": "handlers",
    "Tcec102Client": "client",
    "Tcec102Refused": "errors",
    "Tcec102Server": "server",
    "TokenRefused": "errors",
}


def __getattr__(name: str) -> object:
    """Load a public name."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """The public names."""
    return [*__all__]
