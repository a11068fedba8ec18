"""Our cryptography against two others in their own processes: OpenSSL's command line and Node's `crypto`."""

import base64
import json
import shutil
import subprocess

import pytest

from operator_sdk.contract.tcec102.crypto import decrypt, encrypt, signature
from operator_sdk.contract.tcec102.keys import KeySet
from tests import tcec102_vectors as vectors

OPENSSL, NODE = shutil.which("openssl"), shutil.which("node")
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="the openssl command line is not installed")
needs_node = pytest.mark.skipif(NODE is None, reason="Node.js is not installed")

KEYS = KeySet(
    operator_secret="-", data_secret="k3y-with signs!#", data_secret_iv="0iv/=+ABCDEFGHIJ", sig_secret="密钥"
)
TEXTS = [
    b"",
    b"{}",
    b"x" * 15,
    b"x" * 16,
    b"x" * 17,
    '{"StationName":"上海示例充电站"}'.encode(),
    bytes(range(256)) * 40,
]

_NODE_SCRIPT = """
const crypto = require('crypto');
const job = JSON.parse(require('fs').readFileSync(0));
const key = Buffer.from(job.key), iv = Buffer.from(job.iv);
const done = job.items.map(item => {
  const cipher = crypto.createCipheriv('aes-128-cbc', key, iv);
  const data = cipher.update(item.plain, 'base64', 'base64') + cipher.final('base64');
  const decipher = crypto.createDecipheriv('aes-128-cbc', key, iv);
  const plain = Buffer.concat([decipher.update(item.data, 'base64'), decipher.final()]).toString('base64');
  const sig = crypto.createHmac('md5', Buffer.from(job.sig)).update(item.text, 'utf8').digest('hex');
  return {data, plain, sig: sig.toUpperCase()};
});
console.log(JSON.stringify(done));
"""


def _openssl(*arguments: str, given: bytes) -> bytes:
    assert OPENSSL is not None
    done = subprocess.run([OPENSSL, *arguments], input=given, capture_output=True, check=True, timeout=20)
    return done.stdout


def _aes(keys: KeySet, *, direction: str, given: bytes) -> bytes:
    return _openssl(
        "enc", "-aes-128-cbc", direction, "-K", keys.aes_key.hex(), "-iv", keys.aes_iv.hex(), given=given
    )


@needs_openssl
@pytest.mark.parametrize("plain", TEXTS, ids=lambda text: f"{len(text)} bytes")
def test_openssl_encrypts_and_decrypts_the_same(plain: bytes) -> None:
    assert base64.b64encode(_aes(KEYS, direction="-e", given=plain)).decode() == encrypt(KEYS, plain)
    assert _aes(KEYS, direction="-d", given=base64.b64decode(encrypt(KEYS, plain))) == plain


@needs_openssl
@pytest.mark.parametrize("vector", vectors.VECTORS, ids=lambda vector: vector.name)
def test_openssl_signs_every_vector_the_same(vector: vectors.Vector) -> None:
    text = (vector.before + vector.data + vector.after).encode()
    digest = _openssl("dgst", "-md5", "-hmac", vector.keys.sig_secret, "-binary", given=text)
    assert digest.hex().upper() == vector.sig


@needs_node
@pytest.mark.parametrize(
    "keys", [KEYS, vectors.PUBLISHED_KEYS, vectors.OWN_KEYS], ids=["odd", "published", "own"]
)
def test_node_encrypts_decrypts_and_signs_the_same(keys: KeySet) -> None:
    plains = [*TEXTS, *(vector.plain for vector in vectors.VECTORS)]
    ours = [encrypt(keys, plain) for plain in plains]
    items = [
        {"plain": base64.b64encode(plain).decode(), "data": data, "text": f"0成功{data}"}
        for plain, data in zip(plains, ours, strict=True)
    ]
    job = {"key": keys.data_secret, "iv": keys.data_secret_iv, "sig": keys.sig_secret, "items": items}
    assert NODE is not None
    done = subprocess.run(
        [NODE, "-e", _NODE_SCRIPT], input=json.dumps(job).encode(), capture_output=True, check=True, timeout=60
    )
    theirs = json.loads(done.stdout)
    assert [one["data"] for one in theirs] == ours
    assert [base64.b64decode(one["plain"]) for one in theirs] == plains
    assert [one["sig"] for one in theirs] == [signature(keys, item["text"]) for item in items]
    assert [decrypt(keys, one["data"]) for one in theirs] == plains
