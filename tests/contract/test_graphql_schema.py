"""The GraphQL schema as it is published: what the code says, and what every driver's app may rely on."""

from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    build_schema,
    get_named_type,
)

from mobile_bff.export_schema import main
from mobile_bff.graph.schema import make_schema
from operator_sdk.contract import codes

pytestmark = pytest.mark.contract
COMMITTED = Path(__file__).parents[2] / "schema" / "graphql.graphql"
SCHEMA = build_schema(COMMITTED.read_text(encoding="utf-8"))
ENUMS = {
    "SessionState": codes.SessionState,
    "RecordState": codes.RecordState,
    "ConnectorState": codes.ConnectorState,
    "StopReason": codes.StopReason,
    "StartMode": codes.StartMode,
    "TargetKind": codes.TargetKind,
    "FaultKind": codes.FaultKind,
    "FaultState": codes.FaultState,
    "OrderState": codes.OrderState,
}
OBJECTS = [kind for kind in SCHEMA.type_map.values() if isinstance(kind, GraphQLObjectType)]


def test_the_committed_schema_is_the_exported_one(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 0
    assert (tmp_path / COMMITTED.name).read_text(encoding="utf-8") == COMMITTED.read_text(encoding="utf-8")


def test_the_served_schema_is_the_published_one() -> None:
    served = build_schema(make_schema(in_production=True).as_str())
    assert served.type_map.keys() == SCHEMA.type_map.keys()
    for name, kind in SCHEMA.type_map.items():
        if isinstance(kind, GraphQLObjectType):
            there = served.type_map[name]
            assert isinstance(there, GraphQLObjectType)
            assert {field: str(one.type) for field, one in kind.fields.items()} == {
                field: str(one.type) for field, one in there.fields.items()
            }


@pytest.mark.parametrize("name", ENUMS)
def test_states_are_the_contracts_in_upper_case(name: str) -> None:
    kind = SCHEMA.type_map[name]
    assert isinstance(kind, GraphQLEnumType)
    assert set(kind.values) == {member.value.upper() for member in ENUMS[name]}


def test_a_value_newer_than_the_schema_is_kept_as_text_beside() -> None:
    for kind in OBJECTS:
        for name, field in kind.fields.items():
            if isinstance(get_named_type(field.type), GraphQLEnumType) and not kind.name.startswith("__"):
                if (kind.name, name) == ("ChargingSession", "startMode"):
                    continue  # who began it never gets another member without another way to begin
                assert f"{name}Text" in kind.fields, f"{kind.name}.{name}"
                assert not str(field.type).endswith("!"), (
                    f"{kind.name}.{name} must be null for what it does not know"
                )


def test_whatever_a_driver_does_answers_with_a_result_whose_errors_share_an_interface() -> None:
    mutation, interface = SCHEMA.mutation_type, SCHEMA.type_map["UserError"]
    assert mutation is not None
    assert SCHEMA.query_type is not None
    assert isinstance(interface, GraphQLInterfaceType)
    doing = [*mutation.fields.values(), SCHEMA.query_type.fields["resolveScan"]]
    for field in doing:
        result = get_named_type(field.type)
        assert isinstance(result, GraphQLUnionType), field
        wrong = [kind for kind in result.types if interface not in kind.interfaces]
        assert len(wrong) == 1, f"{result.name} has one good answer, and errors"
        names = {kind.name for kind in result.types}
        assert {
            "NotSignedIn",
            "NotAllowed",
            "InvalidInput",
            "TooManyRequests",
            "Unavailable",
        } <= names


def test_reads_are_nullable_so_that_one_that_fails_leaves_the_others() -> None:
    assert SCHEMA.query_type is not None
    for name, field in SCHEMA.query_type.fields.items():
        assert name in {"resolveScan", "now"} or not str(field.type).endswith("!"), name


def test_what_starts_stops_or_reports_needs_a_key() -> None:
    for name in ("StartChargingInput", "StopChargingInput", "ReportFaultInput"):
        kind = SCHEMA.type_map[name]
        assert isinstance(kind, GraphQLInputObjectType)
        assert str(kind.fields["idempotencyKey"].type) == "String!"


def test_money_and_energy_have_scalars_of_their_own() -> None:
    assert not any(
        str(get_named_type(field.type)) == "Float" for kind in OBJECTS for field in kind.fields.values()
    )
    record = SCHEMA.type_map["ChargeRecord"]
    assert isinstance(record, GraphQLObjectType)
    for name in ("amount", "electricity", "service"):
        assert str(record.fields[name].type) == "Fen!"
    for name in ("energy", "meterStart", "meterEnd"):
        assert str(record.fields[name].type) == "Wh!"
