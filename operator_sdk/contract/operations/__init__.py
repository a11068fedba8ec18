"""The one table of operations: hub routes, SDK calls and OpenAPI all come from it.

`HUB` holds what the hub serves, `OPERATOR` what an operator's platform serves to the hub. Paths are below the
server's root; `{name}` marks a path parameter. A `signed` operation is signed both ways (request and answer);
everything the hub asks of an operator carries at least the hub's request signature.
"""

from operator_sdk.contract.operations.hub import HUB
from operator_sdk.contract.operations.model import Operation, Scope
from operator_sdk.contract.operations.operator import OPERATOR

__all__ = ["HUB", "OPERATOR", "Operation", "Scope"]
