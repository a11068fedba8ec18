"""The `interpile` command: a dispatcher over the entry-point group `interpile.commands`.

An entry point loads to a callable `(argv: list[str]) -> int`; its one line of help is its `help`
attribute or the first line of its docstring. One named `check.tcec102` serves `interpile check tcec102 ...`
with the same arguments as `check` would get, so that a package can add to another's group.
"""

import difflib
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import cast

GROUP = "interpile.commands"
Command = Callable[[list[str]], int]
_EXTRAS = {"hub": "hub", "edge_agent": "edge", "mobile_bff": "bff"}


class _MissingExtra(Exception):
    """The package of a command, or something it needs, is not installed."""


def main(argv: Sequence[str] | None = None, commands: Iterable[EntryPoint] | None = None) -> int:
    """Run a subcommand and return its exit code; 2 when there is none by that name."""
    given = list(sys.argv[1:] if argv is None else argv)
    registered = entry_points(group=GROUP) if commands is None else commands
    known = {point.name: point for point in registered}
    if not given or given[0] in {"-h", "--help", "help"}:
        _print_list(known)
        return 0
    name, *rest = given
    if rest and f"{name}.{rest[0]}" in known:
        name = f"{name}.{rest[0]}"
    if name not in known:
        print(f"interpile: no command {name!r}{_hint(name, known)}", file=sys.stderr)
        return 2
    try:
        command = _load(known[name])
    except _MissingExtra as missing:
        print(f"interpile {name}: {missing}", file=sys.stderr)
        return 1
    return command(rest)


def _load(point: EntryPoint) -> Command:
    package = point.value.partition(":")[0].partition(".")[0]
    try:
        return cast("Command", point.load())
    except (ImportError, AttributeError) as problem:
        extra = _EXTRAS.get(package, package)
        raise _MissingExtra(f'needs: pip install "interpile[{extra}]" ({problem})') from problem


def _print_list(known: dict[str, EntryPoint]) -> None:
    print("usage: interpile COMMAND [ARGUMENT ...]\n\ncommands:")
    width = max((len(name) for name in known), default=0)
    for name in sorted(known):
        print(f"  {name.replace('.', ' '):<{width}}  {_one_line(known[name])}".rstrip())


def _one_line(point: EntryPoint) -> str:
    try:
        command = _load(point)
    except _MissingExtra as missing:
        return str(missing).partition(" (")[0]
    text = getattr(command, "help", None) or command.__doc__ or ""
    return str(text).strip().partition("\n")[0]


def _hint(name: str, known: dict[str, EntryPoint]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return "; `interpile --help` lists the commands"


if __name__ == "__main__":
    sys.exit(main())
