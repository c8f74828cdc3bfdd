"""connections_per_source counts who is announced; until a header is there its sender has a place of the total, for a bounded time."""

import pytest

from lib import expect, procs
from lib import proxy_protocol as pp
from lib.proxy import service

BALANCER = "127.100.0.1"


@pytest.fixture
def proxy(own_proxies, pki, echo):
    return own_proxies([{"bind": "127.0.0.1:%d" % procs.free_port(), "proxy_protocol": ["127.100.0.0/24"]}],
                       [service("open", pki, echo, "none", ca=None)],
                       limits={"connections": 6, "connections_per_source": 2, "handshake_time": "2s"})


def announced(proxy, ip, port=1000):
    destination = ("2001:db8:1::9" if ":" in ip else "198.51.100.9", 443)
    return pp.Announced(proxy.config["listeners"][0]["bind"], pp.v2((ip, port), destination), source=BALANCER)


def serve(proxy, ip, port=1000):
    one = announced(proxy, ip, port).tls("open.example")
    assert one.ask() == b"ping\n"
    return one


def refused(proxy, mark, ip, detail):
    events = [e for e in proxy.since(mark) if e["source"].get("ip") == ip]
    assert len(events) == 1, events
    expect.check(events[0], "limit_exceeded", decision="deny", denied_by="limit", sent=None)
    assert events[0]["tlscribe"]["findings"][0]["detail"] == detail


def test_each_announced_source_has_its_own_count_and_gets_it_back(proxy):
    held = [serve(proxy, ip) for ip in ("192.0.2.1", "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2")]
    for ip in ("192.0.2.1", "2001:db8::3"):  # IPv6 counts by /64
        mark = proxy.mark()
        with announced(proxy, ip) as one:
            assert one.to_end() == b""
        refused(proxy, mark, ip, "too many connections of this source")
    held.pop(0).socket.close()

    def served_again():
        with announced(proxy, "192.0.2.1") as one:
            try:
                return one.tls("open.example").ask() == b"ping\n"
            except OSError:
                return False
    procs.wait_for(served_again, lambda: f"a place for 192.0.2.1\n{proxy.report()}")
    for one in held:
        one.socket.close()


def test_local_headers_count_for_the_peer(proxy):
    def local():
        return pp.Announced(proxy.config["listeners"][0]["bind"], pp.v2_raw(0x20, 0, b""), source=BALANCER)
    held = [local().tls("open.example") for _ in range(2)]
    assert [one.ask() for one in held] == [b"ping\n"] * 2
    mark = proxy.mark()
    with local() as one:
        assert one.to_end() == b""
    refused(proxy, mark, BALANCER, "too many connections of this source")
    with serve(proxy, "192.0.2.1"):
        pass
    for one in held:
        one.socket.close()


def test_peers_that_send_no_header_have_places_of_the_total_until_the_timer_ends_them(proxy):
    address = proxy.config["listeners"][0]["bind"]
    silent = [pp.Announced(address, b"PROXY"[:i], source=BALANCER) for i in range(6)]
    mark = proxy.mark()
    with announced(proxy, "192.0.2.1") as one:
        assert one.to_end() == b""
        local = one.local
    full = [e for e in proxy.since(mark) if e["source"].get("port") == int(local.rsplit(":", 1)[1])]
    expect.check(full[0], "limit_exceeded", decision="deny", denied_by="limit", sent=None)
    assert full[0]["tlscribe"]["findings"][0]["detail"] == "too many connections"
    for one in silent:
        assert one.to_end() == b""
        expect.check(proxy.event_of(one.local), "timeout", decision="deny", denied_by="handshake", sent=None)
        one.socket.close()
    with serve(proxy, "192.0.2.1"):
        pass
