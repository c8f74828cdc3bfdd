"""Handshakes that end before there is anything to judge: each has its class, its alert, and exactly one event."""

import os
import random

import pytest

from lib import clients, expect, hello, procs
from lib.proxy import service

VERSIONS = ["1.2", "1.3"]


@pytest.fixture(scope="module")
def proxy(proxies, pki, echo):
    services = [service("strict", pki, echo), service("open", pki, echo, "none"),
                service("spoken", pki, echo, "none", tls={"alpn": ["http/1.1"]}),
                service("modern", pki, echo, "none", tls={"min": "1.3"})]
    return proxies(["127.0.0.1:%d" % procs.free_port()], services, limits={"handshake_time": "1500ms"})


@pytest.fixture
def address(proxy):
    return proxy.config["listeners"][0]["bind"]


def ended(event, name, sent="by class", service=None, **more):
    expect.check(event, name, decision="deny", denied_by="handshake", sent=sent, **more)
    assert event["tls"].get("established", False) is False
    assert event.get("service", {}).get("name") == service
    # Nothing was judged: at most a detail of this one class is told.
    assert {f["class"] for f in event["tlscribe"].get("findings", [])} <= {name}
    return event


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["nobody.example", "sub.strict.example", "example", "", "strict.example.org"])
def test_unknown_server_name(proxy, address, pki, version, name):
    seen = clients.probe(address, name, pki.client("good"), version)
    event = ended(proxy.event_of(seen.local), "unknown_server_name")
    assert seen.alert == 112 and not seen.handshake
    assert event["tls"].get("client", {}).get("server_name") == (name or None)


def test_no_common_version(proxy, address):
    for low, high, name in (("1.0", "1.1", "strict"), ("1.0", "1.0", "open"), ("1.2", "1.2", "modern")):
        seen = clients.probe(address, f"{name}.example", min=low, max=high)
        ended(proxy.event_of(seen.local), "no_common_version", service=name)
        assert seen.alert == 70 and not seen.handshake


def raw(proxy, address, message, source=None):
    """Sends a ClientHello in records; gives what came back, and the event."""
    with hello.Wire(address, source) as wire:
        wire.send(hello.records(message))
        first = wire.record()
        # Served so far: what is asked here is how the hello was taken.
        found = [first] if first and first[0] == hello.HANDSHAKE else [one for one in [first] if one] + wire.rest()
    return found, proxy.event_of(wire.local)


@pytest.mark.parametrize("message", [
    hello.client_hello("open.example", versions=(0x0302, 0x0301)),
    hello.client_hello("open.example", versions=(0x0A0A,)),
    hello.client_hello("open.example", versions=None, legacy=hello.TLS11),
], ids=["tls11-in-extension", "grease-alone", "tls11-legacy"])
def test_no_common_version_by_hand(proxy, address, message):
    found, event = raw(proxy, address, message)
    ended(event, "no_common_version", service="open")
    assert hello.alert_of(found) == 70


@pytest.mark.parametrize("message", [
    hello.client_hello("open.example", suites=[0x13FF, 0x00FF]),
    hello.client_hello("open.example", versions=None, suites=[0x002F, 0xC013, 0x000A]),
    hello.client_hello("open.example", versions=(hello.TLS12,), suites=[0x009C, 0xC009]),
    hello.client_hello("open.example", versions=(hello.TLS13,), suites=[0xC02B]),
], ids=["unknown", "cbc", "no-forward-secrecy", "tls12-suite-for-tls13"])
def test_no_common_cipher(proxy, address, message):
    found, event = raw(proxy, address, message)
    ended(event, "no_common_cipher", service="open")
    assert hello.alert_of(found) == 40


@pytest.mark.parametrize("versions", [(hello.TLS13,), None], ids=["1.3", "1.2"])
def test_no_common_signature_is_no_common_cipher(proxy, address, versions):
    """The service has an ECDSA certificate alone, the client knows RSA signatures alone."""
    suites = hello.SUITES_13 if versions else [0xC02F, 0xC030]
    message = hello.client_hello("open.example", versions=versions, suites=suites, signatures=[0x0804, 0x0401])
    found, event = raw(proxy, address, message)
    ended(event, "no_common_cipher", service="open")
    assert hello.alert_of(found) == 40


@pytest.mark.parametrize("versions", [(hello.TLS13,), (hello.TLS13, hello.TLS12), None], ids=["1.3", "both", "1.2"])
def test_no_common_group(proxy, address, versions):
    message = hello.client_hello("open.example", versions=versions, groups=[hello.BRAINPOOL],
                                 shares=[(hello.BRAINPOOL, b"\x04" + bytes(64))])
    found, event = raw(proxy, address, message)
    ended(event, "no_common_group", service="open")
    assert hello.alert_of(found) == 40


@pytest.mark.parametrize("version", VERSIONS)
def test_no_common_protocol(proxy, address, version):
    seen = clients.probe(address, "spoken.example", version=version, alpn="h2,foo")
    event = ended(proxy.event_of(seen.local), "no_common_protocol", service="spoken")
    assert seen.alert == 120
    assert event["tlscribe"]["client_hello"]["alpn"] == ["h2", "foo"]
    good = clients.probe(address, "spoken.example", version=version, alpn="h2,http/1.1")
    assert good.echo and good.alpn == "http/1.1"
    assert proxy.event_of(good.local)["tls"]["next_protocol"] == "http/1.1"
    silent = clients.probe(address, "spoken.example", version=version)
    assert silent.echo and silent.alpn == ""


@pytest.mark.parametrize("version", VERSIONS)
def test_peer_alert(proxy, address, pki, version):
    seen = clients.probe(address, "strict.example", pki.client("good"), version, verify=True)
    assert not seen.handshake
    event = ended(proxy.event_of(seen.local), "peer_alert", service="strict")
    assert event["tlscribe"]["alert"]["received"] == 42


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("flight", [1, 2])
def test_peer_closed_at_each_flight(proxy, address, pki, version, flight, reset):
    seen = clients.probe(address, "strict.example", pki.client("good"), version, abort_flight=flight, reset=reset)
    assert seen.aborted and not seen.handshake
    event = ended(proxy.event_of(seen.local), "peer_closed", service="strict" if flight == 2 else None)
    assert ("client_hello" in event["tlscribe"]) is (flight == 2)


@pytest.mark.parametrize("version", VERSIONS)
def test_peer_closed_inside_each_message(proxy, address, pki, version):
    whole = clients.probe(address, "strict.example", pki.client("good"), version)
    assert whole.echo
    for count in (1, 4, 5, 6, 50, 200, 400, 600, 900):
        seen = clients.probe(address, "strict.example", pki.client("good"), version, abort_written=count)
        event = proxy.event_of(seen.local)
        assert seen.aborted
        assert event["tlscribe"]["class"] == "peer_closed", f"after {count} bytes: {event}"
        ended(event, "peer_closed", service=event.get("service", {}).get("name"))


def test_timeout_of_a_silent_client(proxy, address):
    with hello.Wire(address) as wire:
        assert wire.to_end() == b""
    ended(proxy.event_of(wire.local), "timeout")


def test_timeout_of_a_client_that_stops_after_its_hello(proxy, address):
    with hello.Wire(address) as wire:
        wire.send(hello.record(hello.client_hello("strict.example")))
        wire.to_end()
    ended(proxy.event_of(wire.local), "timeout", service="strict")


@pytest.mark.parametrize("text", [b"GET / HTTP/1.1\r\nHost: strict.example\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"\r\n",
                                  b"\x80\x2e\x01\x00\x02" + bytes(40), b"\x00" * 64, b"\xff" * 5,
                                  random.Random(1).randbytes(200).replace(b"\x16", b"\x17"), b"Q",
                                  b"\x16GET / HTTP/1.1\r\n\r\n", hello.record(b"\x01", kind=hello.CHANGE_CIPHER_SPEC),
                                  hello.record(bytes(40), kind=23)],
                         ids=["http", "ssh", "crlf", "sslv2", "zeros", "ones", "random", "one-byte", "almost", "ccs-first",
                              "data-first"])
def test_not_tls(proxy, address, text):
    with hello.Wire(address) as wire:
        wire.send(text)
        wire.to_end()
    event = ended(proxy.event_of(wire.local), "not_tls", sent=None)
    assert "version" not in event["tls"]


@pytest.mark.parametrize("data", [
    hello.record(b"\x01\x00\x00\x04\x03\x03\x00\x00"),
    hello.record(b"\x01" + hello.vector(3, b"\x03\x03" + bytes(32) + b"\xff" + bytes(20))),
    hello.record(b"\x02" + hello.vector(3, bytes(60))),
    hello.record(b"\x14" + hello.vector(3, bytes(12))),
    hello.record(hello.client_hello("strict.example")[:-7] + b"\xff" * 7),
], ids=["short", "session-id-too-long", "server-hello", "finished", "extension-overruns"])
def test_protocol_error(proxy, address, data):
    with hello.Wire(address) as wire:
        wire.send(data)
        wire.end()
        found = wire.rest()
    event = proxy.event_of(wire.local)
    sent = event["tlscribe"].get("alert", {}).get("sent")
    ended(event, "protocol_error", sent=sent, service=event.get("service", {}).get("name"))
    assert hello.alert_of(found) == (sent if sent is not None else -1)


def test_a_broken_second_flight_is_a_protocol_error(proxy, address):
    with hello.Wire(address) as wire:
        wire.send(hello.record(hello.client_hello("strict.example")))
        assert wire.record()[0] == hello.HANDSHAKE
        wire.send(hello.record(os.urandom(80), kind=23))
        wire.to_end()
    event = proxy.event_of(wire.local)
    ended(event, "protocol_error", sent=event["tlscribe"].get("alert", {}).get("sent"), service="strict")


def retry(address, second_name):
    """A hello without a share, the server's HelloRetryRequest, and a second hello."""
    fixed = {"random": bytes(range(32)), "session": bytes(32), "groups": [hello.P256], "versions": (hello.TLS13,)}
    with hello.Wire(address) as wire:
        wire.send(hello.record(hello.client_hello("open.example", shares=[], **fixed)))
        kind, content = wire.record()
        assert kind == hello.HANDSHAKE and hello.RETRY_RANDOM in content
        wire.send(hello.record(hello.client_hello(second_name, shares=[hello.p256_share()], **fixed), version=hello.TLS12))
        found = []
        while True:
            one = wire.record()
            if one is None:
                break
            found.append(one)
            if one[0] == hello.HANDSHAKE:
                break
        return wire.local, found


def test_the_name_may_not_change_after_a_retry(proxy, address):
    for other in ("strict.example", "nobody.example", None):
        local, found = retry(address, other)
        assert hello.alert_of(found) == 47
        event = ended(proxy.event_of(local), "protocol_error", sent=47, service="open")
        assert event["tls"]["client"]["server_name"] == "open.example"


def test_a_retry_with_the_same_name_goes_on(proxy, address):
    local, found = retry(address, "open.example")
    assert found[-1][0] == hello.HANDSHAKE and found[-1][1][0] == 2
    ended(proxy.event_of(local), "peer_closed", service="open")


def test_a_retry_of_a_real_client_is_served(proxy, address, pki):
    """Debian's s_client sends a share for its first group only."""
    said = clients.s_client(address, "strict.example", pki.client("good"), "1.3", "ping\n", "-groups", "P-521:P-256")
    assert "ping" in said
