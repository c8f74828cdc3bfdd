"""Services are chosen by listener and server name: exact before wildcard, folded, and the default for the rest."""

import pytest

from lib import clients, expect, hello, procs
from lib.proxy import service


@pytest.fixture(scope="module")
def ports():
    return ["127.0.0.1:%d" % procs.free_port() for _ in range(3)]


@pytest.fixture(scope="module")
def proxy(proxies, pki, echo, ports):
    services = [
        service("exact", pki, echo, "none", names=["api.example"]),
        service("wild", pki, echo, "none", names=["*.example", "*.deep.example"]),
        service("strict", pki, echo, "required", names=["same.example", "two.example"]),
        service("lenient", pki, echo, "passthrough", names=["same.example"]),
        service("fallback", pki, echo, "optional", names=["known.example"], default=True),
    ]
    listeners = [{"bind": ports[0], "services": ["exact", "wild", "strict"]},
                 {"bind": ports[1], "services": ["lenient"]},
                 {"bind": ports[2], "services": ["exact", "fallback"]}]
    return proxies(listeners, services)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("listener, name, chosen", [
    (0, "api.example", "exact"), (0, "API.Example", "exact"), (0, "other.example", "wild"),
    (0, "OTHER.EXAMPLE", "wild"), (0, "x.deep.example", "wild"), (0, "deep.example", "wild"),
    (0, "a.b.example", None), (0, "example", None), (0, "api.example.org", None), (0, "", None),
    (0, "same.example", "strict"), (1, "same.example", "lenient"), (1, "two.example", None), (1, "api.example", None),
    (2, "api.example", "exact"), (2, "known.example", "fallback"), (2, "what.ever", "fallback"), (2, "", "fallback"),
])
def test_choice(proxy, pki, ports, listener, name, chosen, version):
    seen = clients.probe(ports[listener], name, pki.client("good"), version)
    event = proxy.event_of(seen.local)
    if chosen is None:
        expect.check(event, "unknown_server_name", decision="deny", denied_by="handshake")
        assert seen.alert == 112 and "service" not in event
        return
    assert seen.echo, seen
    assert event["service"]["name"] == chosen
    assert event["tls"].get("client", {}).get("server_name") == (name.lower() or None)
    assert event["destination"].get("domain") == (name.lower() or None)
    assert event["destination"]["port"] == int(ports[listener].rsplit(":", 1)[1])


def test_the_same_name_is_strict_here_and_passthrough_there(proxy, pki, ports):
    client = pki.client("expired")
    strict = clients.probe(ports[0], "same.example", client)
    lenient = clients.probe(ports[1], "same.example", client)
    expect.check(proxy.event_of(strict.local), "expired", decision="deny", denied_by="verify", mode="required")
    expect.check(proxy.event_of(lenient.local), "expired", decision="allow_unverified", mode="passthrough")
    assert not strict.echo and lenient.echo


@pytest.mark.parametrize("name", [b"a\0b", b"", b"\r\nevil: yes", b"\xff\xfe", b"x" * 300, b"a" * 2000, b"..", b"*.example",
                                  b"127.0.0.1", b'"}{', b"api.example.", b"under_score.example"],
                         ids=["nul", "empty", "crlf", "not-utf8", "300", "2000", "dots", "star", "ip", "json", "dot-end",
                              "underscore"])
def test_odd_names_are_recorded_and_never_believed(proxy, ports, name):
    with hello.Wire(ports[0]) as wire:
        wire.send(hello.record(hello.client_hello(name)))
        first = wire.record()
        if first and first[0] == hello.ALERT:
            wire.rest()
    event = proxy.event_of(wire.local)
    cls = event["tlscribe"]["class"]
    if name in (b"*.example", b"under_score.example", b"api.example."):
        assert cls in ("unknown_server_name", "peer_closed", "protocol_error")
    else:
        assert cls in ("unknown_server_name", "protocol_error"), event
        assert event["tlscribe"]["decision"] == "deny" and "service" not in event
    assert len(event["tls"].get("client", {}).get("server_name", "")) <= 1024


def test_a_default_service_takes_odd_names_too_but_no_broken_hello(proxy, ports):
    with hello.Wire(ports[2]) as wire:
        wire.send(hello.record(hello.client_hello(b"\xff\r\n")))
        wire.record()
    event = proxy.event_of(wire.local)
    assert event["tlscribe"]["class"] in ("peer_closed", "protocol_error", "unknown_server_name")
