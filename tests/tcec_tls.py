"""A T/CEC 102 server behind a certificate that nobody has signed, as many partners have."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import IPv4Address
from pathlib import Path

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.types import ASGIApp

from tests.rig_partners import Server, listen, stop_listening


def certificate(folder: Path) -> str:
    """Write `key.pem` and `certificate.pem`; returns the certificate's SHA-256."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    (folder / "certificate.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return sha256(made.public_bytes(serialization.Encoding.DER)).hexdigest()


@asynccontextmanager
async def served_with_tls(app: ASGIApp, folder: Path) -> AsyncIterator[str]:
    """Serve it on a free port; yields the base URL."""
    at = listen()
    config = uvicorn.Config(
        app,
        log_config=None,
        lifespan="off",
        ssl_keyfile=folder / "key.pem",
        ssl_certfile=folder / "certificate.pem",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )
    server = Server(config)
    task = asyncio.create_task(server.serve(sockets=[at.socket]))
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    try:
        yield at.url.replace("http:", "https:")
    finally:
        await stop_listening(at.socket)
        server.end()
        with contextlib.suppress(asyncio.CancelledError):
            await task
