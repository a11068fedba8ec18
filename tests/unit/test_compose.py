"""`docker-compose.yml` runs the same commands as `make demo-production`."""

from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from operator_sdk.examples.demo.commands import HUB_PROCESSES, PRODUCTION, command_of

COMPOSE = Path(__file__).resolve().parents[2] / "docker-compose.yml"
SERVERS = {"postgres", "redis", "rabbitmq"}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]
    return found


@pytest.mark.parametrize("name", HUB_PROCESSES)
def test_compose_gives_each_process_the_command_of_the_demonstration(name, services):
    assert services[name]["command"] == command_of(name, host="0.0.0.0", port=8080)


def test_compose_runs_the_processes_of_the_demonstration_and_a_site_to_try_on_request(services):
    assert set(services) - SERVERS - {"edge"} == set(HUB_PROCESSES)
    assert services["edge"]["profiles"] == ["try"]
    assert set(HUB_PROCESSES) == {"migrate", *PRODUCTION}


def test_the_site_to_try_speaks_plainly_with_the_hub_beside_it(services):
    assert services["edge"]["environment"]["INTERPILE_ENV"] == "demo"
