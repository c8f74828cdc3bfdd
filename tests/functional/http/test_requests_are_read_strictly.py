"""Every shape of tests/data/http/requests.json through the real proxy: what is malformed gets its status and nothing of it goes on;
what is good arrives as an independent reader understands it (RFC 9112, RFC 9110)."""

import json
import re

import pytest

from lib import procs, vectors
from lib.httpclient import Http, request
from lib.proxy import service

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n"
VECTORS = vectors.read("requests.json")
# RFC 9110 7.6.1 and those of other sections that are of one hop, those that are written fresh, and what Connection may name.
NOT_PASSED_ON = {"host", "connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "content-length", "upgrade",
                 "http2-settings", "expect", "x-ssl-verify"}
OURS = {"host", "x-tls-event-id", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "via", "content-length",
        "transfer-encoding", "connection", "upgrade", "expect"}


@pytest.fixture(scope="module")
def address(proxies, pki, recorder):
    proxy = proxies(["127.0.0.1:%d" % procs.free_port()],
                    [service("any", pki, recorder.address, "none", mode="http", default=True, sni_host="off")])
    return proxy.config["listeners"][0]["bind"]


def refused(address, raw, status):
    """Sends it in two records, with a request behind it that nobody may see; says what is wrong, or None."""
    with Http(address, "any.example") as one:
        middle = len(raw) // 2
        one.send_what_is_taken(raw[:middle])
        one.send_what_is_taken(raw[middle:] + SMUGGLED)
        got = one.response()
        behind = one.wait_end()
    if got.status != status:
        return f"{got.status}, not {status}"
    if behind != b"" or one.end != "closed":
        return f"{behind!r} behind it, and the connection was {one.end}"
    if got.value("Connection") != "close" or got.value("Content-Type") != "application/problem+json":
        return f"{got.head!r}"
    # Who is refused learns an id, and nothing of the reason.
    if set(json.loads(got.body)) != {"type", "title", "status", "event_id"}:
        return f"{got.body!r}"
    return None


def test_whatever_is_malformed_is_refused_and_nothing_of_it_goes_on(address, recorder):
    recorder.forget()
    faults = []
    bad = [v for v in VECTORS if v["status"]]
    for vector in bad:
        what = refused(address, vector["raw"], vector["status"])
        if what:
            faults.append(f"{vector['name']}: {what}")
    assert not faults, "\n".join([f"{len(faults)}:"] + faults[:10])
    assert len(bad) > 300
    # Were anything on its way, it would be there before this.
    for _ in range(4):
        with Http(address, "any.example") as one:
            assert one.ask("/good").status == 200
    assert [r.target for r in recorder.requests] == ["/good"] * 4
    assert recorder.raw().count(b"\r\n\r\n") == 4
    recorder.check()


def parsed(raw):
    """What an independent reader makes of a good head: (method, path with query, host, fields, body or None)."""
    head, rest = raw.split(b"\r\n\r\n", 1)
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    if re.match("https?://", target, re.I):
        target = re.sub("^https?://[^/?]*", "", target, flags=re.I)
        if not target.startswith("/"):
            target = "*" if method == "OPTIONS" and not target else "/" + target
    fields = [(name, value.strip(" \t")) for name, value in (line.split(":", 1) for line in lines)]
    known = {name.lower(): value for name, value in fields}
    body = b""
    if "content-length" in known:
        body = rest[:int(known["content-length"])]
    elif "transfer-encoding" in known:
        body = re.fullmatch(rb"5\r\n(.{5})\r\n0\r\n\r\n", rest)[1]
    return method, target, known["host"], [f for f in fields if f[0].lower() not in NOT_PASSED_ON], known, body


def passed(address, recorder, vector):
    method, target, host, fields, known, body = parsed(vector["raw"])
    recorder.forget()
    with Http(address, "any.example") as one:
        one.send(vector["raw"])
        if known.get("content-length") == str(2 ** 63 - 1):
            recorder.wait(lambda r: any(b"Content-Length: %d\r\n" % (2 ** 63 - 1) in c.raw for c in r.connections), "its head")
            return
        assert one.response(method).status == 200
        if vector.get("rest", b"").startswith(b"GET"):
            assert one.response().body == b"GET /2 0\n"
        if "close" in vector and not vector["close"]:
            assert one.ask("/after").status == 200
        elif vector.get("close"):
            assert one.wait_end() == b"" and one.end == "closed"
    got = recorder.wait_request()
    assert (got.method, got.target, got.host) == (method, target, host)
    assert [f for f in got.fields if f[0].lower() not in OURS] == fields, got.fields
    assert got.body == body
    # RFC 9112 6.3: one framing, and the one that it came with; a length without what it may be written with.
    wanted = "chunked" if "transfer-encoding" in known else int(known["content-length"]) if "content-length" in known else None
    assert got.length == wanted
    if "framing" in vector:
        assert {"none": None, "length": 1, "chunked": "chunked"}[vector["framing"]] == (1 if isinstance(got.length, int) else got.length)


def test_whatever_is_good_arrives_as_it_is_understood(address, recorder):
    faults = []
    good = [v for v in VECTORS if not v["status"]]
    for vector in good:
        try:
            passed(address, recorder, vector)
        except (AssertionError, OSError) as e:
            faults.append(f"{vector['name']}: {type(e).__name__} {e}")
    assert not faults, "\n".join([f"{len(faults)}:"] + faults[:10])
    assert len(good) > 50
    recorder.check()


def test_a_head_that_comes_byte_by_byte_is_read_as_one(address, recorder):
    recorder.forget()
    with Http(address, "any.example") as one:
        for byte in request("/slowly", "any.example", "POST", b"body", {"A": "b"}):
            one.send(bytes([byte]))
        assert one.response().body == b"POST /slowly 4\n"
        for byte in b"GET /x HTTP/1.1\r\nHost: any.example\r\nA: b\n":
            one.send_what_is_taken(bytes([byte]))
        assert one.response().status == 400
    assert [r.target for r in recorder.requests] == ["/slowly"]


@pytest.mark.parametrize("bad", [b"GET / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                                 b"\r\nGET / HTTP/1.1\r\nHost: a.example\r\n\r\n", b"\0"])
def test_what_is_malformed_behind_a_good_request_ends_the_connection_after_its_answer(address, recorder, bad):
    recorder.forget()
    with Http(address, "any.example") as one:
        one.send(request("/1", "any.example") + bad + SMUGGLED)
        assert one.response().body == b"GET /1 0\n"
        assert one.response().status == 400
        assert one.wait_end() == b"" and one.end == "closed"
    assert [r.target for r in recorder.requests] == ["/1"]


def test_limits_are_the_ones_of_the_configuration(own_proxies, pki, recorder):
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()],
                        [service("any", pki, recorder.address, "none", mode="http")],
                        limits={"request_line": "256B", "head": "1KiB", "head_fields": 8})
    address = proxy.config["listeners"][0]["bind"]
    line = "/" + "a" * (256 - len("GET / HTTP/1.1"))
    recorder.forget()
    with Http(address, "any.example") as one:
        assert one.ask(line).status == 200
        head = request("/", "any.example", fields={"A": ""})
        assert one.ask("/", fields={"A": "b" * (1024 - len(head))}).status == 200
        assert one.ask("/", fields=[("A", "b")] * 7).status == 200
    for raw, status in ((request(line + "a", "any.example"), 414),
                        (request("/", "any.example", fields={"A": "b" * (1025 - len(head))}), 431),
                        (request("/", "any.example", fields=[("A", "b")] * 8), 431)):
        assert refused(address, raw, status) is None
    assert len(recorder.requests) == 3
