"""SNI and Host (`sni_host`): who was let in by one service speaks to no other one behind the same listener, whatever it writes into Host;
421 (RFC 9110 15.5.20) and an event, on every kind of listener."""

import json

import pytest

from lib import expect, procs
from lib.httpclient import Http, request
from lib.proxy import service
from lib.recorder import Recorder, answer


@pytest.fixture(scope="module")
def recorder():
    one = Recorder(lambda r: answer(r.host))
    yield one
    one.close()


@pytest.fixture(scope="module")
def proxy(proxies, pki, recorder, folder):
    def web(name, **more):
        return service(name, pki, recorder.address, more.pop("verify", "none"), mode="http", **more)
    services = [web("one", names=["one.example", "uno.example", "*.one.example"]), web("two"),
                web("exact", names=["exact.example", "same.example"], sni_host="exact"), web("off", sni_host="off"),
                web("rest", names=["rest.example"], default=True), web("closed", verify="required")]
    listeners = ["127.0.0.1:%d" % procs.free_port(), "[::1]:%d" % procs.free_port(), f"unix:{folder}/sni.sock",
                 {"bind": "127.0.0.1:%d" % procs.free_port(), "services": ["one", "two", "closed"]},
                 {"bind": "127.0.0.1:%d" % procs.free_port(), "services": ["one"]}]
    return proxies(listeners, services)


# A dot at the end says that the name is complete (RFC 1034 3.1). Listeners by number: 0-2 have every service, with a default; 3 has
# three of them, 4 one, both without a default.
@pytest.mark.parametrize("listener", [0, 1, 2])
@pytest.mark.parametrize("sni,host", [
    ("one.example", "one.example"), ("one.example", "ONE.Example:8443"), ("one.example", "uno.example"), ("one.example", "x.one.example"),
    ("one.example", "one.example."), ("exact.example", "exact.example."),
    ("x.one.example", "one.example"), ("exact.example", "exact.example"), ("exact.example", "EXACT.example:1"),
    ("off.example", "off.example"),
    ("off.example", "two.example"), ("off.example", "127.0.0.1"), ("rest.example", "rest.example"), ("rest.example", "unknown.example"),
    ("unknown.example", "other.example"), ("unknown.example", "[::1]:443"), ("unknown.example", "127.0.0.1"), (None, "rest.example")])
def test_a_host_of_the_same_service_is_served(proxy, recorder, listener, sni, host):
    with Http(proxy.config["listeners"][listener]["bind"], sni) as one:
        got = one.ask("/", host=host)
        assert (got.status, got.body.decode()) == (200, host)


def denied(proxy, listener, sni, host, raw=None):
    """421, its event, and that nothing went on."""
    with Http(proxy.config["listeners"][listener]["bind"], sni) as one:
        one.send(raw or request("/secret", host))
        got = one.response()
        assert got.status == 421, f"{got.status} {got.body!r}"
        assert one.wait_end() == b"" and one.end == "closed"
    told = json.loads(got.body)
    assert set(told) == {"type", "title", "status", "event_id"}
    # By its id: the denial of an earlier test on this proxy may only now become readable.
    event = proxy.wait_action("request-denied", where=lambda e: e["event"]["id"] == told["event_id"])[0]
    handshake = [e for e in proxy.handshakes() if e["event"]["id"] == event["tlscribe"]["connection"]][0]
    expect.check_request(event, handshake["event"]["id"], status=421, denied_by="authority", method="GET",
                         host=host.rsplit(":", 1)[0] if not host.endswith("]") else host, path="/secret",
                         service=handshake["service"]["name"], name="not_requested", verified=False)


@pytest.mark.parametrize("listener,sni,host", [
    (listener, sni, host) for listener in (0, 1, 2) for sni, host in (
        ("one.example", "two.example"), ("one.example", "TWO.EXAMPLE:8443"), ("one.example", "closed.example"),
        ("one.example", "unknown.example"), ("one.example", "y.x.one.example"), ("two.example", "one.example"),
        ("exact.example", "same.example"), ("exact.example", "two.example"), ("exact.example", "unknown.example"),
        ("rest.example", "one.example"), ("unknown.example", "two.example"), (None, "one.example"), ("one.example", "127.0.0.1"),
        ("one.example", "[::1]"), ("one.example", "two.example."),
        ("exact.example", "same.example."), ("two.example", "two.example.."))] + [
    (3, "one.example", "two.example"), (3, "one.example", "closed.example"), (3, "one.example", "unknown.example"),
    (3, "one.example", "off.example"), (4, "one.example", "two.example"), (4, "one.example", "rest.example"),
    (4, "one.example", "127.0.0.1")])
def test_a_host_of_another_service_or_of_none_is_misdirected(proxy, recorder, listener, sni, host):
    recorder.forget()
    denied(proxy, listener, sni, host)
    assert recorder.requests == []


def test_absolute_form_is_held_to_the_same_rule(proxy, recorder):
    recorder.forget()
    denied(proxy, 0, "one.example", "two.example", b"GET http://two.example/secret HTTP/1.1\r\nHost: two.example\r\n\r\n")
    with Http(proxy.config["listeners"][0]["bind"], "one.example") as one:
        one.send(b"GET http://two.example/secret HTTP/1.1\r\nHost: one.example\r\n\r\n")
        assert one.response().status == 400
    assert recorder.requests == []


def test_every_request_of_a_connection_is_looked_at(proxy, recorder):
    recorder.forget()
    address = proxy.config["listeners"][0]["bind"]
    with Http(address, "one.example") as one:
        assert one.ask("/1", host="one.example").status == 200
        one.send(request("/2", "uno.example") + request("/3", "two.example") + request("/4", "one.example"))
        assert one.response().status == 200
        assert one.response().status == 421
        assert one.wait_end() == b""
    assert [r.target for r in recorder.requests] == ["/1", "/2"]


def test_a_client_of_an_open_service_does_not_reach_a_closed_one(proxy, recorder, pki):
    """What all of this is for: no certificate on `one`, and the closed service's name in Host."""
    recorder.forget()
    for listener in range(4):
        denied(proxy, listener, "one.example", "closed.example")
    with Http(proxy.config["listeners"][3]["bind"], "closed.example", pki.client("good")) as one:
        assert one.ask("/").status == 200
    assert [r.host for r in recorder.requests] == ["closed.example"]
