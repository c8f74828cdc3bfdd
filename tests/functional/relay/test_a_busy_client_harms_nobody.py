"""One worker serves many: a client that uploads as fast as it can takes nothing from the others, and hears the answer."""

import socket
import threading

import pytest

from lib import backends, clients, procs
from lib.proxy import service

UPLOAD = b"x" * (32 * 1024 * 1024)


@pytest.fixture(scope="module")
def release():
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture(scope="module")
def proxy(proxies, pki, echo, release):
    def deaf(peer, _):
        release.wait()

    def early(peer, _):
        peer.recv(1)
        peer.sendall(b"too large\n")

    servers = [backends.Server(deaf), backends.Server(early)]
    yield proxies(["127.0.0.1:%d" % procs.free_port()],
                  [service("echo", pki, echo, "none"), service("deaf", pki, servers[0].address, "none"),
                   service("early", pki, servers[1].address, "none")], workers=1)
    release.set()
    for one in servers:
        one.close()


@pytest.fixture
def address(proxy):
    return proxy.config["listeners"][0]["bind"]


def upload(tls):
    """Sends until nothing more is taken."""
    tls.socket.settimeout(0.5)
    try:
        tls.socket.sendall(UPLOAD)
    except OSError:
        pass
    tls.socket.settimeout(procs.PATIENCE)


def test_others_are_served_while_a_back_end_does_not_read(address):
    """Where the proxy stops reading is chance: in the middle of its turn, or at the end of it."""
    blocked = []
    try:
        for _ in range(12):
            blocked.append(clients.Tls(address, "deaf.example"))
            upload(blocked[-1])
            with clients.Tls(address, "echo.example") as other:
                other.socket.settimeout(procs.PATIENCE)
                other.socket.sendall(b"ping")
                assert other.socket.recv(4) == b"ping"
    finally:
        for one in blocked:
            one.close()


def test_an_answer_before_the_end_of_an_upload_arrives(address):
    for _ in range(12):
        with clients.Tls(address, "early.example") as one:
            try:
                one.socket.sendall(UPLOAD)
            except OSError:
                pass
            assert one.socket.recv(100) == b"too large\n"
