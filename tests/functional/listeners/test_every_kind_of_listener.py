"""IPv4, IPv6 and unix listeners, towards upstreams on TCP and unix, with a real nginx behind."""

import os
import socket
import stat

import pytest

from lib import backends, clients, expect, procs
from lib.proxy import service


@pytest.fixture(scope="module")
def binds(folder):
    return {"ipv4": "127.0.0.1:%d" % procs.free_port(), "ipv6": "[::1]:%d" % procs.free_port(socket.AF_INET6),
            "any": "0.0.0.0:%d" % procs.free_port(), "any6": "[::]:%d" % procs.free_port(socket.AF_INET6),
            "unix": f"unix:{folder}/in.sock"}


@pytest.fixture(scope="module")
def proxy(proxies, pki, nginx, binds):
    listeners = [{"bind": bind} for bind in binds.values()]
    listeners[-1]["mode"] = "0660"
    return proxies(listeners, [service("tcp", pki, nginx.address), service("unix", pki, nginx.unix)])


TARGETS = {"ipv4": ("127.0.0.1", "ipv4"), "ipv6": ("[::1]", "ipv6"), "any": ("127.0.0.1", "ipv4"), "any6": ("[::1]", "ipv6")}


@pytest.mark.parametrize("upstream", ["tcp", "unix"])
@pytest.mark.parametrize("kind", TARGETS)
def test_over_tcp(proxy, pki, binds, kind, upstream):
    host, family = TARGETS[kind]
    port = binds[kind].rsplit(":", 1)[1]
    mark = proxy.mark()
    got = clients.curl(f"{host}:{port}", f"{upstream}.example", "/who", client=pki.client("good"))
    assert got.stdout == f"http {upstream}.example\n".encode(), got
    event, = proxy.since(mark)
    expect.check(event, "ok", decision="allow", verified=True, service=upstream)
    assert event["network"]["type"] == family
    assert event["source"]["ip"] == host.strip("[]") == event["destination"]["ip"]
    assert event["destination"]["port"] == int(port)


@pytest.mark.parametrize("upstream", ["tcp", "unix"])
def test_over_unix(proxy, pki, binds, upstream):
    mark = proxy.mark()
    got = clients.curl(binds["unix"], f"{upstream}.example", "/who", client=pki.client("good"))
    assert got.stdout == f"http {upstream}.example\n".encode(), got
    event, = proxy.since(mark)
    expect.check(event, "ok", decision="allow", verified=True, service=upstream)
    assert "ip" not in event.get("source", {}) and event["network"].get("type") is None


def test_a_refused_client_over_unix(proxy, pki, binds):
    mark = proxy.mark()
    seen = clients.probe(binds["unix"], "tcp.example", pki.client("expired"))
    expect.check(proxy.since(mark)[0], "expired", decision="deny", denied_by="verify")
    assert seen.alert == 45


def test_the_mode_of_a_unix_socket(proxy, binds):
    path = binds["unix"].removeprefix("unix:")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660


def test_a_unix_socket_left_behind_is_taken_over_and_a_live_one_is_not(own_proxies, pki, echo, folder):
    path = folder / "stale.sock"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))
    proxy = own_proxies([f"unix:{path}"], [service("one", pki, echo)])
    assert clients.probe(f"unix:{path}", "one.example", pki.client("good")).echo
    other = own_proxies([f"unix:{path}"], [service("one", pki, echo)], start=False)
    other.start(wait=False)
    assert other.process.wait(procs.PATIENCE) != 0
    other.process = None
    assert str(path) in other.log()
    assert clients.probe(f"unix:{path}", "one.example", pki.client("good")).echo, proxy.report()


def test_an_address_in_use_is_said(own_proxies, pki, echo):
    server = backends.Server(backends.echo)
    try:
        proxy = own_proxies([server.address], [service("one", pki, echo)], start=False)
        proxy.start(wait=False)
        assert proxy.process.wait(procs.PATIENCE) != 0
        proxy.process = None
        assert server.address in proxy.log(), proxy.log()
    finally:
        server.close()
