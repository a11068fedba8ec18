"""What a process loads before it does anything: every call of a command pays for it."""

import subprocess
import sys

import pytest

LATER = ("aiohttp", "celery", "jinja2", "redis", "reportlab", "starlette.testclient", "uvicorn", "xlsxwriter")


def loaded_by(code: str) -> set[str]:
    """The modules of a fresh process after this code."""
    said = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(said.stdout.split())


@pytest.mark.parametrize("module", ["hub.wiring", "hub.commands.operators"])
def test_what_few_calls_need_is_loaded_by_those(module: str) -> None:
    assert loaded_by(f"import {module}") & set(LATER) == set()


def test_serving_loads_no_celery() -> None:
    assert loaded_by("import hub.app") & {"celery", "kombu"} == set()


def test_tables_are_loaded_without_their_validators() -> None:
    """Building them was more than half of loading all tables; rows are made by our own code."""
    built = loaded_by(
        "import hub.migrations.metadata\nfrom sqlmodel import SQLModel\n"
        "made = [m.class_ for m in SQLModel._sa_registry.mappers]\n"
        "assert len(made) > 50\n"
        "assert not [m for m in made if m.__pydantic_complete__]"
    )
    assert "hub.migrations.metadata" in built
