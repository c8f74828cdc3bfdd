"""Servers that break off, flood, stall or lie in their first flight: the client is refused, the handshake is on record once, and nobody
else notices."""

import socket
import struct

import pytest

from lib import backends, clients, expect, procs, tls_backends as tb
from lib.proxy import service

CHUNK = 16384
EXTENDED_MASTER_SECRET, RENEGOTIATION = b"\0\x17\0\0", b"\xff\x01\0\x01\0"


def record(kind, body):
    return struct.pack(">BHH", kind, 0x0303, len(body)) + body


def handshake(kind, body, length=None):
    return struct.pack(">I", kind << 24 | (len(body) if length is None else length)) + body


def server_hello(suite=0xc02b, version=0x0303):
    """TLS 1.2, so that what follows can be written without keys."""
    extensions = EXTENDED_MASTER_SECRET + RENEGOTIATION
    return handshake(2, struct.pack(">H", version) + b"r" * 32 + b"\0" + struct.pack(">HBH", suite, 0, len(extensions)) + extensions)


def certificates(ders):
    inner = b"".join(struct.pack(">I", len(der))[1:] + der for der in ders)
    return handshake(11, struct.pack(">I", len(inner))[1:] + inner)


def reset(peer):
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def half_close(peer):
    peer.shutdown(socket.SHUT_WR)


def hello_of(peer):
    """Waits for all of the ClientHello."""
    head = b""
    while len(head) < 5:
        head += peer.recv(5 - len(head))
    left = struct.unpack(">H", head[3:])[0]
    while left > 0:
        left -= len(peer.recv(left))


def says(*parts, end=None):
    """After the ClientHello says these bytes, then does `end`, and notes what else comes."""
    def handle(peer, server):
        hello_of(peer)
        peer.sendall(b"".join(parts))
        if end is not None:
            end(peer)
        try:
            while more := peer.recv(CHUNK):
                server.note(more)
        except OSError:
            pass
    return handle


def floods(start, again):
    """Goes on for as long as anybody listens: more than any buffer on the way has room for."""
    def handle(peer, _):
        hello_of(peer)
        try:
            peer.sendall(start)
            while True:
                peer.sendall(again)
        except OSError:
            pass
    return handle


def unread(peer, _):
    """Once TLS has begun: before, the server was merely not reached, and there is no handshake to record."""
    peer.recv(1, socket.MSG_PEEK)
    reset(peer)


def rows(pki, identity):
    """name: (handler, class of the event)."""
    leaf, issuer = identity.chain
    hello = record(22, server_hello())
    key_exchange = handshake(12, b"\x03\0\x1d\x20" + b"p" * 32 + b"\x04\x03" + struct.pack(">H", 70) + b"s" * 70)
    return {
        "reset-unread": (unread, "peer_closed"),
        "reset-after-hello": (says(end=reset), "peer_closed"),
        "half-close": (says(end=half_close), "peer_closed"),
        "cut-in-record": (says(hello[:20], end=half_close), "peer_closed"),
        "reset-in-record": (says(hello[:20], end=reset), "peer_closed"),
        "refusal": (says(record(21, b"\x02\x28")), "peer_alert"),
        "no-version": (says(record(21, b"\x02\x46")), "no_common_version"),
        "close-notify": (says(record(21, b"\x01\0")), "peer_closed"),
        "warnings": (floods(b"", record(21, b"\x01\x70") * 1000), "peer_alert"),
        "garbage": (says(bytes(range(256)) * 64), "not_tls"),
        "record-too-long": (says(b"\x16\x03\x03\xff\xff" + b"\0" * 65535), "protocol_error"),
        "old-version": (says(record(22, server_hello(version=0x0302))), "no_common_version"),
        "suite-not-offered": (says(record(22, server_hello(suite=0x0005))), "protocol_error"),
        "application-data": (says(record(23, b"x" * 100)), "not_tls"),
        "empty-records": (floods(b"", record(22, b"") * 1000), "protocol_error"),
        "change-cipher-specs": (floods(hello, record(20, b"\x01") * 1000), "protocol_error"),
        "hello-again": (floods(b"", hello), "protocol_error"),
        "endless-hello": (floods(record(22, handshake(2, b"", 0xffffff)), record(22, b"\0" * CHUNK)), "limit_exceeded"),
        "endless-certificate": (floods(hello + record(22, handshake(11, b"", 0xffffff)), record(22, b"\0" * CHUNK)),
                                "limit_exceeded"),
        "many-certificates": (says(hello, record(22, certificates([b"\x30\0"] * 100))), "limit_exceeded"),
        "no-certificate": (says(hello, record(22, certificates([]))), "protocol_error"),
        "malformed-certificate": (says(hello, record(22, certificates([b"\x30\x03\x02\x01\x05"]))), "malformed_certificate"),
        "empty-certificate": (says(hello, record(22, certificates([b""]))), "protocol_error"),
        # Certificates are public: the key is not.
        "stolen-certificate": (says(hello, record(22, certificates([leaf, issuer])), record(22, key_exchange)),
                               "possession_failed"),
        "stolen-and-gone": (says(hello, record(22, certificates([leaf, issuer])), end=reset), "peer_closed"),
    }


@pytest.fixture(scope="module")
def table(pki):
    return rows(pki, tb.servers_of(pki)["good"])


NAMES = sorted(rows(None, type("Nobody", (), {"chain": (b"", b"")})))


@pytest.fixture(scope="module")
def servers(table):
    made = {name: backends.Server(table[name][0]) for name in NAMES}
    yield made
    for server in made.values():
        server.close()


@pytest.fixture(scope="module")
def proxy(proxies, pki, servers, echo):
    made = [service("bystander", pki, echo)]
    for mode in ("tcp", "http"):
        for name in NAMES:
            for verify in ("required", "none"):
                one = service(f"{mode}-{verify}-{name}", pki, servers[name].address, mode=mode, connection_end=True)
                one["upstream"]["tls"] = tb.upstream_tls(pki, verify=verify, ca="root" if verify == "required" else None)
                made.append(one)
    return proxies(["127.0.0.1:%d" % procs.free_port()], made, workers=1)


@pytest.mark.parametrize("verify", ["required", "none"])
@pytest.mark.parametrize("mode", ["tcp", "http"])
@pytest.mark.parametrize("name", NAMES)
def test_the_client_is_refused_and_the_handshake_on_record(proxy, pki, table, servers, name, mode, verify):
    address = proxy.config["listeners"][0]["bind"]
    host = f"{mode}-{verify}-{name}.example"
    with clients.Tls(address, host, pki.client("good")) as one:
        with clients.Tls(address, "bystander.example", pki.client("good")) as other:
            one.socket.sendall(f"GET /secret HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert other.ask() == b"ping\n"
            got = b""
            try:
                while mode == "tcp" or b"\r\n\r\n" not in got:
                    part = one.socket.recv(4096)
                    if not part:
                        break
                    got += part
            except OSError:
                pass
            assert got.startswith(b"HTTP/1.1 502 ") if mode == "http" else got == b"", got
            assert other.ask() == b"ping\n"
    ingress = proxy.event_of(one.local)
    expect.check(ingress, "ok", decision="allow", verified=True)
    event, = tb.egress(proxy, ingress["event"]["id"])
    facts = event["tlscribe"]
    assert facts["class"] == table[name][1], event
    assert facts["decision"] == "deny" and facts["verified"] is False and event["event"]["outcome"] == "failure"
    assert event["tls"]["established"] is False
    assert facts.get("evidence", {}).get("possession") != "proven"
    assert "user" not in event


def test_nobody_got_a_byte_of_the_client(proxy, servers):
    for name in NAMES:
        assert b"secret" not in b"".join(one for one in servers[name].seen if isinstance(one, bytes)), name
    assert proxy.stop() == 0
    per_connection = {}
    for event in tb.egress_now(proxy):
        per_connection.setdefault(event["tlscribe"]["connection"], []).append(event)
    assert len(per_connection) == 4 * len(NAMES) and all(len(all_of) == 1 for all_of in per_connection.values())
