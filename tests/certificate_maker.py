"""Makes certificates with trustme, in a process of its own and often on another Python: trustme
stands on cryptography, which free-threaded Python 3.13 cannot have.

Each line of standard input is one of these calls as JSON, its name first; an empty line on standard
output says that its files are written. The first of these says that trustme is there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization

authorities: dict[str, trustme.CA] = {}


def authority(file: str) -> None:
    """A new one, known by the file of its certificate."""
    authorities[file] = trustme.CA()
    authorities[file].cert_pem.write_to_path(file)


def issue(file: str, cert: str, key: str, *names: str) -> None:
    """A certificate for `names` and its key, in files that are written anew."""
    leaf = authorities[file].issue_cert(*names)
    Path(cert).write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
    Path(key).write_bytes(leaf.private_key_pem.bytes())


def encrypt(key: str, encrypted: str, password: str) -> None:
    """The key in another file, where nobody can read it without the password."""
    plain = serialization.load_pem_private_key(Path(key).read_bytes(), None)
    Path(encrypted).write_bytes(
        plain.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(password.encode()),
        )
    )


def main() -> None:
    calls = {call.__name__: call for call in (authority, issue, encrypt)}
    print(flush=True)
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        calls[name](*arguments)
        print(flush=True)


if __name__ == "__main__":
    main()
