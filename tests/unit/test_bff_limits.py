"""How deep, wide and long a document may be, and that a refusal takes no longer than the document."""

import time

import pytest
from graphql import get_introspection_query, parse

from mobile_bff.graph.limits import (
    ALIASES_MOST,
    COST_MOST,
    DEPTH_MOST,
    MUTATIONS_MOST,
    SELECTIONS_MOST,
    TOKENS_MOST,
    too_large,
)


def code_of(text: str, *, in_production: bool = False) -> str | None:
    errors = too_large(parse(text), in_production=in_production)
    assert len(errors) <= 1
    return str((errors[0].extensions or {})["code"]) if errors else None


def nested(depth: int) -> str:
    return "{" + "a{" * (depth - 1) + "a" + "}" * depth


def test_the_deepest_document_allowed_passes_and_one_deeper_does_not() -> None:
    assert code_of(nested(DEPTH_MOST)) is None
    assert code_of(nested(DEPTH_MOST + 1)) == "too_deep"


def test_depth_counts_through_fragments() -> None:
    inner = "a{" * DEPTH_MOST + "a" + "}" * DEPTH_MOST
    assert code_of(f"{{ ...f }} fragment f on T {{ {inner} }}") == "too_deep"
    assert code_of(f"{{ ... on T {{ {inner} }} }}") == "too_deep"


def test_aliases_are_counted_wherever_they_are() -> None:
    def several(count: int) -> str:
        return " ".join(f"x{number}: a" for number in range(count))

    assert code_of(f"{{ {several(ALIASES_MOST)} }}") is None
    assert code_of(f"{{ {several(ALIASES_MOST + 1)} }}") == "too_many_aliases"
    third = f"fragment f on T {{ {several(ALIASES_MOST // 3)} }}"
    assert code_of(f"{{ ...f b {{ ...f }} c {{ ...f }} }} {third}") is None
    assert code_of(f"{{ ...f b {{ ...f }} c {{ ...f }} d {{ ...f }} }} {third}") == "too_many_aliases"


def test_one_pair_of_braces_holds_so_many_fields() -> None:
    assert code_of("{" + "a " * SELECTIONS_MOST + "}") is None
    assert code_of("{" + "a " * (SELECTIONS_MOST + 1) + "}") == "too_wide"
    spread = f"{{ b }} fragment nobody on T {{ {'a ' * (SELECTIONS_MOST + 1)} }}"
    assert code_of(spread) == "too_wide"


def page(first: str, fields: int) -> str:
    several = " ".join(f"f{number}" for number in range(fields))
    return f"query($n: Int) {{ stations{first} {{ edges {{ node {{ {several} }} }} }} }}"


@pytest.mark.parametrize("first", ["(first: 50)", "(first: $n)", "(first: 999999999999)"])
def test_a_list_costs_what_it_may_hold(first: str) -> None:
    assert code_of(page(first, SELECTIONS_MOST)) is None
    several = " ".join(
        f"f{number}: stations{first} {{ edges {{ node {{ a b c d e f g h }} }} }}" for number in range(25)
    )
    assert code_of(f"query($n: Int) {{ {several} }}") == "too_wide"


def test_a_short_page_costs_less_than_a_long_one() -> None:
    several = " ".join(
        f"f{number}: stations(first: 2) {{ edges {{ node {{ a b c }} }} }}" for number in range(25)
    )
    assert code_of(f"{{ {several} }}") is None


def test_the_page_that_an_app_asks_for_fits_several_times() -> None:
    bills = (
        "{ chargeRecords(first: 50) { pageInfo { hasNextPage endCursor } edges { cursor node { id amount energy"
        " startedAt place { stationName address } lines { start end energy electricity service } } } } }"
    )
    assert code_of(bills) is None


def test_fragments_that_multiply_are_refused_at_once() -> None:
    """2^180 fields in 1,800 tokens: measured without spreading them out."""
    steps = "".join(f"fragment f{n} on Q {{ ...f{n + 1} ...f{n + 1} }}" for n in range(180))
    begun = time.perf_counter()
    assert code_of("{ ...f0 }" + steps + "fragment f180 on Q { a }") == "too_wide"
    assert time.perf_counter() - begun < 1


def test_a_fragment_that_spreads_itself_is_left_to_validation() -> None:
    assert code_of("{ ...f } fragment f on T { a ...g } fragment g on T { ...f }") is None
    assert code_of("{ ...nowhere }") is None


def test_the_bounds_are_in_a_sensible_order() -> None:
    assert DEPTH_MOST < ALIASES_MOST < SELECTIONS_MOST < TOKENS_MOST < COST_MOST


def test_a_mutation_does_few_things_at_once_however_it_is_written() -> None:
    def several(count: int) -> str:
        return " ".join(f"x{number}: a" for number in range(count))

    for count, code in ((MUTATIONS_MOST, None), (MUTATIONS_MOST + 1, "too_wide")):
        assert code_of(f"mutation {{ {several(count)} }}") == code
        assert code_of(f"mutation {{ ... on M {{ {several(count)} }} }}") == code
        assert code_of(f"mutation {{ ...f }} fragment f on M {{ {several(count)} }}") == code
    assert code_of(f"mutation {{ ...f ...f }} fragment f on M {{ {several(MUTATIONS_MOST)} }}") == "too_wide"
    assert code_of(f"mutation {{ a {{ {several(9)} }} }} query q {{ {several(9)} }}") is None
    assert code_of(f"query q {{ b }} mutation m {{ {several(3)} }}") == "too_wide"


INTROSPECTION = {
    "wide": "{ __schema { " + "types " * 900 + "} }",
    "wide_objects": "{ __schema { " + "types{name} " * 245 + "} }",
    "one_type": '{ __type(name: "a") { ' + "name " * 900 + "} }",
    "aliases": "{ __schema { " + " ".join(f"x{n}: types" for n in range(ALIASES_MOST + 1)) + "} }",
    "deep": "{ __schema { " + "types{" * 60 + "name" + "}" * 60 + "} }",
    "in_a_fragment": "{ ...f } fragment f on Query { __schema { " + "types " * 900 + "} }",
}


@pytest.mark.parametrize("name", INTROSPECTION)
def test_questions_for_the_schema_are_measured_like_others(name: str) -> None:
    assert code_of(INTROSPECTION[name]) in {"too_wide", "too_deep", "too_many_aliases"}


def test_the_usual_question_for_the_schema_fits_and_in_production_none_does() -> None:
    usual = get_introspection_query(
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
    )
    assert code_of(usual) is None
    hidden = 'query { ...f } fragment f on Query { ... on Query { __type(name: "a") { name } } }'
    for text in (usual, hidden, *INTROSPECTION.values()):
        assert code_of(text, in_production=True) == "no_introspection"
    assert code_of("{ __typename }", in_production=True) is None
