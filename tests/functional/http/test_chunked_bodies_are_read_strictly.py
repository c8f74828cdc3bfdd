"""Every shape of tests/data/http/chunked.json as the body of a request and of an answer (RFC 9112 7.1): what is malformed never makes a
whole message on the other side, and what is good is framed anew."""

import pytest

from lib import message, procs, vectors
from lib.httpclient import Http, chunks, request
from lib.proxy import service
from lib.recorder import answer

VECTORS = vectors.read("chunked.json")
HEAD = b"POST /body HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: web.example\r\n\r\n"


@pytest.fixture(scope="module")
def address(proxies, pki, recorder):
    web = service("web", pki, {"servers": [recorder.address], "failures": 1000}, "none", mode="http")
    # The limits that the vectors are made for.
    proxy = proxies(["127.0.0.1:%d" % procs.free_port()], [web], workers=1, limits={"head": "4KiB", "request_line": "1KiB"})
    return proxy.config["listeners"][0]["bind"]


@pytest.mark.parametrize("pause", [False, True], ids=["with its head", "behind its head"])
def test_a_malformed_body_of_a_request_never_arrives_whole(address, recorder, pause):
    recorder.script = lambda r: answer(r.target)
    faults = []
    bad = [v for v in VECTORS if v["status"]]
    for vector in bad:
        recorder.forget()
        with Http(address, "web.example") as one:
            if pause:
                one.send(HEAD)
                recorder.wait(lambda r: r.raw().endswith(b"\r\n\r\n"), "its head")
                one.send_what_is_taken(vector["raw"] + SMUGGLED)
            else:
                one.send_what_is_taken(HEAD + vector["raw"] + SMUGGLED)
            got = one.response()
            behind = one.wait_end()
            if (got.status, behind, one.end) != (400, b"", "closed"):
                faults.append(f"{vector['name']}: {got.head!r} {behind!r} {one.end}")
        recorder.wait_connections_ended()
        if recorder.requests:
            faults.append(f"{vector['name']}: {recorder.raw()!r}")
    assert not faults, "\n".join([f"{len(faults)}:"] + faults[:10])
    assert len(bad) > 70
    recorder.check()


def test_a_good_body_of_a_request_arrives_framed_anew_and_without_its_trailer(address, recorder):
    """RFC 9110 6.5.1: a trailer field that is merged into the head would be one that nobody looked at."""
    recorder.script = lambda r: answer(r.target)
    good = [v for v in VECTORS if not v["status"]]
    for vector in good:
        recorder.forget()
        with Http(address, "web.example") as one:
            one.send(HEAD + vector["raw"])
            assert one.response().body == b"/body", vector["name"]
            if vector.get("rest"):
                one.send(b"Host: web.example\r\n\r\n")
            else:
                one.send(request("/", "web.example"))
            assert one.response().body == b"/", vector["name"]
        got = recorder.requests[0]
        assert got.length == "chunked" and got.trailers == [] and "Trailer" not in got, vector["name"]
        if "body" in vector:
            assert got.body == vector["body"], vector["name"]
        # Nobody's extensions go on (RFC 9112 7.1.1): message.py would not have read them.
    assert len(good) > 15
    recorder.check()


def test_a_trailer_that_is_announced_is_not_announced_to_the_back_end(address, recorder):
    recorder.script = lambda r: answer(r.target)
    recorder.forget()
    with Http(address, "web.example") as one:
        one.send(HEAD.replace(b"\r\n\r\n", b"\r\nTrailer: X-SSL-Verify\r\nTE: trailers\r\n\r\n") +
                 chunks(b"hello", trailer="X-SSL-Verify: 0\r\n"))
        assert one.response().status == 200
    assert b"X-SSL-Verify" not in recorder.raw() and "TE" not in recorder.requests[0]


def test_a_malformed_body_of_an_answer_never_arrives_whole(address, recorder):
    faults = []
    bad = [v for v in VECTORS if v["status"]]
    for vector in bad:
        def script(r, raw=vector["raw"]):
            r.connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n")
            r.connection.receive()  # until it is said that the head has arrived
            r.connection.send(raw + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        recorder.script = script
        recorder.forget()
        with Http(address, "web.example") as one:
            one.send(request("/", "web.example"))
            got = one.head()
            pieces = got.pieces(got.length)
            assert next(pieces) == b"bad"
            recorder.requests[0].connection.peer.shutdown(0)
            try:
                rest = list(pieces)
                faults.append(f"{vector['name']}: {rest!r}")
            except message.Cut:
                if one.end != "cut":
                    faults.append(f"{vector['name']}: {one.end}")
    assert not faults, "\n".join([f"{len(faults)}:"] + faults[:10])


def test_a_good_body_of_an_answer_arrives_framed_anew_with_what_of_its_trailer_is_allowed(address, recorder):
    for vector in [v for v in VECTORS if not v["status"]]:
        recorder.script = lambda r, raw=vector["raw"]: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + raw
        recorder.forget()
        with Http(address, "web.example") as one:
            got = one.ask("/")
            assert got.length == "chunked", vector["name"]
            if "body" in vector:
                assert got.body == vector["body"], vector["name"]
            lines = vector["raw"].split(b"0\r\n", 1)[1].decode("latin-1").split("\r\n") if "fields" in vector else []
            sent = [tuple(line.split(": ", 1)) for line in lines if ": " in line]
            # RFC 9110 6.5.1: no framing, no routing.
            assert got.trailers == [f for f in sent if f[0].lower() not in ("host", "content-length", "transfer-encoding")], vector["name"]
            recorder.script = lambda r: answer("after")
            assert one.ask("/after").body == b"after", vector["name"]


def test_a_trailer_of_an_answer_is_bounded(address, recorder):
    for trailer, passes in (("A: b\r\n" * 100, True), ("A: b\r\n" * 101, False), ("A: " + "b" * 4096 + "\r\n", False)):
        recorder.script = lambda r, t=trailer: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(b"x", trailer=t)
        with Http(address, "web.example") as one:
            one.send(request("/", "web.example"))
            if passes:
                assert len(one.one().trailers) == 100
            else:
                try:
                    got = one.one()
                    assert got is None or got.status == 502, got.trailers
                except message.Cut:
                    pass


def test_many_small_chunks_stay_many_bytes_apart_from_their_framing(address, recorder):
    """Each byte in a chunk of its own, in both directions."""
    size = 20000
    recorder.script = lambda r: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(*[r.body[i:i + 1] for i in range(size)])
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    with Http(address, "web.example") as one:
        one.send(HEAD + chunks(*[body[i:i + 1] for i in range(size)]))
        got = one.response()
    assert got.body == body and recorder.requests[-1].body == body
    assert got.trailers == []
