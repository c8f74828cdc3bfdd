"""A real haproxy before the listener: what it sends with send-proxy and its relatives is understood, health checks too."""

import pytest

from lib import clients, expect, procs
from lib import proxy_protocol as pp
from lib.proxy import service


@pytest.fixture(scope="module")
def proxy(proxies, pki, echo):
    return proxies([{"bind": "127.0.0.1:%d" % procs.free_port(), "proxy_protocol": ["127.0.0.1"]}],
                   [service("strict", pki, echo)])


@pytest.mark.parametrize("options", [
    "send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,authority,unique-id,ssl",
    "send-proxy-v2-ssl-cn"])
def test_its_client_is_the_source(proxy, pki, folder, request, options):
    front = pp.Haproxy(folder / f"front-{abs(hash(request.node.name)) % 100000}", f"""
frontend front
    mode tcp
    bind 127.0.0.1:{{port}}
    default_backend tlscribe
backend tlscribe
    mode tcp
    server one {proxy.config["listeners"][0]["bind"]} {options}
""")
    with front:
        got = clients.probe(front.address, "strict.example", pki.client("good"))
        assert got.echo, got
        event = proxy.event_of(got.local)
    expect.check(event, "ok", decision="allow", verified=True)
    assert event["tlscribe"]["peer"]["ip"] == "127.0.0.1"
    assert (event["destination"]["ip"], event["destination"]["port"]) == ("127.0.0.1", front.port)


def test_its_health_checks_are_connections_of_its_own(proxy, folder):
    mark = proxy.mark()
    front = pp.Haproxy(folder / "front-check", f"""
frontend front
    mode tcp
    bind 127.0.0.1:{{port}}
    default_backend tlscribe
backend tlscribe
    mode tcp
    server one {proxy.config["listeners"][0]["bind"]} send-proxy-v2 check-send-proxy check inter 200ms
""")
    with front:
        events = proxy.since(mark)
    expect.check(events[0], "peer_closed", decision="deny", denied_by="handshake", sent=None)
    assert events[0]["source"]["ip"] == "127.0.0.1"
    assert "peer" not in events[0]["tlscribe"]
