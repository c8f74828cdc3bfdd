"""Over a limit: refused, with one event; never a leak, never a stall."""

import socket
import ssl
import time

import pytest

from lib import clients, expect, hello, procs
from lib.proxy import sanitized, service

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def proxy(proxies, pki, echo):
    return proxies(["127.0.0.1:%d" % procs.free_port()], [service("strict", pki, echo),
                                                         service("pass", pki, echo, "passthrough", ca=None)],
                   limits={"handshake_time": "2s"})


@pytest.fixture
def address(proxy):
    return proxy.config["listeners"][0]["bind"]


def limited(event, **more):
    expect.check(event, "limit_exceeded", decision="deny", denied_by="limit",
                 sent=event["tlscribe"].get("alert", {}).get("sent"), **more)
    return event


def grown(proxy, before, bound):
    if not sanitized():
        now = procs.rss(proxy.pid)
        assert now - before < bound, f"resident memory grew by {now - before} bytes"


def test_a_client_hello_of_14_mib(proxy, address):
    """The header alone announces 14 MiB; what is sent after it is not kept."""
    before = procs.rss(proxy.pid)
    with hello.Wire(address) as wire:
        sent = wire.send(hello.record(b"\x01\xdf\xff\xff\x03\x03" + bytes(16000)))
        for _ in range(900):
            if not sent:
                break
            sent = wire.send(hello.record(bytes(16384)))
        wire.end()
        wire.to_end()
    limited(proxy.event_of(wire.local))
    grown(proxy, before, MIB)


def test_fifty_of_them_at_once(proxy, address):
    before = procs.rss(proxy.pid)
    wires = [hello.Wire(address) for _ in range(50)]
    try:
        for _ in range(6):
            for wire in wires:
                wire.send(hello.record(b"\x01\xdf\xff\xff\x03\x03" + bytes(16000)))
        grown(proxy, before, 50 * 128 * 1024)
        for wire in wires:
            wire.end()
            wire.to_end()
    finally:
        for wire in wires:
            wire.socket.close()
    for wire in wires:
        limited(proxy.event_of(wire.local))


def test_a_client_hello_just_over_the_limit(proxy, address):
    message = hello.client_hello("strict.example", suites=hello.SUITES_13 + [0x0A0A] * 3000,
                                 more=hello.extension(0xFDE8, bytes(60000)))
    assert len(message) > 65536
    with hello.Wire(address) as wire:
        wire.send(hello.records(message))
        wire.end()
        wire.to_end()
    limited(proxy.event_of(wire.local))


def test_a_big_client_hello_under_the_limit_is_taken(proxy, address):
    message = hello.client_hello("strict.example", more=hello.extension(0xFDE8, bytes(60000)))
    with hello.Wire(address) as wire:
        wire.send(hello.records(message))
        assert wire.record()[0] == hello.HANDSHAKE
    expect.check(proxy.event_of(wire.local), "peer_closed", decision="deny", denied_by="handshake", service="strict")


def test_a_client_hello_in_records_of_one_byte(proxy, address):
    message = hello.client_hello("strict.example")
    with hello.Wire(address) as wire:
        wire.send(hello.records(message, size=1))
        first = wire.record()
    event = proxy.event_of(wire.local)
    assert first is not None, event
    assert (first[0], first[1][0]) == (hello.HANDSHAKE, 2) and event["service"]["name"] == "strict", event


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_segments_of_one_byte_are_served(proxy, address, pki, version):
    seen = clients.probe(address, "strict.example", pki.client("good"), version, split=1)
    assert seen.echo
    expect.check(proxy.event_of(seen.local), "ok", decision="allow", verified=True, version=version)


def test_one_byte_after_the_other_runs_into_the_time_limit(proxy, address):
    """However often something arrives: the time of a handshake is that of the whole of it."""
    data = hello.record(hello.client_hello("strict.example"))
    with hello.Wire(address) as wire:
        wire.socket.settimeout(0.05)
        for byte in data + bytes(10000):
            if not wire.send(bytes([byte])):
                break
            try:
                if wire.socket.recv(1000) == b"":
                    break
            except (socket.timeout, ConnectionResetError):
                pass
        else:
            raise AssertionError("never ended")
    expect.check(proxy.event_of(wire.local), "timeout", decision="deny", denied_by="handshake")


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("name", ["strict", "pass"])
@pytest.mark.parametrize("kind", ["many", "heavy"])
def test_too_many_certificates_or_bytes_of_them(proxy, address, pki, kind, name, version):
    """In passthrough, too."""
    seen = clients.probe(address, f"{name}.example", pki.client(kind), version)
    limited(proxy.event_of(seen.local), service=name)
    assert not seen.echo


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_as_many_certificates_as_are_allowed(proxy, address, pki, version):
    good = pki.client("good")
    full = pki.raw("full", good.chain + [pki.dev.chain[0]] * (16 - len(good.chain)))
    event = proxy.event_of(clients.probe(address, "strict.example", full, version).local)
    assert event["tlscribe"]["class"] != "limit_exceeded"
    assert event["tlscribe"]["evidence"]["chain_length"] == 16


def hold(address, count, pki, source=None):
    """Connections that carried a byte and stay open."""
    held = []
    for _ in range(count):
        one = clients.Tls(address, "strict.example", pki.client("good"), source=source)
        assert one.ask() == b"ping\n"
        held.append(one)
    return held


def refused(address, pki, source=None):
    """One connection that has to be refused; gives its local address."""
    with hello.Wire(address, source) as wire:
        wire.send(hello.record(hello.client_hello("strict.example")))
        found = wire.rest()
        assert not [one for one in found if one[0] == hello.HANDSHAKE]
    return wire.local


@pytest.mark.parametrize("limit, count, source", [("connections", 6, "127.0.0.1"), ("connections_per_source", 4, "127.0.0.7")])
def test_connections(own_proxies, pki, echo, limit, count, source):
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("strict", pki, echo)], limits={limit: count})
    address = proxy.config["listeners"][0]["bind"]
    held = hold(address, count, pki, source)
    for _ in range(3):
        event = proxy.event_of(refused(address, pki, source))
        limited(event)
        assert "service" not in event
    for one in held:
        assert one.ask(b"still\n") == b"still\n"
    if limit == "connections_per_source":
        with clients.Tls(address, "strict.example", pki.client("good"), source="127.0.0.8") as other:
            assert other.ask() == b"ping\n"
    held.pop().close()

    def served():
        try:
            with clients.Tls(address, "strict.example", pki.client("good"), source=source) as one:
                return one.ask() == b"ping\n"
        except (ssl.SSLError, OSError):
            return False
    procs.wait_for(served, "a free place")
    for one in held:
        one.close()


def test_sources_of_one_ipv6_network_count_together(own_proxies, pki, echo):
    """Loopback has one IPv6 address only: that it is counted at all is what can be seen here."""
    proxy = own_proxies(["[::1]:%d" % procs.free_port(socket.AF_INET6)], [service("strict", pki, echo)],
                        limits={"connections_per_source": 2})
    address = proxy.config["listeners"][0]["bind"]
    held = hold(address, 2, pki)
    limited(proxy.event_of(refused(address, pki)))
    for one in held:
        one.close()


def test_nothing_leaks_over_refusals(own_proxies, pki, echo):
    """Descriptors come back, and memory does not climb with the number of refused connections."""
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("strict", pki, echo)])
    address = proxy.config["listeners"][0]["bind"]
    # The journal opens a file ahead now and then: that many are no leak.
    before = procs.descriptors(proxy.pid) + 2

    def round_of(count):
        for number in range(count):
            with hello.Wire(address) as wire:
                wire.send((b"GET / HTTP/1.0\r\n\r\n", hello.record(b"\x01\xdf\xff\xff" + bytes(100)),
                           hello.record(hello.client_hello("nobody.example")))[number % 3])
                wire.end()
                wire.to_end()
    # Until every thread's part of the heap has its size, it grows by some 2 MiB: a leak is told by what comes behind that.
    count = 300 if sanitized() else 4000
    round_of(count)
    middle = procs.rss(proxy.pid)
    round_of(count)
    procs.wait_for(lambda: procs.descriptors(proxy.pid) <= before, "the descriptors to be closed")
    grown(proxy, middle, 2 * MIB)


def test_a_lack_of_descriptors_pauses_and_ends(own_proxies, pki, echo):
    """Accepting stops at EMFILE and goes on when descriptors come back; whoever waited is served."""
    import resource
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("strict", pki, echo)], limits={"connections": 16})
    address = proxy.config["listeners"][0]["bind"]
    held = hold(address, 4, pki)
    old = resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE, (procs.descriptors(proxy.pid) // 2, old[1]))
    wires = [hello.Wire(address) for _ in range(4)]
    for wire in wires:
        wire.send(hello.record(hello.client_hello("strict.example")))
    for one in held:
        assert one.ask(b"still\n") == b"still\n"
    cpu = sum(map(int, open(f"/proc/{proxy.pid}/stat").read().rsplit(")", 1)[1].split()[11:13]))
    time.sleep(1)
    spent = sum(map(int, open(f"/proc/{proxy.pid}/stat").read().rsplit(")", 1)[1].split()[11:13])) - cpu
    assert spent < 50, f"{spent} ticks of a second were burnt while there was nothing to do"
    resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE, old)
    for wire in wires:
        assert wire.record()[0] == hello.HANDSHAKE
        wire.socket.close()
        assert proxy.event_of(wire.local)["service"]["name"] == "strict"
    for one in held:
        one.close()


def test_connections_leave_the_journal_its_descriptors(own_proxies, pki, echo):
    """With too few descriptors for limits.connections, what does not fit is refused with its event; the journal goes on."""
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("strict", pki, echo)], start=False,
                        limits={"connections": 5000}, timeouts={"drain": "1s"})
    proxy.start(before=("prlimit", "--nofile=160:160"))
    proxy.wait_log("RLIMIT_NOFILE is 160: that is enough for 64 connections")
    wires = [hello.Wire(proxy.config["listeners"][0]["bind"]) for _ in range(70)]
    refused = proxy.wait_action("tls-handshake", 6)
    assert {event["tlscribe"]["class"] for event in refused} == {"limit_exceeded"}
    for wire in wires:
        wire.socket.close()
    assert proxy.stop() == 0
    assert len(proxy.handshakes()) == 70
