"""Certificates: the files they come from, and the ssl.SSLContext that new connections get.

    TLS (names of files) -> load() -> SSLContext -> Certificates.context() for each connection
                                          ^-- again when a file has changed, or when asked to

The files are looked at when a connection is accepted, once a second at most: an idle server does
nothing. A connection keeps the certificates that it began with.
"""

from __future__ import annotations

import logging
import os
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..arguments import check_argument, is_path

LOOK_SECONDS = 1.0

Path = str | os.PathLike[str]

_error = logging.getLogger("fastraw.error")


@dataclass(frozen=True)
class TLS:
    """What a server needs to speak TLS 1.2 and 1.3: PEM files, by name.

    They are read when the server starts, again when one has changed, and when
    `FastServer.reload_tls` is called. Whoever wants other settings gives FastServer an
    ssl.SSLContext in place of this.

    Raises TypeError, naming the field, for a value that it cannot have.
    """

    cert: Path
    """The server's certificate, and after it those that lead to a root."""

    key: Path | None = None
    """The private key of `cert`; None: it is in the same file."""

    password: str | None = field(default=None, repr=False)
    """Of the keys, where they are encrypted."""

    names: Mapping[str, tuple[Path, Path]] = field(default_factory=dict)
    """More certificates, chosen by the host name that the client asks for (SNI, RFC 6066
    section 3): name to certificate and key. `*.example.org` stands for any one label. Who asks
    for another name, or for none, gets `cert`."""

    client_ca: Path | None = None
    """Certificates of the authorities that clients' certificates must come from
    (`Request.peer_certificate`). None: clients are not asked for one."""

    client_required: bool = True
    """Whether a client without a certificate is turned away, where there is a `client_ca`."""

    def __post_init__(self) -> None:
        check_argument("TLS.cert", is_path(self.cert), "a path", self.cert)
        check_argument("TLS.key", self.key is None or is_path(self.key), "a path or None", self.key)
        password = self.password is None or isinstance(self.password, str)
        # The value is left out: it may be the password after all, of another type.
        check_argument("TLS.password", password, "a str or None", type(self.password))
        pairs = isinstance(self.names, Mapping) and all(map(_is_named_pair, self.names.items()))
        check_argument("TLS.names", pairs, "a mapping of names to pairs of paths", self.names)
        authorities = self.client_ca is None or is_path(self.client_ca)
        check_argument("TLS.client_ca", authorities, "a path or None", self.client_ca)
        required = type(self.client_required) is bool
        check_argument("TLS.client_required", required, "True or False", self.client_required)

    def files(self) -> list[Path]:
        """Every file that is read."""
        found = [path for pair in self.names.values() for path in pair]
        found += [path for path in (self.cert, self.key, self.client_ca) if path is not None]
        return found

    def load(self) -> ssl.SSLContext:
        """Read the files. Raises ValueError, which names the file and what is wrong with it."""
        context = self._context(self.cert, self.key)
        others = {name.lower(): self._context(*pair) for name, pair in self.names.items()}

        def choose(connection: ssl.SSLObject, name: str | None, default: ssl.SSLContext) -> None:
            wanted = (name or "").lower()
            found = others.get(wanted) or others.get(f"*.{wanted.partition('.')[2]}")
            if found is not None:
                connection.context = found

        if others:
            context.sni_callback = choose
        return context

    def _context(self, cert: Path, key: Path | None) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996: nothing older
        # A renegotiation costs the server more than the client, and HTTP has no use for one.
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(["http/1.1"])  # RFC 7301 section 6
        _check_holds(cert, "certificate")
        _check_holds(cert if key is None else key, "private key")
        try:
            # Without a password OpenSSL would ask the terminal for the one of an encrypted key.
            context.load_cert_chain(cert, key, self.password or "")
        except OSError as error:
            where = os.fspath(cert) + ("" if key is None else f" with the key {os.fspath(key)}")
            raise ValueError(f"cannot use the certificate {where}: {_reason(error)}") from error
        if self.client_ca is not None:
            _check_holds(self.client_ca, "certificate")
            try:
                context.load_verify_locations(self.client_ca)
            except OSError as error:
                where = os.fspath(self.client_ca)
                raise ValueError(f"cannot use the authorities {where}: {_reason(error)}") from error
            required = self.client_required
            context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
        return context


def _is_named_pair(item: tuple[object, object]) -> bool:
    name, pair = item
    paths = isinstance(pair, (tuple, list)) and len(pair) == 2 and all(map(is_path, pair))
    return isinstance(name, str) and paths


def _check_holds(path: Path, kind: str) -> None:
    """ssl's own errors do not say which of the files could not be opened, nor what is not in it."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise ValueError(f"cannot read {os.fspath(path)}: {error.strerror}") from error
    # The end of a label, as in `BEGIN ENCRYPTED PRIVATE KEY` (RFC 7468).
    if f"{kind.upper()}-----".encode() not in content:
        raise ValueError(f"there is no {kind} in PEM in {os.fspath(path)}")


def _reason(error: OSError) -> str:
    """What OpenSSL found wrong, as far as the ssl module lets it through."""
    reason = getattr(error, "reason", None) or error.strerror or str(error)
    if reason == "KEY_VALUES_MISMATCH":
        return "the key is not that of the certificate"
    if "PEM lib" in reason:
        return "it is no PEM file of that kind, or the password is not that of the key"
    return reason.replace("_", " ").lower()


def check(source: object) -> None:
    """TypeError for what is neither a TLS nor an ssl.SSLContext that can serve."""
    server_context = (
        isinstance(source, ssl.SSLContext) and source.protocol != ssl.PROTOCOL_TLS_CLIENT
    )
    if not (isinstance(source, TLS) or server_context):
        raise TypeError(f"tls must be a TLS, an ssl.SSLContext for servers or None, not {source!r}")


class Certificates:
    """The context for new connections, and its renewal.

    Raises ValueError when the files cannot be used.
    """

    def __init__(self, source: TLS | ssl.SSLContext) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._next_look = 0.0
        self._seen: list[tuple[int, ...]] = []
        if isinstance(source, TLS):
            self._seen = self._signs(source)
            self._context = source.load()
        else:
            self._context = source

    def context(self, now: float) -> ssl.SSLContext:
        """For a connection accepted `now`, on the monotonic clock. Never raises."""
        if now >= self._next_look and self._lock.acquire(blocking=False):
            try:
                self._next_look = now + LOOK_SECONDS
                source = self._source
                if isinstance(source, TLS) and self._signs(source) != self._seen:
                    self._reload(source)
            finally:
                self._lock.release()
        return self._context

    def reload(self) -> bool:
        """Read the files again. False when they cannot be used: that is logged, and the
        certificates stay as they were.

        Raises RuntimeError when there are no files.
        """
        if not isinstance(self._source, TLS):
            raise RuntimeError("the server was given an ssl.SSLContext: call its load_cert_chain")
        with self._lock:
            return self._reload(self._source)

    def _reload(self, source: TLS) -> bool:
        # Before reading: what changes while we read is seen as a change by the next look.
        self._seen = self._signs(source)
        try:
            self._context = source.load()
        except ValueError as error:
            _error.error("The certificates stay as they were: %s", error)
            return False
        _error.info("New certificates are in use")
        return True

    @staticmethod
    def _signs(source: TLS) -> list[tuple[int, ...]]:
        """By which a change of the files is known."""
        signs: list[tuple[int, ...]] = []
        for path in source.files():
            try:
                status = os.stat(path)
            except OSError:
                signs.append(())
            else:
                signs.append((status.st_mtime_ns, status.st_size, status.st_ino))
        return signs
