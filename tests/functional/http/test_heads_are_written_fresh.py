"""What belongs to one hop stays there (RFC 9110 7.6.1), and what the proxy says of the client nobody else can say."""

import pytest

from lib import procs
from lib.httpclient import Http
from lib.proxy import service
from lib.recorder import answer

SPOOFED = ["X-Forwarded-For", "x-forwarded-for", "X_Forwarded_For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port",
           "X-Forwarded-Server", "X-Forwarded-Prefix", "x_forwarded-Anything", "X-Real-IP", "X_REAL_IP", "Forwarded", "FORWARDED"]


@pytest.fixture(scope="module")
def proxy(proxies, pki, recorder):
    back = recorder.address
    return proxies(
        ["127.0.0.1:%d" % procs.free_port(), "[::1]:%d" % procs.free_port()],
        [service("plain", pki, back, "none", mode="http"), service("rfc", pki, back, "none", mode="http", forwarded="rfc7239"),
         service("bare", pki, back, "none", mode="http", forwarded="none"),
         service("named", pki, {"servers": [back], "host": "inner.example:8080"}, "none", mode="http"),
         service("id", pki, back, "none", mode="http", event_id_header="X-Record")], workers=1)


@pytest.fixture
def ask(proxy, recorder):
    """Gives the request that the back end got, the answer and the client's own address."""
    def do(name, fields=(), listener=0, **more):
        recorder.forget()
        with Http(proxy.config["listeners"][listener]["bind"], f"{name}.example") as one:
            got = one.ask(more.pop("target", "/"), fields=fields, **more)
            recorder.check()
            return recorder.requests[-1], got, one.local
    recorder.script = lambda r: answer(r.target)
    return do


def test_fields_of_the_hop_do_not_pass(ask):
    fields = [("Connection", "keep-alive, x-mine"), ("Keep-Alive", "timeout=5"), ("Proxy-Connection", "keep-alive"), ("TE", "trailers"),
              ("Proxy-Authorization", "Basic eDp5"), ("Proxy-Authenticate", "Basic"), ("Trailer", "T"), ("Upgrade", "h2c"),
              ("HTTP2-Settings", "AAMAAABkAAQAAP__"), ("X-Mine", "a"), ("X-MINE", "b"), ("x_mine", "stays: another name"), ("A", "b")]
    got, _, _ = ask("plain", fields)
    left = [f for f in got.fields if f[0].lower() not in ("host", "x-tls-event-id", "via") and not f[0].startswith("X-Forwarded-")]
    assert left == [("x_mine", "stays: another name"), ("A", "b")]


def test_what_connection_names_does_not_pass_in_whatever_case_and_however_often(ask):
    got, _, _ = ask("plain", [("A", "1"), ("Connection", "close-not,,B , a"), ("b", "2"), ("connection", "C,"), ("c", "3"), ("D", "4"),
                              ("B", "5")])
    assert [name for name in ("A", "B", "C", "D") if name in got] == ["D"]


@pytest.mark.parametrize("named", ["Host", "X-TLS-Event-Id", "X-Forwarded-For", "X-Forwarded-Proto", "Via", "Content-Length"])
def test_connection_cannot_name_what_is_ours(ask, named):
    """A client that could have ours removed would be somebody without a name (CVE-2022-31813)."""
    got, reply, local = ask("plain", [("Connection", f"{named}, close")], method="POST", body=b"body")
    assert got.host == "plain.example" and got.body == b"body" and got.length == 4
    assert got.value("X-Forwarded-For") == local.rsplit(":", 1)[0] and got.value("X-Forwarded-Proto") == "https"
    assert got.value("X-TLS-Event-Id") and got.value("Via") == "1.1 tlscribe"
    assert reply.body == b"/"


def test_connection_cannot_name_a_field_of_the_framing_of_a_chunked_body(proxy, recorder):
    recorder.script = lambda r: answer(r.body)
    with Http(proxy.config["listeners"][0]["bind"], "plain.example") as one:
        one.send(b"POST / HTTP/1.1\r\nHost: plain.example\r\nConnection: Transfer-Encoding, Host\r\nTransfer-Encoding: chunked\r\n\r\n"
                 b"5\r\nhello\r\n0\r\n\r\n")
        assert one.response().body == b"hello"
    recorder.check()


def test_who_the_client_is_is_written_by_us_alone(ask, proxy):
    spoofed = [(name, "for=192.0.2.66") for name in SPOOFED]
    got, _, local = ask("plain", spoofed + [("Connection", ", ".join(SPOOFED))])
    host, port = local.rsplit(":", 1)
    assert [f for f in got.fields if f[0].lower().replace("_", "-").startswith(("x-forwarded", "forwarded", "x-real"))] == [
        ("X-Forwarded-For", host), ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Port", proxy.config["listeners"][0]["bind"].rsplit(":", 1)[1]), ("X-Forwarded-Host", "plain.example")]
    assert port.isdigit() and b"192.0.2.66" not in got.head


def test_forwarded_is_written_as_the_standard_says(ask):
    """RFC 7239 4 and 6: an IPv6 address in brackets and quotes."""
    spoofed = [(name, "for=192.0.2.66") for name in SPOOFED]
    got, _, local = ask("rfc", spoofed)
    assert got.value("Forwarded") == f'for={local.rsplit(":", 1)[0]};proto=https;host="rfc.example"'
    got, _, _ = ask("rfc", spoofed, listener=1)
    assert got.value("Forwarded") == 'for="[::1]";proto=https;host="rfc.example"'
    assert not [n for n, _ in got.fields if n.lower().startswith("x-forwarded")]


def test_nothing_is_forwarded_where_nothing_is_wanted(ask):
    got, _, _ = ask("bare", [(name, "for=192.0.2.66") for name in SPOOFED])
    assert not [n for n, _ in got.fields if "forwarded" in n.lower() or "real" in n.lower()]


def test_host_is_kept_or_set(ask):
    assert ask("plain", host="PLAIN.Example:8443")[0].host == "PLAIN.Example:8443"
    got, _, _ = ask("named", host="named.example:8443")
    assert got.host == "inner.example:8080" and got.value("X-Forwarded-Host") == "named.example:8443"


def test_absolute_form_becomes_origin_form(ask):
    """RFC 9112 3.2.1: nobody behind us has to choose between target and Host."""
    got, _, _ = ask("plain", target="http://plain.example/a?b=c")
    assert (got.target, got.host) == ("/a?b=c", "plain.example")


def test_via_tells_of_every_hop(ask, proxy, recorder):
    """RFC 9110 7.6.3: others' stay, ours comes last, with the version that the client spoke."""
    got, _, _ = ask("plain", [("Via", "1.1 before"), ("via", "1.0 other")])
    assert got.values("Via") == ["1.1 before", "1.0 other", "1.1 tlscribe"]
    with Http(proxy.config["listeners"][0]["bind"], "plain.example") as one:
        one.send(b"GET / HTTP/1.0\r\nHost: plain.example\r\n\r\n")
        one.response()
    assert recorder.requests[-1].values("Via") == ["1.0 tlscribe"]


def test_the_id_of_the_handshake_goes_along_and_cannot_be_forged(ask, proxy):
    spoofed = [("X-TLS-Event-Id", "mine"), ("x_tls_event_id", "mine"), ("X-Record", "mine"), ("x_record", "mine")]
    for name, header in (("plain", "X-TLS-Event-Id"), ("id", "X-Record")):
        got, _, local = ask(name, spoofed)
        assert got.value(header) == proxy.event_of(local)["event"]["id"]
        assert b"mine" not in got.head


def test_fields_of_the_back_ends_hop_do_not_pass(ask, recorder):
    recorder.script = lambda r: answer("x", Connection="keep-alive, x-inner", Keep_Alive="timeout=5", Proxy_Connection="keep-alive",
                                       X_Inner="a", Upgrade="h2c", Server="inner", Trailer="T", Via="1.1 cache", Proxy_Authenticate="Basic")
    _, got, _ = ask("plain")
    assert got.fields == [("Server", "inner"), ("Trailer", "T"), ("Via", "1.1 cache"), ("Content-Length", "1")]


def test_two_answers_with_the_same_fields_keep_their_order(ask, recorder):
    recorder.script = lambda r: b"HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nX: y\r\nset-cookie: b\r\nContent-Length: 0\r\n\r\n"
    _, got, _ = ask("plain")
    assert got.fields == [("Set-Cookie", "a"), ("X", "y"), ("set-cookie", "b"), ("Content-Length", "0")]
