"""How deep, wide and long a document may be, measured before anything else looks at it.

Fragments count wherever they are spread, and each is measured once: a document of a few lines can spread to
more fields than there are atoms, and must not take that long to refuse.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
)

from mobile_bff.graph.paging import FIRST_MOST, FIRST_USUAL
from mobile_bff.words import NO_INTROSPECTION, TOO_DEEP, TOO_MANY_ALIASES, TOO_WIDE

TOKENS_MOST = 1_000
DEPTH_MOST = 8
ALIASES_MOST = 30
SELECTIONS_MOST = 64
"""In one pair of braces."""

COST_MOST = 10_000
"""A field costs 1 for each time it may appear; a call to the hub costs more."""

PAGED = frozenset({"stations", "chargingSessions", "chargeRecords", "faults", "homeOperators"})
LENGTHS = {"lines": 10, "connectors": 50, "periods": 10, "tariffs": 2, "fees": 2}
"""Usual lengths of lists that are not paged."""

CALLS = {"place": 5, "session": 20}
ROOT_COST = 20
MUTATIONS_MOST = 2
"""Fields at the root of a mutation: each is a call that changes something."""

_META = frozenset({"__schema", "__type"})
META_DEPTH = 10
"""How much deeper than others a question for the schema may go: the usual one asks for types of types."""


@dataclass(frozen=True, slots=True)
class Size:
    """What a selection comes to. `fields`: in its own braces, those of spread fragments among them."""

    depth: int = 0
    cost: int = 0
    aliases: int = 0
    selections: int = 0
    fields: int = 0
    introspects: bool = False

    def beside(self, other: "Size") -> "Size":
        """Both together."""
        return Size(
            max(self.depth, other.depth),
            self.cost + other.cost,
            self.aliases + other.aliases,
            max(self.selections, other.selections),
            self.fields + other.fields,
            self.introspects or other.introspects,
        )


def too_large(document: DocumentNode, *, in_production: bool) -> list[GraphQLError]:
    """What is wrong with a document's size: at most one error, whose extensions have its code.

    In production a question for the schema is wrong whatever its size.
    """
    gauge = _Gauge(
        {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    )
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    # Fragments that nobody spreads are read by the rules of validation all the same.
    gauge.measure_all()
    size = gauge.largest
    changes = 0
    for operation in operations:
        own = gauge.of_set(operation.selection_set, at_root=True)
        size = size.beside(own)
        if operation.operation is OperationType.MUTATION:
            changes = max(changes, own.fields)
    for code, number, most in (
        (NO_INTROSPECTION, in_production and size.introspects, 0),
        (TOO_DEEP, size.depth, DEPTH_MOST),
        (TOO_MANY_ALIASES, size.aliases, ALIASES_MOST),
        (TOO_WIDE, size.selections, SELECTIONS_MOST),
        (TOO_WIDE, size.cost, COST_MOST),
        (TOO_WIDE, changes, MUTATIONS_MOST),
    ):
        if number > most:
            return [GraphQLError(code, extensions={"code": code, "most": most})]
    return []


@dataclass(slots=True)
class _Gauge:
    fragments: dict[str, FragmentDefinitionNode]
    known: dict[str, Size] = field(default_factory=dict)
    under_way: set[str] = field(default_factory=set)

    @property
    def largest(self) -> Size:
        """The widest braces of all fragments, and whether one of them asks for the schema."""
        sizes = self.known.values()
        return Size(
            selections=max((size.selections for size in sizes), default=0),
            introspects=any(size.introspects for size in sizes),
        )

    def measure_all(self) -> None:
        for name in self.fragments:
            self.of_fragment(name)

    def of_set(self, chosen: SelectionSetNode | None, *, at_root: bool = False) -> Size:
        if chosen is None:
            return Size()
        total = Size(selections=len(chosen.selections))
        for part in self._parts(chosen.selections, at_root=at_root):
            total = total.beside(part)
        return total

    def _parts(self, selections: Iterable[SelectionNode], *, at_root: bool) -> Iterable[Size]:
        for one in selections:
            match one:
                case FieldNode():
                    yield self.of_field(one, at_root=at_root)
                case InlineFragmentNode():
                    yield self.of_set(one.selection_set, at_root=at_root)
                case FragmentSpreadNode():
                    yield self.of_fragment(one.name.value)

    def of_field(self, node: FieldNode, *, at_root: bool) -> Size:
        name = node.name.value
        below = self.of_set(node.selection_set)
        own = ROOT_COST if at_root else CALLS.get(name, 1)
        return Size(
            depth=max(1, below.depth + 1 - (META_DEPTH if name in _META else 0)),
            cost=own + below.cost * _times(node),
            aliases=below.aliases + (node.alias is not None),
            selections=below.selections,
            fields=1,
            introspects=below.introspects or name in _META,
        )

    def of_fragment(self, name: str) -> Size:
        """A fragment's size; of one that spreads itself, validation says so."""
        if name in self.known:
            return self.known[name]
        if name not in self.fragments or name in self.under_way:
            return Size()
        self.under_way.add(name)
        self.known[name] = self.of_set(self.fragments[name].selection_set)
        self.under_way.discard(name)
        return self.known[name]


def _times(node: FieldNode) -> int:
    """How often what is below a field may appear. A variable may be anything that is allowed."""
    name = node.name.value
    if name not in PAGED:
        return LENGTHS.get(name, 1)
    given = next((one.value for one in node.arguments or () if one.name.value == "first"), None)
    if given is None:
        return FIRST_USUAL
    if isinstance(given, IntValueNode):
        return min(max(int(given.value[:3]), 1), FIRST_MOST)
    return FIRST_MOST
