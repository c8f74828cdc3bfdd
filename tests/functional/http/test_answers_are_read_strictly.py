"""Every shape of tests/data/http/responses.json from a back end: a malformed answer gives 502 and not a byte of it goes on, a good one
arrives as an independent reader understands it, and the connection to the back end is used again only where that is safe."""

import json

import pytest

from lib import procs, vectors
from lib.httpclient import Http
from lib.message import Cut
from lib.proxy import service
from lib.recorder import answer

VECTORS = {v["name"]: v for v in vectors.read("responses.json")}
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "upgrade"}
REFUSED = {
    # It is well-formed, and nobody asked for it: see test_websocket.py.
    "101",
}


@pytest.fixture(scope="module")
def address(proxies, pki, recorder):
    # A back end that answers badly is taken out after some failures; not here, where it does nothing else.
    web = service("web", pki, {"servers": [recorder.address], "failures": 1000}, "none", mode="http")
    proxy = proxies(["127.0.0.1:%d" % procs.free_port()], [web], workers=1)
    return proxy.config["listeners"][0]["bind"]


def completed(vector):
    """What a back end sends, so that it is an answer; and whether it ends the connection behind it."""
    raw = vector["raw"]
    if vector["name"] == "100":
        raw += b"Content-Length: 0\r\n\r\n"
    elif vector["name"] == "103 with fields":
        raw += answer()
    return raw, vector.get("framing") == "until_close"


def is_bad_gateway(got):
    return got.status == 502 and set(json.loads(got.body)) == {"type", "title", "status", "event_id"} and \
        {name.lower() for name, _ in got.fields} <= {"date", "content-type", "content-length", "cache-control", "connection"}


def test_not_a_byte_of_a_malformed_answer_goes_on(address, recorder):
    bad = [v for v in VECTORS.values() if v["status"]]
    faults = []
    for vector in bad:
        recorder.script = lambda request, raw=vector["raw"]: raw
        recorder.forget()
        verb = vector.get("verb", "GET")
        with Http(address, "web.example") as one:
            got = one.ask("/", method=verb)
            whole = one.raw
            if verb != "HEAD" and not is_bad_gateway(got) or got.status != 502:
                faults.append(f"{vector['name']}: {whole!r}")
                continue
            # The client did nothing wrong: its connection stays. The one to the back end does not.
            recorder.script = lambda request: answer("well")
            again = one.ask("/again")
            if again.body != b"well":
                faults.append(f"{vector['name']}: then {again.head!r}")
            if recorder.opened < 1 or recorder.requests[-1].connection is recorder.requests[0].connection:
                faults.append(f"{vector['name']}: its connection was used again")
        if len(recorder.requests) != 2:
            faults.append(f"{vector['name']}: {[r.target for r in recorder.requests]}")
    assert not faults, "\n".join([f"{len(faults)}:"] + faults[:10])
    assert len(bad) > 70
    recorder.check()


def arrived(address, recorder, vector):
    raw, ends = completed(vector)
    verb = vector.get("verb", "GET")

    def script(request):
        if request.target == "/after":
            return answer("after")
        request.connection.send(raw)
        if ends:
            request.connection.peer.shutdown(2)
        return None
    recorder.script = script
    recorder.forget()
    with Http(address, "web.example") as one:
        got = one.ask("/", method=verb)
        lines = vector["raw"].split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        code = int(lines[0].split(" ")[1])
        if code < 200:
            assert [(b.status, b.fields) for b in got.before] == [(code, [tuple(l.split(": ")) for l in lines[1:]])]
            assert got.status == 200
        else:
            assert (got.status, got.reason) == (code, (lines[0].split(" ", 2) + [""])[2])
            fields = [(l.split(":")[0], l.split(":", 1)[1].strip(" \t")) for l in lines[1:]]
            assert [f for f in got.fields if f[0].lower() not in HOP_BY_HOP] == [f for f in fields if f[0].lower() not in HOP_BY_HOP]
            body = b"hello" if raw.endswith(b"hello") or b"\r\nhello\r\n" in raw else b""
            assert got.body == body
            framing = vector.get("framing", "length")
            wanted = {"length": len(body), "chunked": "chunked", "until_close": "chunked"}.get(framing)
            if framing == "none":  # RFC 9110 8.6: HEAD and 304 may tell the length of another answer
                wanted = 5 if "with length" in vector["name"] else None
            assert got.length == wanted, got.head
        # RFC 9112 9.3: what ends the back end's connection is nothing to the client's.
        assert "Connection" not in got
        assert one.ask("/after").body == b"after"
    reused = recorder.requests[0].connection is recorder.requests[1].connection
    assert reused is not (ends or vector.get("close", False)), f"reused: {reused}"


def test_a_good_answer_arrives_as_it_is_understood(address, recorder):
    faults = []
    good = [v for v in VECTORS.values() if not v["status"] and v["name"] not in REFUSED]
    for vector in good:
        try:
            arrived(address, recorder, vector)
        except (AssertionError, OSError) as e:
            faults.append(f"{vector['name']}: {type(e).__name__} {e}")
    assert not faults, "\n".join([f"{len(faults)}:"] + faults[:10])
    assert len(good) > 20


def test_an_answer_byte_by_byte_is_read_as_one(address, recorder):
    def script(request):
        for byte in b"HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" \
                    b"5\r\nhello\r\n0\r\nT: u\r\n\r\n":
            request.connection.send(bytes([byte]))
    recorder.script = script
    with Http(address, "web.example") as one:
        got = one.ask("/")
    assert [b.status for b in got.before] == [103]
    assert (got.body, got.trailers) == (b"hello", [("T", "u")])


@pytest.mark.parametrize("behind", [b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad", b"x", b"\r\n"])
def test_what_a_back_end_says_unasked_never_becomes_an_answer(address, recorder, behind):
    """RFC 9112 9.2: who answers twice is out of step, and what it says next would be somebody else's."""
    recorder.script = lambda request: answer("first") + behind if request.target == "/" else answer("second")
    recorder.forget()
    with Http(address, "web.example") as one:
        assert one.ask("/").body == b"first"
        assert one.ask("/second").body == b"second"
    assert recorder.requests[0].connection is not recorder.requests[1].connection


def test_an_answer_before_the_request_is_thrown_away(address, recorder):
    """What lies in a kept connection before a request goes out is not its answer."""
    recorder.script = lambda request: answer(request.target)
    recorder.forget()
    with Http(address, "web.example") as one:
        assert one.ask("/1").body == b"/1"
        recorder.requests[0].connection.send(answer("forged"))
        recorder.wait_connections_ended()
        for target in ("/2", "/3"):
            assert one.ask(target).body == target.encode()


@pytest.mark.parametrize("raw,reads", [
    (b"", 502), (b"HTTP/1.1 200", 502), (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", 502),
    (b"HTTP/1.1 100 Continue\r\n\r\n", 502), (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", "cut"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "cut"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", "cut"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX", "cut"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA : b\r\n\r\n", "cut")])
def test_an_answer_that_breaks_off_is_never_taken_for_the_whole(address, recorder, raw, reads):
    def script(request):
        request.connection.send(raw)
        request.connection.peer.shutdown(2)
    recorder.script = script
    with Http(address, "web.example") as one:
        one.send(b"POST / HTTP/1.1\r\nHost: web.example\r\nContent-Length: 0\r\n\r\n")
        if reads == 502:
            assert one.response().status == 502
            return
        got = one.head()
        if got is not None:  # the fault may show before anything of the answer went on
            assert got.status == 200
            with pytest.raises(Cut):
                got.read_body(got.length)
        assert one.end == "cut"


def test_an_answer_that_a_reset_breaks_off_is_never_taken_for_the_whole(address, recorder):
    """RFC 9112 8: until the connection closes, and a reset is no such end."""
    def script(request):
        request.connection.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        request.connection.receive()  # the test says when, so that the first bytes are read before
        request.connection.reset()
    recorder.script = script
    with Http(address, "web.example") as one:
        one.send(b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        got = one.head()
        pieces = got.pieces(got.length)
        assert next(pieces) == b"hello"
        recorder.requests[-1].connection.peer.shutdown(0)
        with pytest.raises(Cut):
            list(pieces)
        assert one.end == "cut"


def test_many_1xx_heads_are_no_answer(address, recorder):
    recorder.script = lambda request: b"HTTP/1.1 102 Processing\r\n\r\n" * 100000
    with Http(address, "web.example") as one:
        assert one.ask("/").status == 502


def test_an_http_1_0_client_sees_no_1xx_and_no_chunks(address, recorder):
    """RFC 9110 15.2, RFC 9112 7: it knows neither."""
    recorder.script = lambda request: b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" \
                                      b"Trailer: T\r\n\r\n5\r\nhello\r\n4\r\n you\r\n0\r\nT: u\r\n\r\n"
    with Http(address, "web.example") as one:
        one.send(b"GET / HTTP/1.0\r\nHost: web.example\r\n\r\n")
        got = one.one()
        assert got.status == 200 and got.body == b"hello you"
        assert "Transfer-Encoding" not in got and "Content-Length" not in got and got.value("Connection") == "close"
        assert one.end == "closed"


def test_an_http_1_0_client_sees_that_an_answer_broke_off(address, recorder):
    def script(request):
        request.connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        request.connection.peer.shutdown(2)
    recorder.script = script
    with Http(address, "web.example") as one:
        one.send(b"GET / HTTP/1.0\r\nHost: web.example\r\n\r\n")
        assert one.one().body == b"hello"
        assert one.end == "cut"


@pytest.mark.parametrize("limit", ["32KiB", "256KiB"])
def test_an_answer_with_the_longest_head_passes(own_proxies, pki, recorder, limit):
    longest = int(limit.removesuffix("KiB")) * 1024
    web = service("web", pki, recorder.address, "none", mode="http")
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [web], limits={"head": limit})
    empty = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: \r\n\r\n"
    recorder.script = lambda request: empty.replace(b"A: ", b"A: " + b"b" * int(request.target[1:])) + b"hello"
    with Http(proxy.config["listeners"][0]["bind"], "web.example") as one:
        got = one.ask(f"/{longest - len(empty)}")
        assert got.body == b"hello" and len(got.value("A")) == longest - len(empty)
        assert one.ask(f"/{longest - len(empty) + 1}").status == 502
