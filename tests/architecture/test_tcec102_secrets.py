"""What T/CEC 102 has of weak cryptography stays in the codec's folder, and nobody can measure a secret."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODEC = ROOT / "operator_sdk" / "contract" / "tcec102"
SPEAKERS = (CODEC, ROOT / "operator_sdk" / "tcec102", ROOT / "hub" / "protocols" / "tcec102")
PLAYED = ROOT / "operator_sdk" / "tcec102" / "sim"
"""A platform to try things with: nothing of its is secret."""

CODE = (ROOT / "hub", ROOT / "operator_sdk", ROOT / "edge_agent", ROOT / "mobile_bff")

WEAK = ("md5", "modes.CBC", "modes import CBC")
SECRET = frozenset({"operator_secret", "data_secret", "data_secret_iv", "sig_secret", "sig", "pin", "bearer"})


def files(*folders: Path) -> Iterator[Path]:
    """The code in these folders."""
    for folder in folders:
        yield from sorted(folder.rglob("*.py"))


def test_md5_and_cbc_stay_in_the_codecs_folder() -> None:
    found = {path for path in files(*CODE) if any(word in path.read_text("utf-8") for word in WEAK)}
    assert found
    assert {path.relative_to(ROOT) for path in found if CODEC not in path.parents} == set()


def test_secrets_are_compared_in_constant_time_only() -> None:
    measured = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in files(*SPEAKERS)
        if PLAYED not in path.parents
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Compare) and any(map(is_secret, (node.left, *node.comparators)))
    ]
    assert measured == []


def is_secret(node: ast.expr) -> bool:
    """Whether this is the value of something secret, or of what is to be compared with it."""
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name in SECRET
