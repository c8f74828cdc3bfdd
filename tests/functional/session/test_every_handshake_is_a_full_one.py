"""No resumption, no tickets, no renegotiation, no early data; strong suites in the service's order."""

import socket
import ssl
import subprocess

import pytest

from lib import clients, procs
from lib.proxy import service


@pytest.fixture(scope="module")
def proxy(proxies, pki, echo):
    return proxies(["127.0.0.1:%d" % procs.free_port()], [service("one", pki, echo, "optional")])


@pytest.fixture
def address(proxy):
    return proxy.config["listeners"][0]["bind"]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_an_offered_session_is_not_taken(proxy, pki, address, version):
    with clients.Tls(address, "one.example", pki.client("good"), version) as first:
        assert first.ask() == b"ping\n"
        session, context = first.socket.session, first.socket.context
    assert session is not None and not session.has_ticket
    host, port = address.rsplit(":", 1)
    raw = socket.create_connection((host, int(port)), procs.PATIENCE)
    with context.wrap_socket(raw, server_hostname="one.example", session=session) as second:
        local = "%s:%d" % second.getsockname()[:2]
        second.sendall(b"pong\n")
        assert second.recv(5) == b"pong\n"
        assert not second.session_reused
    event = proxy.event_of(local)
    assert event["tls"]["resumed"] is False and event["tlscribe"]["evidence"]["possession"] == "proven"


def s_client(address, *options, text="ping\n"):
    """Both streams of an `openssl s_client`; the text goes in at once."""
    done = subprocess.run(["openssl", "s_client", "-connect", address, "-servername", "one.example", *options],
                          input=text, capture_output=True, text=True, errors="replace", timeout=procs.PATIENCE)
    return done.stdout + done.stderr


def test_tls13_sends_no_ticket_and_takes_no_early_data(proxy, address):
    mark = proxy.mark()
    said = s_client(address, "-tls1_3", text="Q\n")
    assert "New, TLSv1.3" in said
    assert "New Session Ticket" not in said and "Early data was not sent" in said
    assert proxy.since(mark)[0]["tls"]["established"] is True


def test_renegotiation_ends_the_connection(proxy, address):
    """s_client renegotiates when a line is just R; a server that allowed it would go on."""
    mark = proxy.mark()
    said = s_client(address, "-tls1_2", text="R\n")
    proxy.since(mark)
    assert "RENEGOTIATING" in said
    assert "no renegotiation" in said.lower() or "handshake failure" in said.lower(), said


def test_the_service_chooses_the_suite(proxy, address):
    """The client would like ChaCha20 best."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256")
    host, port = address.rsplit(":", 1)
    with context.wrap_socket(socket.create_connection((host, int(port)), procs.PATIENCE),
                             server_hostname="one.example") as one:
        assert one.cipher()[0] == "ECDHE-ECDSA-AES128-GCM-SHA256"
        local = "%s:%d" % one.getsockname()[:2]
    assert proxy.event_of(local)["tls"]["cipher"] == "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"


@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES128-SHA256", "AES128-GCM-SHA256",
                                   "DHE-RSA-AES128-GCM-SHA256"])
def test_without_ecdhe_and_aead_there_is_nothing_in_common(proxy, address, suite):
    mark = proxy.mark()
    s_client(address, "-tls1_2", "-cipher", suite + "@SECLEVEL=0")
    assert proxy.since(mark)[0]["tlscribe"]["class"] == "no_common_cipher"
