"""The `interpile` dispatcher."""

from importlib.metadata import EntryPoint

import pytest

from operator_sdk.command import GROUP, main


def greet(argv: list[str]) -> int:
    """Say hello.

    And nothing else.
    """
    return len(argv)


class Helped:
    help = "Helps by attribute"

    def __call__(self, argv: list[str]) -> int:
        return 7


helped = Helped()

COMMANDS = [
    EntryPoint("greet", f"{__name__}:greet", GROUP),
    EntryPoint("helped", f"{__name__}:helped", GROUP),
    EntryPoint("absent", "hub.no_such_module:command", GROUP),
    EntryPoint("drive", "edge_agent.no_such_module:command", GROUP),
]


@pytest.mark.parametrize("argv", [[], ["--help"], ["-h"]])
def test_commands_are_listed_with_a_line_each(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv, COMMANDS) == 0
    assert capsys.readouterr().out.splitlines()[3:] == [
        '  absent  needs: pip install "interpile[hub]"',
        '  drive   needs: pip install "interpile[edge]"',
        "  greet   Say hello.",
        "  helped  Helps by attribute",
    ]


def test_a_command_gets_the_rest_and_gives_the_exit_code() -> None:
    assert main(["greet", "a", "b"], COMMANDS) == 2
    assert main(["helped"], COMMANDS) == 7


def test_an_unknown_command_is_exit_code_2_with_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["greer"], COMMANDS) == 2
    assert "did you mean 'greet'?" in capsys.readouterr().err
    assert main(["xyz"], COMMANDS) == 2
    assert "--help" in capsys.readouterr().err


def test_a_missing_extra_says_how_to_install_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["absent"], COMMANDS) == 1
    assert 'pip install "interpile[hub]"' in capsys.readouterr().err


def test_the_installed_commands_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "serve" in capsys.readouterr().out
