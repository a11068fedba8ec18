"""Puts one bug in place of one named function of this process."""

import functools
import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class Vanished(LookupError):
    """A name of the catalogue that nobody has any more."""


@dataclass(slots=True)
class Planted:
    """A bug in its place, and how often somebody came by."""

    calls: int = 0


def found(dotted: str) -> tuple[Any, str, Any]:
    """What has it, its name there, and the thing itself, for `module:function` or `module:Class.method`.

    Raises:
        Vanished: the module, the class or the function is not there (any more).
    """
    module, _, path = dotted.partition(":")
    *owners, name = path.split(".")
    try:
        owner: Any = importlib.import_module(module)
        for one in owners:
            owner = getattr(owner, one)
    except (ModuleNotFoundError, AttributeError) as problem:
        raise Vanished(dotted) from problem
    # What is only inherited, or only imported, is named where it stands.
    whole = vars(owner).get(name)
    inside: Any = whole.fget if isinstance(whole, property) else getattr(whole, "__func__", whole)
    while hasattr(inside, "__wrapped__"):
        inside = inside.__wrapped__
    if not callable(inside) or inside.__module__ != module:
        raise Vanished(dotted)
    return owner, name, whole


def plant(target: str, bug: str) -> Planted:
    """Put a bug in place of a function. The bug gets the right function first, and then its arguments.

    Modules that have imported the function by its name get the bug as well; so this is called before anything
    else is imported, that no table or default value has kept the right one.

    Raises:
        Vanished: there is no such function, or no such bug.
    """
    owner, name, right = found(target)
    planted = Planted()
    wrong = _like(right, found(bug)[2], planted)
    setattr(owner, name, wrong)
    for module in list(sys.modules.values()):
        for alias, value in list(vars(module).items()):
            if value is right:
                setattr(module, alias, wrong)
    return planted


def _like(right: Any, bug: Callable[..., Any], planted: Planted) -> Any:
    """The bug as the same kind of thing: property, static method or plain function."""
    if isinstance(right, property):
        return property(_instead(right.fget, bug, planted))
    if isinstance(right, staticmethod):
        return staticmethod(_instead(right.__func__, bug, planted))
    return _instead(right, bug, planted)


def _instead(right: Any, bug: Callable[..., Any], planted: Planted) -> Callable[..., Any]:
    @functools.wraps(right)
    def wrong(*given: Any, **named: Any) -> Any:
        planted.calls += 1
        return bug(right, *given, **named)

    return wrong
