"""Which certificate a client is shown, when it changes, and what clients have to show."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import fastraw
from fastraw import TLS, FastServer, Request
from fastraw.engine import tls as engine_tls
from fastraw.testing import RawResponse
from tests.authority import NAME, Authority
from tests.tls_client import Openssl, TLSClient
from tests.waiting import eventually

ASK = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK"


def who(request: Request) -> str:
    """The name in the client's certificate."""
    certificate = request.peer_certificate
    return "nobody" if certificate is None else str(certificate["subjectAltName"][0][1])


@pytest.fixture
def own(new_authority: Callable[[Path], Authority], tmp_path: Path) -> Authority:
    """An authority whose files a test may change."""
    return new_authority(tmp_path)


@contextmanager
def serve(tls: TLS | ssl.SSLContext) -> Iterator[FastServer]:
    with FastServer(who, port=0, tls=tls) as running:
        yield running


def ask(running: FastServer, context: ssl.SSLContext, name: str = NAME) -> RawResponse:
    with TLSClient(("127.0.0.1", running.port), context, name) as client:
        client.send(ASK)
        return client.response()


def serial(running: FastServer, authority: Authority, name: str = NAME) -> str:
    """Of the certificate that a new connection is shown."""
    with TLSClient(("127.0.0.1", running.port), authority.client(), name) as client:
        return str(client.tls.object.getpeercert()["serialNumber"])


# ---- names ----


def test_names_choose_the_certificate(authority: Authority) -> None:
    tls = authority.tls(
        names={
            "One.test": authority.issue("one.test"),
            "*.many.test": authority.issue("*.many.test"),
        }
    )
    with serve(tls) as running:
        for name in (NAME, "one.test", "a.many.test", "B.many.test"):
            assert ask(running, authority.client(), name).status == 200
        # The client finds that it is shown another's certificate.
        for name in ("two.test", "many.test", "a.b.many.test"):
            with pytest.raises(ssl.SSLCertVerificationError, match=name):
                ask(running, authority.client(), name)
        with Openssl(("127.0.0.1", running.port), "-noservername") as openssl:
            openssl.say(ASK)
            openssl.expect(ANSWER)


def test_alpn_and_client_certificates_hold_for_every_name(authority: Authority) -> None:
    tls = authority.tls(names={"one.test": authority.issue("one.test")}, client_ca=authority.file)
    shown = authority.client(*authority.issue("ada.test"))
    with serve(tls) as running:
        address = "127.0.0.1", running.port
        with TLSClient(address, shown, "one.test") as client:
            assert client.tls.object.selected_alpn_protocol() == "http/1.1"
            client.send(ASK)
            assert client.response().body == b"ada.test"
        with pytest.raises(ssl.SSLError, match=r"(?i)certificate"):
            ask(running, authority.client(), "one.test")


# ---- clients' certificates ----


def test_client_certificate(authority: Authority, own: Authority) -> None:
    shown = authority.client(*authority.issue("ada.test"))
    stranger = authority.client(*own.issue("eve.test"))
    with serve(authority.tls(client_ca=authority.file)) as running:
        assert ask(running, shown).body == b"ada.test"
        for context in (authority.client(), stranger):
            with pytest.raises(ssl.SSLError, match=r"(?i)certificate|unknown ca"):
                ask(running, context)


def test_client_certificate_may_be_missing(authority: Authority, own: Authority) -> None:
    stranger = authority.client(*own.issue("eve.test"))
    with serve(authority.tls(client_ca=authority.file, client_required=False)) as running:
        assert ask(running, authority.client()).body == b"nobody"
        shown = authority.client(*authority.issue("ada.test"))
        assert ask(running, shown).body == b"ada.test"
        with pytest.raises(ssl.SSLError, match=r"(?i)unknown ca"):
            ask(running, stranger)


def test_nobody_is_asked_without_authorities(authority: Authority) -> None:
    with serve(authority.tls()) as running:
        assert ask(running, authority.client(*authority.issue("ada.test"))).body == b"nobody"


# ---- changes ----


def test_reload(own: Authority, caplog: pytest.LogCaptureFixture) -> None:
    with (
        serve(own.tls()) as running,
        TLSClient(("127.0.0.1", running.port), own.client()) as before,
    ):
        first = serial(running, own)
        own.tls()
        assert running.reload_tls()
        second = serial(running, own)
        assert second != first
        before.send(ASK)
        assert before.response().status == 200
        (own.folder / f"{NAME}.key").write_text("no key")
        caplog.clear()
        assert not running.reload_tls()
        assert [record.levelno for record in caplog.records] == [logging.ERROR]
        assert NAME in caplog.text
        assert serial(running, own) == second


def test_changed_files_are_read_again(
    own: Authority, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engine_tls, "LOOK_SECONDS", 0.0)
    others = {"one.test": own.issue("one.test")}
    with serve(own.tls(names=others)) as running:
        first, other = serial(running, own), serial(running, own, "one.test")
        own.issue("one.test")
        assert eventually(lambda: serial(running, own, "one.test") != other)
        assert serial(running, own) == first
        (own.folder / f"{NAME}.pem").unlink()
        assert serial(running, own) == first
        assert serial(running, own) == first
        errors = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert len(errors) == 1  # said once, not at each connection
        own.issue(NAME)
        assert serial(running, own) != first


def test_files_are_looked_at_once_a_second_at_most(
    own: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = engine_tls.Certificates(own.tls())
    looks: list[object] = []
    stat = os.stat

    def counted(path: Path) -> os.stat_result:
        looks.append(path)
        return stat(path)

    monkeypatch.setattr(os, "stat", counted)
    for now in (10.0, 10.5, 10.9):
        certificates.context(now)
    assert len(looks) == 2
    certificates.context(11.0)
    assert len(looks) == 4


# ---- what cannot be used ----


def test_files_that_are_no_good_are_named(own: Authority, tmp_path: Path) -> None:
    cert, key = own.issue(NAME)
    _, other = own.issue("other.test")
    missing = tmp_path / "missing.pem"
    garbled = tmp_path / "garbled.pem"
    garbled.write_bytes(key.read_bytes().replace(b"M", b"-", 1))
    wrong = (
        (TLS(missing, key), "missing.pem: No such file"),
        (TLS(cert, missing), "missing.pem: No such file"),
        (TLS(cert, other), "the key is not that of the certificate"),
        (TLS(key, key), f"there is no certificate in PEM in .*{NAME}.key"),
        (TLS(cert), f"there is no private key in PEM in .*{NAME}.pem"),
        (TLS(cert, cert), f"there is no private key in PEM in .*{NAME}.pem"),
        (TLS(cert, garbled), "it is no PEM file of that kind"),
        (TLS(cert, key, client_ca=missing), "missing.pem: No such file"),
        (TLS(cert, key, client_ca=key), f"{NAME}.key"),
    )
    for tls, message in wrong:
        server = FastServer(who, port=0, tls=tls)
        with pytest.raises(ValueError, match=message):
            server.start()
        with pytest.raises(RuntimeError, match="not running"):
            server.reload_tls()


def test_encrypted_key(own: Authority) -> None:
    """Its password is never asked of the terminal."""
    cert, key = own.issue(NAME)
    encrypted = own.encrypt(key, "secret")
    for password in (None, "wrong"):
        with pytest.raises(ValueError, match="password"):
            TLS(cert, encrypted, password).load()
    assert "secret" not in repr(TLS(cert, encrypted, "secret"))
    with serve(TLS(cert, encrypted, "secret")) as running:
        assert ask(running, own.client()).status == 200


def test_certificate_and_key_in_one_file(own: Authority, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(b"".join(path.read_bytes() for path in own.issue(NAME)))
    with serve(TLS(both)) as running:
        assert ask(running, own.client()).status == 200


def test_a_context_of_ones_own(own: Authority) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*own.issue(NAME))
    with serve(context) as running:
        assert ask(running, own.client()).status == 200
        with pytest.raises(RuntimeError, match="load_cert_chain"):
            running.reload_tls()


@pytest.mark.parametrize("tls", ["cert.pem", ("cert.pem", "key.pem"), True, "client"])
def test_wrong_type(tls: object) -> None:
    if tls == "client":
        tls = ssl.create_default_context()
    with pytest.raises(TypeError, match="tls must be"):
        FastServer(who, tls=tls)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cert": None}, "TLS.cert must be a path, not None"),
        ({"cert": ""}, "TLS.cert must be a path, not ''"),
        ({"key": 6}, "TLS.key must be a path or None, not 6"),
        ({"password": b"secret"}, "TLS.password must be a str or None, not <class 'bytes'>"),
        ({"names": ["a"]}, "TLS.names must be a mapping of names to pairs of paths, not ['a']"),
        ({"names": {"a": "ab"}}, "TLS.names must be a mapping of names to pairs of paths, not "),
        (
            {"names": {"a": ("c", 5)}},
            "TLS.names must be a mapping of names to pairs of paths, not ",
        ),
        ({"client_ca": True}, "TLS.client_ca must be a path or None, not True"),
        ({"client_required": None}, "TLS.client_required must be True or False, not None"),
    ],
)
def test_fields_that_are_no_good(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError) as caught:
        TLS(**{"cert": "c.pem", **arguments})
    assert str(caught.value).startswith(message)


def test_exported_lazily() -> None:
    assert fastraw.TLS is engine_tls.TLS
    with pytest.raises(AttributeError, match="no attribute 'SSL'"):
        _ = fastraw.SSL
