"""Keys in files, and tokens made with them."""

import base64
import json
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from operator_sdk import load_key, new_key, save_key
from operator_sdk.examples import keys as key_command
from operator_sdk.keys import TokenRefused, sign_token, token_key_id, verify_token


def test_a_key_comes_back_from_its_file_which_only_its_owner_can_read(tmp_path: Path) -> None:
    key, path = new_key("a-1"), tmp_path / "key.json"
    save_key(key, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    loaded = load_key(path)
    assert (loaded.key_id, loaded.public_b64url()) == ("a-1", key.public_b64url())
    with pytest.raises(FileExistsError):
        save_key(new_key(), path)


def pem(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def test_a_pem_key_is_named_by_its_thumbprint(tmp_path: Path) -> None:
    key, path = new_key(), tmp_path / "key.pem"
    path.write_bytes(pem(key.private))
    assert load_key(path).key_id == key.key_id
    assert load_key(path, key_id="b-1").key_id == "b-1"


def test_what_is_no_ed25519_private_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    for content in (b"{}", b'{"crv":"P-256","d":"AA"}', pem(ec.generate_private_key(ec.SECP256R1()))):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="not an Ed25519"):
            load_key(path)


def test_a_token_holds_under_its_own_key_only() -> None:
    key = new_key("a-1")
    token = sign_token(key, {"iss": "MA5AAAAA1"})
    assert token_key_id(token) == "a-1"
    assert verify_token(token, key.private.public_key()) == {"iss": "MA5AAAAA1"}
    with pytest.raises(TokenRefused):
        verify_token(token, new_key().private.public_key())


def test_another_algorithm_and_no_algorithm_are_refused() -> None:
    key = new_key("a-1")
    _, payload, signature = sign_token(key, {"iss": "x"}).split(".")
    for algorithm in ("none", "HS256", "Ed25519"):
        head = json.dumps({"alg": algorithm, "kid": "a-1"}).encode()
        header = base64.urlsafe_b64encode(head).rstrip(b"=").decode()
        for spoilt in (signature, ""):
            with pytest.raises(TokenRefused):
                verify_token(f"{header}.{payload}.{spoilt}", key.private.public_key())
    for noise in ("", "a.b.c", "....", "é.b.c"):
        with pytest.raises(TokenRefused):
            verify_token(noise, key.private.public_key())
        with pytest.raises(TokenRefused):
            token_key_id(noise)


def test_the_command_makes_a_key_once_and_prints_its_public_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "keys" / "a.json"
    for _ in range(2):
        assert key_command.main([str(path), "--key-id", "a-1"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    assert json.loads(first) == {"key_id": "a-1", "public_key": load_key(path).public_b64url()}
