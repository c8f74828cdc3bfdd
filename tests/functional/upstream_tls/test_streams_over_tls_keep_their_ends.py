"""TLS back ends carry what plain ones do: every byte, back-pressure, half-closes, and an end that is told from a cut."""

import hashlib
import os
import socket
import ssl
import threading

import pytest

from lib import backends, clients, procs, tls_backends as tb
from lib.proxy import sanitized, service

MIB = 1024 * 1024
BIG = 24 * MIB


def to(pki, name, server):
    made = service(name, pki, server, connection_end=True)
    made["upstream"]["tls"] = tb.upstream_tls(pki)
    return made


def cut(peer, _):
    """Half of an answer, and then nothing: no close_notify."""
    peer.recv(100)
    peer.sendall(b"half of an ans")


@pytest.fixture(scope="module")
def identity(pki):
    return tb.servers_of(pki)["good"]


@pytest.fixture(scope="module")
def servers(identity):
    made = {}
    for version in ("1.2", "1.3"):
        with_it = tb.context(identity, version)
        made["echo", version] = tb.TlsServer(backends.echo, with_it)
        made["sink", version] = tb.TlsServer(backends.sink, with_it)
        made["greet", version] = tb.TlsServer(backends.greeter(b"220 ready\r\n"), with_it)
        made["cut", version] = tb.TlsServer(cut, with_it, rude=True)
    yield made
    for one in made.values():
        one.close()


def label(kind, version):
    return f"{kind}-{version.replace('.', '')}"


@pytest.fixture(scope="module")
def proxy(proxies, pki, servers):
    return proxies(["127.0.0.1:%d" % procs.free_port()],
                   [to(pki, label(*key), one.address) for key, one in servers.items()], timeouts={"idle": "60s"})


@pytest.fixture
def address(proxy):
    return proxy.config["listeners"][0]["bind"]


def name(kind, version):
    return label(kind, version) + ".example"


def end_of(proxy, event):
    got, = proxy.wait_action("connection-end", where=lambda e: e["tlscribe"]["connection"] == event["event"]["id"])
    return got


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("size", [1, 16383, 16384, 16385, 100_000, 8 * MIB])
def test_echo_of_every_size(proxy, pki, address, version, size):
    seen = clients.probe(address, name("echo", version), pki.client("good"), size=size)
    assert seen.echo and seen.received == size, seen
    end = end_of(proxy, proxy.event_of(seen.local))
    assert end["source"]["bytes"] == end["destination"]["bytes"] == size
    assert end["tlscribe"]["close_reason"] == "client_closed"


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_the_upstream_may_speak_first(pki, address, version):
    with clients.Tls(address, name("greet", version), pki.client("good")) as one:
        assert one.socket.recv(100) == b"220 ready\r\n"
        assert one.ask(b"more") == b"more"


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_half_close_of_the_client_is_kept(proxy, pki, address, servers, version):
    """close_notify goes on as close_notify; the upstream answers then, and all of it arrives."""
    size, server = 300_000, servers["sink", version]
    count = len(server.seen)
    seen = clients.probe(address, name("sink", version), pki.client("good"), size=size, half_close=True)
    total, digest = server.wait_note(count + 1)[-1]
    assert total == size
    assert seen.text == f"{size} {digest}\n" and seen.eof, seen
    assert end_of(proxy, proxy.event_of(seen.local))["tlscribe"]["close_reason"] == "client_closed"
    assert server.refused == [], "the back end saw close_notify, not a cut"


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_cut_back_end_is_no_proper_end_for_the_client(proxy, pki, address, version):
    """RFC 8446 6.1: what was said arrives, and the client can tell that it is not all."""
    with clients.Tls(address, name("cut", version), pki.client("good")) as one:
        one.socket.suppress_ragged_eofs = False
        one.socket.sendall(b"go")
        got = b""
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            while True:
                part = one.socket.recv(100)
                assert part, "close_notify after half of an answer"
                got += part
        assert got == b"half of an ans"
    assert end_of(proxy, proxy.event_of(one.local))["tlscribe"]["close_reason"] == "upstream_reset"


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_cut_client_is_no_proper_end_for_the_back_end(proxy, pki, address, servers, version):
    server = servers["sink", version]
    count, seen = len(server.refused) + len(server.faults), len(server.seen)
    with clients.Tls(address, name("sink", version), pki.client("good")) as one:
        one.socket.sendall(b"half of what I")
    procs.wait_for(lambda: len(server.refused) + len(server.faults) > count, "the back end to see the cut")
    assert len(server.seen) == seen
    assert end_of(proxy, proxy.event_of(one.local))["tlscribe"]["close_reason"] == "client_truncated"


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_big_file_both_ways_through_nginx(own_proxies, pki, identity, folder, tmp_path, version):
    ours = pki.leaf("edge-client", pki.dev)
    nginx = tb.NginxTls(tmp_path / "nginx", identity, pki.root.chain_file, version)
    try:
        made = service("web", pki, nginx.address)
        made["upstream"]["tls"] = tb.upstream_tls(pki, ours)
        address = own_proxies(["127.0.0.1:%d" % procs.free_port()], [made]).config["listeners"][0]["bind"]
        content = os.urandom(BIG)
        (tmp_path / "up").write_bytes(content)
        put = clients.curl(address, "web.example", "--upload-file", str(tmp_path / "up"), "/up", client=pki.client("good"))
        assert put.returncode == 0 and (nginx.root / "up").read_bytes() == content, put
        got = clients.curl(address, "web.example", "/up", client=pki.client("good"))
        assert hashlib.sha256(got.stdout).digest() == hashlib.sha256(content).digest()
    finally:
        nginx.close()


def stalled(progress):
    """Waits until a number that grows has stood still for a second."""
    last = [None, 0]

    def still():
        last[1] = last[1] + 1 if progress[0] == last[0] and progress[0] > 0 else 0
        last[0] = progress[0]
        return last[1] >= 4
    procs.wait_for(still, "back-pressure", pause=0.25)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_slow_reader_holds_the_upstream_back(own_proxies, pki, identity, version):
    content, progress = os.urandom(64 * MIB), [0]

    def blast(peer, _):
        for start in range(0, len(content), 65536):
            peer.sendall(content[start:start + 65536])
            progress[0] = start + 65536

    server = tb.TlsServer(blast, tb.context(identity, version))
    try:
        proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [to(pki, "slow", server.address)])
        address = proxy.config["listeners"][0]["bind"]
        with clients.Tls(address, "slow.example", pki.client("good")) as warm:
            warm.socket.recv(1)
        progress[0] = 0
        before = procs.rss(proxy.pid)
        with clients.Tls(address, "slow.example", pki.client("good")) as one:
            stalled(progress)
            assert progress[0] < len(content)
            if not sanitized():
                assert procs.rss(proxy.pid) - before < 2 * MIB
            digest, total = hashlib.sha256(), 0
            while total < len(content):
                part = one.socket.recv(MIB)
                assert part, f"ended after {total} bytes"
                digest.update(part)
                total += len(part)
            assert digest.digest() == hashlib.sha256(content).digest()
            assert one.socket.recv(1) == b"", "close_notify of the back end is passed on"
    finally:
        server.close()


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_slow_upstream_holds_the_client_back(own_proxies, pki, identity, version):
    go_on, total = threading.Event(), [0]

    def handle(peer, server):
        go_on.wait(procs.PATIENCE)
        digest = hashlib.sha256()
        while total[0] < 32 * MIB:
            data = peer.recv(MIB)
            if not data:
                break
            total[0] += len(data)
            digest.update(data)
        server.note(digest.digest())

    def small(peer, _):
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)

    server = tb.TlsServer(handle, tb.context(identity, version), before=small)
    try:
        proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [to(pki, "slow", server.address)])
        content, progress = os.urandom(32 * MIB), [0]
        before = procs.rss(proxy.pid)
        with clients.Tls(proxy.config["listeners"][0]["bind"], "slow.example", pki.client("good")) as one:
            def pour():
                for start in range(0, len(content), 65536):
                    one.socket.sendall(content[start:start + 65536])
                    progress[0] = start + 65536
            thread = threading.Thread(target=pour, daemon=True)
            thread.start()
            stalled(progress)
            assert progress[0] < len(content) and total[0] == 0
            if not sanitized():
                assert procs.rss(proxy.pid) - before < 2 * MIB
            go_on.set()
            thread.join(procs.PATIENCE)
            assert not thread.is_alive()
            assert server.wait_note()[0] == hashlib.sha256(content).digest()
    finally:
        go_on.set()
        server.close()


def attempt(call, argument):
    """None: not now."""
    try:
        return call(argument)
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return None


def gate_to(address, open_):
    """Passes bytes on to a server on TCP, those that go there only while `open_` is set."""
    host, port = address.rsplit(":", 1)

    def handle(peer, _):
        with socket.create_connection((host, int(port)), procs.PATIENCE) as server:
            def back():
                try:
                    while data := server.recv(65536):
                        peer.sendall(data)
                except OSError:
                    pass  # the test is over
            thread = threading.Thread(target=back, daemon=True)
            thread.start()
            while open_.wait(procs.PATIENCE) and (data := peer.recv(65536)):
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)
            thread.join(procs.PATIENCE)
    return handle


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_server_that_wants_short_records_gets_every_byte(own_proxies, pki, identity, folder, tmp_path, version):
    """RFC 8449: a record that waits for the socket carries less than was handed over. Unix sockets have short buffers."""
    ours, open_ = pki.leaf("edge-client", pki.dev), threading.Event()
    server = tb.gnutls_serv(tmp_path, identity, pki.root.chain_file, version, "--recordsize", "600", "--crlf")
    gate = backends.Server(gate_to(server.address, open_), f"unix:{folder}/gate-{version}")
    try:
        made = service("short", pki, gate.address)
        made["upstream"]["tls"] = tb.upstream_tls(pki, ours)
        address = f"unix:{folder}/short-{version}"
        own_proxies([address], [made])
        # It echoes lines of text.
        content, got = b"".join(os.urandom(50).hex().encode() + b"\n" for _ in range(20_000)), []
        open_.set()
        with clients.Tls(address, "short.example", pki.client("good")) as one:
            assert one.ask() == b"ping\n"
            open_.clear()
            one.socket.settimeout(0)
            sent = [0]

            def more():
                """Sends as much as goes, and gives how much that is by now."""
                while sent[0] < len(content) and attempt(one.socket.send, content[sent[0]:sent[0] + 4096]) is not None:
                    sent[0] += 4096
                return sent[0]
            procs.wait_for(lambda: 0 < more() == more(), "back-pressure", pause=0.5)
            assert sent[0] < len(content)
            open_.set()

            def all_is_back():
                more()
                while part := attempt(one.socket.recv, MIB):
                    got.append(part)
                return sum(map(len, got)) >= len(content)
            procs.wait_for(all_is_back, lambda: f"{len(content)} bytes, not {sum(map(len, got))}")
        assert hashlib.sha256(b"".join(got)).digest() == hashlib.sha256(content).digest()
    finally:
        open_.set()
        gate.close()
        server.close()


def test_the_proxy_header_goes_before_tls(own_proxies, pki, identity):
    """Whom the back end talks to is told in clear (haproxy: proxy-protocol.txt, 2.2), then TLS begins."""
    headers = []

    def read_header(peer, _):
        start = peer.recv(16, socket.MSG_WAITALL)
        assert start[:12] == b"\r\n\r\n\0\r\nQUIT\n"
        headers.append(start + peer.recv(int.from_bytes(start[14:16], "big"), socket.MSG_WAITALL))

    server = tb.TlsServer(backends.echo, tb.context(identity), before=read_header)
    try:
        made = to(pki, "told", server.address)
        made["upstream"]["proxy_protocol"] = "v2"
        proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [made])
        seen = clients.probe(proxy.config["listeners"][0]["bind"], "told.example", pki.client("good"))
        assert seen.echo, seen
        assert proxy.event_of(seen.local)["event"]["id"].encode() in headers[0]
    finally:
        server.close()
