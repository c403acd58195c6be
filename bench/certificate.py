"""The certificate of the loads over TLS."""

from __future__ import annotations

from pathlib import Path

import trustme
from peers import BENCH

FOLDER = BENCH.parent / "build" / "bench"


def files() -> tuple[Path, Path]:
    """A certificate with a P-256 key, as most have today, and the key; made once."""
    cert, key = FOLDER / "cert.pem", FOLDER / "key.pem"
    if not (cert.exists() and key.exists()):
        FOLDER.mkdir(parents=True, exist_ok=True)
        leaf = trustme.CA().issue_cert("127.0.0.1")
        key.write_bytes(leaf.private_key_pem.bytes())
        cert.write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
    return cert, key
