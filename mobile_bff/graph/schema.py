"""The schema, with what guards it."""

from collections.abc import Callable
from typing import Any

import strawberry
from graphql import GraphQLError, GraphQLObjectType, GraphQLSchema
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types import ExecutionContext

from mobile_bff.graph.context import Context
from mobile_bff.graph.errors import UserError
from mobile_bff.graph.guard import Documents, Guard, note_bugs
from mobile_bff.graph.mutations import Mutation
from mobile_bff.graph.queries import Query
from mobile_bff.graph.scalars import SCALARS
from mobile_bff.graph.subscriptions import Subscription

DEFINITION = GraphQLCoreConverter.DEFINITION_BACKREF


class Schema(strawberry.Schema):
    """Logs faults of ours and nothing else: what a driver did wrong is between him and us."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        _read_attributes(self._schema)

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Log what is a bug."""
        context = None if execution_context is None else execution_context.context
        note_bugs(errors, context.request_id if isinstance(context, Context) else "")


def _read_attributes(schema: GraphQLSchema) -> None:
    """Fields without a resolver read their attribute at once. Strawberry's own way there takes five calls, and
    a list of twenty stations has 160 such fields.
    """
    for named in schema.type_map.values():
        if isinstance(named, GraphQLObjectType):
            for field in named.fields.values():
                if getattr(field.resolve, "_is_default", False):
                    field.resolve = _attribute(field.extensions[DEFINITION].python_name)


def _attribute(name: str) -> Callable[[object, object], Any]:
    def resolve(source: object, _: object) -> Any:
        return getattr(source, name)

    return resolve


def make_schema(
    documents: Documents | None = None, *, in_production: bool = False, in_order: bool = False
) -> Schema:
    """The schema. In production it does not describe itself, nor suggest names.

    `in_order` is for export alone: Strawberry finds no member of a union in a schema that was sorted.
    """
    known = documents or Documents()
    guards = [lambda: Guard(known, in_production=in_production)]
    return Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[UserError],
        extensions=guards,
        config=StrawberryConfig(
            scalar_map=SCALARS, sort_schema=in_order, disable_field_suggestions=in_production
        ),
    )
