"""What stands before and behind every operation: limits and a memory of documents; errors told in words."""

import logging
import traceback
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from graphql import (
    DefinitionNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
)
from strawberry.exceptions import MissingQueryError
from strawberry.extensions import SchemaExtension
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.schema.schema import validate_document
from strawberry.types import StreamExecutionResult
from strawberry.types.graphql import OperationType as OperationKind

from mobile_bff.graph.context import Context
from mobile_bff.graph.limits import TOKENS_MOST, too_large
from mobile_bff.refused import Refused
from mobile_bff.words import OWN_WORDS, TOO_DEEP, TOO_LONG, word_of
from operator_sdk.contract.public_codes import Code

log = logging.getLogger("interpile.bff")

TEXT_MOST = 200
"""Characters of a message about the document itself, some of which it may have put there."""

ERRORS_MOST = 20
NO_BUGS = (
    Refused,
    RecursionError,
    CannotGetOperationTypeError,
    InvalidOperationTypeError,
    MissingQueryError,
)


PUBLIC = frozenset({"stations", "station", "homeOperators", "__typename"})
"""Root fields whose answer is the same for everybody."""


@dataclass(slots=True)
class Known:
    """A document that was parsed, and what is wrong with it once that is known."""

    document: DocumentNode
    problems: list[GraphQLError] | None = None

    @property
    def public(self) -> bool:
        """Whether whoever asks this gets the same answer, in whatever language."""
        return all(map(_is_public, self.document.definitions))


def _is_public(definition: DefinitionNode) -> bool:
    if isinstance(definition, FragmentDefinitionNode):
        return True
    return (
        isinstance(definition, OperationDefinitionNode)
        and definition.operation is OperationType.QUERY
        and all(
            isinstance(one, FieldNode) and one.name.value in PUBLIC
            for one in definition.selection_set.selections
        )
    )


class Documents:
    """Remembers documents, parsed and judged; the ones used longest ago go first. Long ones are not kept."""

    def __init__(self, *, most: int = 200, chars_most: int = 4_000) -> None:
        self._most, self._chars_most = most, chars_most
        self._known: OrderedDict[str, Known] = OrderedDict()

    def find(self, text: str) -> Known | None:
        """A document by its text."""
        known = self._known.get(text)
        if known is not None:
            self._known.move_to_end(text)
        return known

    def keep(self, text: str, document: DocumentNode) -> Known:
        """Remember a document."""
        known = Known(document)
        if len(text) <= self._chars_most:
            self._known[text] = known
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        return known


class Guard(SchemaExtension):
    """One for each operation. The documents are shared by all."""

    def __init__(self, documents: Documents, *, in_production: bool) -> None:
        self._documents, self._in_production = documents, in_production
        self._known: Known | None = None
        self._streamed = False

    def on_operation(self) -> Iterator[None]:
        """A context of its own, a bound on the text; in the end its errors in words."""
        operation = self.execution_context
        operation.context = operation.context.fresh()
        operation.parse_options["max_tokens"] = TOKENS_MOST
        yield
        if not self._streamed:
            self._tell(operation.result)

    def on_parse(self) -> Iterator[None]:
        """Parse a document once."""
        operation = self.execution_context
        text = operation.query or ""
        self._known = self._documents.find(text)
        if self._known is not None:
            operation.graphql_document = self._known.document
        yield
        if self._known is None and operation.graphql_document is not None:
            self._known = self._documents.keep(text, operation.graphql_document)

    def on_validate(self) -> Iterator[None]:
        """Judge a document once: its size first, for the rules may take long over a large one."""
        operation = self.execution_context
        assert self._known is not None
        if self._known.problems is None:
            self._known.problems = self._judge(self._known.document)
        operation.pre_execution_errors = self._known.problems or self._misplaced()
        yield

    def _misplaced(self) -> list[GraphQLError]:
        operation = self.execution_context
        if operation.operation_type is OperationKind.SUBSCRIPTION and operation.context.websocket is None:
            return [GraphQLError("subscriptions are followed over WebSocket")]
        return []

    def _judge(self, document: DocumentNode) -> list[GraphQLError]:
        operation = self.execution_context
        try:
            return too_large(document, in_production=self._in_production) or validate_document(
                operation.schema._schema, document, operation.validation_rules
            )
        except RecursionError as problem:
            return [GraphQLError(TOO_DEEP, original_error=problem)]

    def on_stream_result(self, result: StreamExecutionResult) -> Iterator[None]:
        """The same for each result over a socket."""
        self._streamed = True
        self._tell(result)
        yield

    def _tell(self, result: Any) -> None:
        errors = getattr(result, "errors", None)
        if errors:
            context = self.execution_context.context
            result.errors = [in_words(error, context) for error in errors[:ERRORS_MOST]]


def in_words(error: GraphQLError, context: Context) -> GraphQLError:
    """What a caller is told: the code and its words; of a bug nothing but the request's id."""
    cause = error.original_error
    extensions: dict[str, Any] = {"code": _code_of(error), "requestId": context.request_id}
    if isinstance(cause, Refused):
        extensions |= {"field": cause.field} if cause.field else {}
        extensions |= {"retryAfterS": cause.retry_after_s} if cause.retry_after_s else {}
    if extensions["code"] == Code.MALFORMED and not isinstance(cause, Refused):
        message = error.message[:TEXT_MOST]
    else:
        message = word_of(extensions["code"], context.locale)
    # The cause stays here: with it, a socket would be closed with its text.
    return GraphQLError(message, error.nodes, path=error.path, extensions=extensions)


def _code_of(error: GraphQLError) -> str:
    cause = error.original_error
    if isinstance(cause, Refused):
        return cause.code
    named = (error.extensions or {}).get("code")
    if named in OWN_WORDS:
        return str(named)
    if isinstance(error, GraphQLSyntaxError):
        return _code_of_syntax(error)
    if isinstance(cause, RecursionError):
        return TOO_DEEP
    if is_bug(error):
        return Code.INTERNAL
    return Code.MALFORMED


def _code_of_syntax(error: GraphQLSyntaxError) -> str:
    if f"more than {TOKENS_MOST} tokens" in error.message:
        return TOO_LONG
    return TOO_DEEP if "nested too deeply" in error.message else Code.MALFORMED


def is_bug(error: GraphQLError) -> bool:
    """Whether it is a fault of ours, and not something that was asked or decided."""
    cause = error.original_error
    if cause is None or isinstance(cause, GraphQLError):
        return False
    return not isinstance(cause, NO_BUGS)


def note_bugs(errors: list[GraphQLError], request_id: str) -> None:
    """Log faults of ours: type and place, nothing that a caller sent."""
    for error in filter(is_bug, errors):
        cause = error.original_error
        frames = traceback.extract_tb(cause.__traceback__) if cause is not None else None
        place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "?"
        log.error("unhandled %s at %s (request %s)", type(cause).__name__, place, request_id)
