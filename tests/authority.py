"""Authority: issues certificates, which certificate_maker.py makes, and knows who trusts them.

FASTRAW_CERTIFICATES_PYTHON names the Python that has trustme, where the one that tests has not.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from fastraw import TLS

NAME = "localhost"
# SSL_OP_ALLOW_CLIENT_RENEGOTIATION of OpenSSL 3, which ssl has no name for.
OP_ALLOW_CLIENT_RENEGOTIATION = 0x100

PYTHON = os.environ.get("FASTRAW_CERTIFICATES_PYTHON") or sys.executable
SCRIPT = Path(__file__).with_name("certificate_maker.py")


class CertificateMaker:
    """The process; skips where there is no trustme."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [PYTHON, "-I", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        if not self._answers():
            self.close()
            pytest.skip(
                f"no trustme in {PYTHON}: pip install trustme, or name another Python, which has"
                " it, in FASTRAW_CERTIFICATES_PYTHON"
            )

    def __call__(self, name: str, *arguments: str | Path) -> None:
        """Call one of its functions."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([name, *map(str, arguments)]) + "\n")
        self._process.stdin.flush()
        assert self._answers(), "the maker of certificates has failed"

    def _answers(self) -> bool:
        assert self._process.stdout is not None
        return self._process.stdout.readline() == "\n"

    def close(self) -> None:
        self._process.communicate()


class Authority:
    """Issues certificates into `folder`."""

    def __init__(self, folder: Path, make: CertificateMaker) -> None:
        self.folder = folder
        self.file = folder / "ca.pem"
        self._make = make
        make("authority", self.file)

    def issue(self, *names: str, stem: str = "") -> tuple[Path, Path]:
        """(certificate, key) for `names`, in files that are written anew."""
        stem = stem or names[0].replace("*", "any")
        cert, key = self.folder / f"{stem}.pem", self.folder / f"{stem}.key"
        self._make("issue", self.file, cert, key, *names)
        return cert, key

    def encrypt(self, key: Path, password: str) -> Path:
        """The key in another file, where nobody can read it without the password."""
        path = key.with_suffix(".encrypted")
        self._make("encrypt", key, path, password)
        return path

    def tls(self, **settings: object) -> TLS:
        """What a server for this machine needs."""
        return TLS(*self.issue(NAME, "127.0.0.1", "::1"), **settings)

    def renegotiating(self) -> ssl.SSLContext:
        """A server's context that lets clients begin a new handshake, as TLS 1.2 has it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issue(NAME))
        context.options |= OP_ALLOW_CLIENT_RENEGOTIATION
        return context

    def client(self, *certificate: Path) -> ssl.SSLContext:
        """A client's context that trusts this authority, and shows a certificate if asked."""
        context = ssl.create_default_context(cafile=self.file)
        context.set_alpn_protocols(["http/1.1"])
        if certificate:
            context.load_cert_chain(*certificate)
        return context
