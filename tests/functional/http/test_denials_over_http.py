"""`deny: http`: who is refused is told a status by class and the event's id, or sent elsewhere; `quarantine` shows them a back end of
their own, and never the one of the service."""

import json
import re

import pytest

from lib import clients, expect, procs
from lib.httpclient import Http, request
from lib.proxy import service
from lib.recorder import Recorder, answer

BAD = ["expired", "self_signed", "unknown_issuer", "wrong_purpose", "not_yet_valid"]


@pytest.fixture(scope="module")
def normal():
    one = Recorder(lambda r: answer("normal"))
    yield one
    one.check()
    one.close()


@pytest.fixture(scope="module")
def ward():
    one = Recorder(lambda r: answer("quarantine " + r.target))
    yield one
    one.check()
    one.close()


@pytest.fixture(scope="module")
def proxy(proxies, pki, normal, ward):
    back = normal.address
    other = {"servers": [ward.address]}
    status = {"default": 403, "no_certificate": 401, "expired": 495, "self_signed": 418}
    return proxies(
        ["127.0.0.1:%d" % procs.free_port()],
        [service("plain", pki, back, mode="http", deny="http"),
         service("mapped", pki, back, mode="http", deny="http", status=status, requests="all"),
         service("sent", pki, back, mode="http", deny="http", redirect="https://help.example/certificates?why"),
         service("alert", pki, back, mode="http"),
         service("open", pki, back, "optional", mode="http", deny="http"),
         service("ward", pki, back, mode="http", quarantine=other, deny="http", identity_headers=["x-ssl", "nginx"], requests="all",
                 routes=[{"path": "/routed/", "upstream": {"servers": [back]}}, {"path": "/closed/", "require": "verified"}]),
         service("ward-open", pki, back, "optional", mode="http", quarantine=other, sni_host="exact")], workers=1)


@pytest.fixture
def address(proxy):
    return proxy.config["listeners"][0]["bind"]


@pytest.fixture(autouse=True)
def fresh(normal, ward):
    normal.forget()
    ward.forget()


def problem(got):
    assert got.value("Content-Type") == "application/problem+json" and got.value("Cache-Control") == "no-store"
    # RFC 9110 6.6.1: whoever has a clock says the time.
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", got.value("Date"))
    told = json.loads(got.body)
    assert set(told) == {"type", "title", "status", "event_id"} and told["status"] == got.status and told["type"] == "about:blank"
    return told["event_id"]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("kind", [*BAD, "no_certificate"])
def test_who_is_refused_gets_a_status_and_the_id_of_the_event(proxy, address, normal, pki, kind, version):
    client = None if kind == "no_certificate" else pki.client(kind)
    for name, status in (("plain", 403), ("mapped", {"no_certificate": 401, "expired": 495, "self_signed": 418}.get(kind, 403))):
        with Http(address, f"{name}.example", client, version=version) as one:
            got = one.ask("/secret")
            assert got.status == status and got.value("Connection") == "close"
            assert one.wait_end() == b"" and one.end == "closed"
            event = proxy.event_of(one.local)
            assert problem(got) == event["event"]["id"]
            # RFC 9457 7, and who would look for a way in: the class is for the record alone.
            assert kind.encode() not in one.raw and b"certificate" not in got.body
        expect.check(event, kind, decision="deny", denied_by="verify", version=version, service=name, sent=None)
    assert normal.raw() == b""


def test_every_request_of_a_refused_connection_is_refused_alike(address, normal, pki):
    """The first one ends it: what is pipelined behind it is not even read."""
    with Http(address, "plain.example", pki.client("expired")) as one:
        one.send(b"".join(request(f"/{i}", "plain.example", "POST", b"x") for i in range(5)))
        assert one.response().status == 403
        assert one.wait_end() == b"" and one.end == "closed"
    assert normal.raw() == b""


def test_head_of_a_refused_client_gets_no_body(address, pki):
    with Http(address, "plain.example", pki.client("expired")) as one:
        assert one.ask("/", method="HEAD").status == 403
        assert one.wait_end() == b""


def test_a_malformed_request_of_a_refused_client_is_malformed(address, normal, pki):
    with Http(address, "plain.example", pki.client("expired")) as one:
        one.send(b"GET / HTTP/1.1\n\n")
        assert one.response().status == 400
    assert normal.raw() == b""


def test_who_is_refused_is_sent_elsewhere(proxy, address, normal, pki):
    with Http(address, "sent.example", pki.client("expired")) as one:
        got = one.ask("/secret?token=1")
        assert got.status == 302 and got.value("Location") == "https://help.example/certificates?why"
        assert b"token" not in one.raw and problem(got) == proxy.event_of(one.local)["event"]["id"]
    with Http(address, "sent.example", pki.client("good")) as one:
        assert one.ask("/").body == b"normal"


def test_a_service_of_http_refuses_with_an_alert_by_default(proxy, address, normal, pki):
    result = clients.probe(address, "alert.example", pki.client("expired"), payload="GET / HTTP/1.1\r\nHost: alert.example\r\n\r\n")
    assert result.alert == 45
    assert normal.raw() == b""


def test_real_clients_show_the_page(address, pki):
    got = clients.curl(address, "mapped.example", "-i", "/", client=pki.client("expired"))
    assert got.returncode == 0 and got.stdout.startswith(b"HTTP/1.1 495 ") and b"event_id" in got.stdout
    got = clients.curl(address, "mapped.example", "-i", "/")
    assert got.stdout.startswith(b"HTTP/1.1 401 Unauthorized\r\n")


@pytest.mark.parametrize("kind", ["malformed_certificate", "possession_failed"])
def test_a_handshake_that_cannot_be_completed_ends_with_its_alert(proxy, address, normal, pki, kind):
    """Where nobody speaks TLS there is nobody to speak HTTP to."""
    result = clients.probe(address, "plain.example", pki.client(kind), payload="GET / HTTP/1.1\r\nHost: plain.example\r\n\r\n")
    assert result.alert > 0
    assert normal.raw() == b""


@pytest.mark.parametrize("kind", [*BAD, "no_certificate"])
@pytest.mark.parametrize("target", ["/", "/routed/x", "/closed/x", "//closed/x"])
def test_quarantine_never_reaches_the_normal_back_ends(proxy, address, normal, ward, pki, kind, target):
    client = None if kind == "no_certificate" else pki.client(kind)
    with Http(address, "ward.example", client) as one:
        for _ in range(2):
            assert one.ask(target).body == b"quarantine " + target.encode()
        event = proxy.event_of(one.local)
    expect.check(event, kind, decision="quarantine", service="ward", sent=None)
    assert normal.raw() == b""
    # It knows whom it has before it.
    got = ward.requests[-1]
    assert got.value("X-SSL-Class") == kind and got.value("X-SSL-Verified") in ("0", "false", "")
    assert got.value("X-TLS-Event-Id") == event["event"]["id"]


def test_quarantine_is_not_for_those_who_are_let_in(address, normal, ward, pki):
    with Http(address, "ward.example", pki.client("good")) as one:
        assert one.ask("/").body == b"normal"
        assert one.ask("/closed/x").body == b"normal"
    with Http(address, "ward-open.example") as one:
        assert one.ask("/").body == b"normal"
    assert ward.requests == []


def test_quarantine_keeps_to_the_rule_of_sni_and_host(proxy, address, ward, normal, pki):
    with Http(address, "ward-open.example", pki.client("expired")) as one:
        assert one.ask("/").body == b"quarantine /"
        assert one.ask("/", host="ward.example").status == 421
    assert normal.requests == [] and len(ward.requests) == 1


def test_a_request_of_a_refused_client_is_on_the_record_where_all_are(proxy, address, pki):
    with Http(address, "mapped.example", pki.client("expired")) as one:
        assert one.ask("/x?y=z").status == 495
        connection = proxy.event_of(one.local)["event"]["id"]
    events = [e for e in proxy.events() if e["tlscribe"].get("connection") == connection and e["event"]["action"].startswith("request")]
    assert all(e["event"]["outcome"] == "failure" for e in events)
