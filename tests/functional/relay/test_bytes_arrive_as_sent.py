"""The relay: byte-exact both ways, bounded under back-pressure, half-close kept, and the ends it can come to."""

import hashlib
import os
import socket
import ssl
import struct
import threading

import pytest

from lib import backends, clients, expect, procs
from lib.proxy import sanitized, service

MIB = 1024 * 1024
BIG = 48 * MIB
RESET = struct.pack("ii", 1, 0)


@pytest.fixture(scope="module")
def servers():
    made = {"sink": backends.Server(backends.sink), "first": backends.Server(backends.first_ends),
            "greet": backends.Server(backends.greeter(b"220 ready\r\n"))}
    yield made
    for one in made.values():
        one.close()


@pytest.fixture(scope="module")
def closed():
    """An address on which nobody listens: bound, so that nobody else takes it, and never listened on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        yield "127.0.0.1:%d" % s.getsockname()[1]


@pytest.fixture(scope="module")
def proxy(proxies, pki, echo, nginx, servers, closed):
    ended = {"connection_end": True}
    services = [service("web", pki, nginx.address), service("echo", pki, echo, **ended),
                service("sink", pki, servers["sink"].address, **ended),
                service("first", pki, servers["first"].address, **ended),
                service("greet", pki, servers["greet"].address),
                service("next", pki, [closed, echo], **ended), service("down", pki, [closed, closed], **ended),
                service("quiet", pki, closed), service("gone", pki, "unix:/nonexistent/socket", **ended)]
    return proxies(["127.0.0.1:%d" % procs.free_port()], services, timeouts={"idle": "60s"})


@pytest.fixture
def address(proxy):
    return proxy.config["listeners"][0]["bind"]


def end_of(proxy, event):
    """The connection-end of a handshake."""
    got = proxy.wait_action("connection-end", where=lambda e: e["tlscribe"]["connection"] == event["event"]["id"])
    assert len(got) == 1
    assert got[0]["tlscribe"]["close_reason"]
    return got[0]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_big_file_from_nginx(pki, nginx, address, version):
    content = backends.pattern(BIG)
    nginx.put("big", content)
    got = clients.curl(address, "web.example", "/big", client=pki.client("good"), version=version)
    assert len(got.stdout) == BIG and hashlib.sha256(got.stdout).digest() == hashlib.sha256(content).digest()


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_big_file_to_nginx(pki, nginx, address, version, tmp_path):
    content = os.urandom(BIG // 2)
    (tmp_path / "up").write_bytes(content)
    got = clients.curl(address, "web.example", "--upload-file", str(tmp_path / "up"), "/up", client=pki.client("good"),
                       version=version)
    assert got.returncode == 0, got
    assert (nginx.root / "up").read_bytes() == content
    os.unlink(nginx.root / "up")


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("size", [1, 16383, 16384, 16385, 100_000, 8 * MIB])
def test_echo_of_every_size(proxy, pki, address, version, size):
    seen = clients.probe(address, "echo.example", pki.client("good"), version, size=size)
    assert seen.echo and seen.received == size, seen
    end = end_of(proxy, proxy.event_of(seen.local))
    assert end["source"]["bytes"] == end["destination"]["bytes"] == size


def test_many_small_records(pki, address):
    seen = clients.probe(address, "echo.example", pki.client("good"), split=3, size=3000)
    assert seen.echo


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_the_upstream_may_speak_first(pki, address, version):
    with clients.Tls(address, "greet.example", pki.client("good"), version) as one:
        assert one.socket.recv(100) == b"220 ready\r\n"
        assert one.ask(b"more") == b"more"


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_half_close_of_the_client_is_kept(proxy, pki, address, servers, version):
    """The client ends its side; the upstream sees the end, answers then, and all of it arrives."""
    size = 300_000
    count = len(servers["sink"].seen)
    seen = clients.probe(address, "sink.example", pki.client("good"), version, size=size, half_close=True)
    total, digest = servers["sink"].wait_note(count + 1)[-1]
    assert total == size
    assert seen.text == f"{size} {digest}\n" and seen.eof, seen
    end_of(proxy, proxy.event_of(seen.local))


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_half_close_of_the_upstream_is_kept(pki, address, servers, version):
    """The upstream ends its side first; the client sees the end and what it says then still arrives."""
    count = len(servers["first"].seen)
    seen = clients.probe(address, "first.example", pki.client("good"), version, payload="said after the end",
                         read_first=True)
    assert seen.text == "all I have to say\n" and seen.eof, seen
    assert servers["first"].wait_note(count + 1)[-1] == b"said after the end"


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_cut_after_the_upstreams_end_is_no_end(pki, address, servers, version):
    """The upstream has ended its side and still listens: a client that goes without close_notify was cut off, not done."""
    count, faults = len(servers["first"].seen), len(servers["first"].faults)
    with clients.Tls(address, "first.example", pki.client("good"), version) as one:
        while one.socket.recv(1000):
            pass
        one.socket.sendall(b"half of what I")
    procs.wait_for(lambda: len(servers["first"].faults) > faults, "the reset at the back end")
    assert isinstance(servers["first"].faults[-1], ConnectionResetError)
    assert len(servers["first"].seen) == count


def test_the_next_server_takes_over(proxy, pki, address):
    for _ in range(4):
        seen = clients.probe(address, "next.example", pki.client("good"))
        assert seen.echo, seen
    expect.check(proxy.event_of(seen.local), "ok", decision="allow", verified=True)


@pytest.mark.parametrize("name", ["down", "gone"])
def test_all_servers_down(proxy, pki, address, name):
    """The handshake is recorded as the success that it was; how the connection ended is told apart from it."""
    seen = clients.probe(address, f"{name}.example", pki.client("good"))
    assert seen.handshake and not seen.echo and seen.received == 0
    event = proxy.event_of(seen.local)
    expect.check(event, "ok", decision="allow", verified=True)
    end = end_of(proxy, event)
    assert end["event"]["outcome"] == "failure"
    assert end["tlscribe"]["close_reason"] == "upstream_unreachable"
    proxy.wait_log(rf"service {name}: no back end could be reached; the last one tried was \S+: \w+")


def test_no_connection_end_where_it_is_not_asked_for(proxy, pki, address):
    seen = clients.probe(address, "quiet.example", pki.client("good"))
    event = proxy.event_of(seen.local)
    other = clients.probe(address, "down.example", pki.client("good"))
    end_of(proxy, proxy.event_of(other.local))
    assert not [e for e in proxy.actions("connection-end") if e["tlscribe"]["connection"] == event["event"]["id"]]


def test_round_robin(own_proxies, pki):
    names = [b"one", b"two", b"three"]
    made = [backends.Server(backends.greeter(name)) for name in names]
    try:
        proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("ring", pki, [m.address for m in made])],
                            workers=1)
        address = proxy.config["listeners"][0]["bind"]
        got = []
        for _ in range(9):
            with clients.Tls(address, "ring.example", pki.client("good")) as one:
                got.append(one.socket.recv(100))
        assert sorted(got[:3]) == sorted(names) and got[:3] == got[3:6] == got[6:], got
    finally:
        for one in made:
            one.close()


def test_an_idle_connection_is_ended(own_proxies, pki, echo):
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("idle", pki, echo, connection_end=True)],
                        timeouts={"idle": "400ms"})
    with clients.Tls(proxy.config["listeners"][0]["bind"], "idle.example", pki.client("good")) as one:
        assert one.ask() == b"ping\n"
        with pytest.raises(ssl.SSLError, match="EOF"):  # cut off: whether all was said nobody knows
            one.socket.recv(100)
    end = end_of(proxy, proxy.event_of(one.local))
    assert "idle" in end["tlscribe"]["close_reason"]


def blast(content, progress):
    def handle(peer, _):
        sent = 0
        while sent < len(content):
            sent += peer.send(content[sent:sent + 65536])
            progress[0] = sent
        peer.shutdown(socket.SHUT_WR)
        peer.recv(1)
    return handle


def stalled(progress):
    """Waits until a number that grows has stood still for a second."""
    last = [None, 0]

    def still():
        last[1] = last[1] + 1 if progress[0] == last[0] and progress[0] > 0 else 0
        last[0] = progress[0]
        return last[1] >= 4
    procs.wait_for(still, "back-pressure", pause=0.25)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_slow_reader_holds_the_upstream_back(own_proxies, pki, version):
    content = os.urandom(96 * MIB)
    progress = [0]
    server = backends.Server(blast(content, progress))
    try:
        proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("slow", pki, server.address)])
        address = proxy.config["listeners"][0]["bind"]
        with clients.Tls(address, "slow.example", pki.client("good"), version) as warm:
            warm.socket.recv(1)
        progress[0] = 0
        before = procs.rss(proxy.pid)
        with clients.Tls(address, "slow.example", pki.client("good"), version) as one:
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
    finally:
        server.close()


def test_a_slow_upstream_holds_the_client_back(own_proxies, pki):
    go_on = threading.Event()
    total = [0]

    def handle(peer, server):
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        go_on.wait(procs.PATIENCE)
        digest = hashlib.sha256()
        while total[0] < 64 * MIB:
            data = peer.recv(MIB)
            if not data:
                break
            total[0] += len(data)
            digest.update(data)
        server.note(digest.digest())

    server = backends.Server(handle)
    try:
        proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("slow", pki, server.address)])
        content = os.urandom(64 * MIB)
        before = procs.rss(proxy.pid)
        progress = [0]
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
        assert total[0] == len(content)
    finally:
        go_on.set()
        server.close()


def test_an_abort_of_either_side_ends_the_other(proxy, pki, address):
    """A client that goes away with RST: the connection-end is there and the descriptors come back."""
    before = procs.descriptors(proxy.pid)
    held = [clients.Tls(address, "echo.example", pki.client("good")) for _ in range(8)]
    for one in held:
        assert one.ask() == b"ping\n"
    for number, one in enumerate(held):
        if number % 2:
            one.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        one.close()
        end_of(proxy, proxy.event_of(one.local))
    procs.wait_for(lambda: procs.descriptors(proxy.pid) <= before, "the descriptors to be closed")
