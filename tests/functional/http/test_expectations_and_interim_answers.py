"""Expect: 100-continue (RFC 9110 10.1.1) and 1xx answers (15.2): the back end says whether to go on."""

import threading

import pytest

from lib import clients, procs
from lib.httpclient import Http, request
from lib.proxy import service
from lib.recorder import Recorder, answer

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
EXPECT = {"Expect": "100-continue"}


@pytest.fixture(scope="module")
def recorder():
    one = Recorder(lazy=True)
    yield one
    one.close()


@pytest.fixture(scope="module")
def address(proxies, pki, recorder):
    proxy = proxies(["127.0.0.1:%d" % procs.free_port()], [service("web", pki, recorder.address, "none", mode="http")], workers=1)
    return proxy.config["listeners"][0]["bind"]


def test_the_client_is_told_to_go_on_by_the_back_end_alone(address, recorder):
    gate = threading.Event()

    def script(r):
        assert r.value("Expect").lower() == "100-continue"
        gate.wait(procs.PATIENCE)
        r.connection.send(CONTINUE)
        return answer(b"".join(r.pieces(r.length)))
    recorder.script = script
    recorder.forget()
    for fields, body in (({"Content-Length": 5, **EXPECT}, b"hello"),
                         ({"Transfer-Encoding": "chunked", "expect": "100-CONTINUE"}, b"5\r\nhello\r\n0\r\n\r\n")):
        with Http(address, "web.example") as one:
            one.send(request("/", "web.example", "POST", fields=fields))
            recorder.wait_request(1)
            assert one.raw == b""
            gate.set()
            assert one.one().status == 100
            one.send(body)
            got = one.response()
            assert got.status == 200 and got.body == b"hello" and got.before == []
            # The connection is as good as before.
            recorder.script = lambda r: answer("after")
            assert one.ask("/").body == b"after"
        recorder.script = script


def test_a_back_end_that_does_not_want_the_body_says_so_at_once(address, recorder):
    recorder.script = lambda r: answer("no", "417 Expectation Failed")
    with Http(address, "web.example") as one:
        one.send(request("/", "web.example", "POST", fields={"Content-Length": 5, **EXPECT}))
        got = one.response()
        assert (got.status, got.body) == (417, b"no")
        # Whether the body comes all the same nobody can know: the connection ends (RFC 9110 10.1.1).
        assert got.value("Connection") == "close"
        assert one.wait_end() == b"" and one.end == "closed"


def test_a_body_that_comes_without_waiting_is_passed_on(address, recorder):
    def script(r):
        r.connection.send(CONTINUE)
        return answer(b"".join(r.pieces(r.length)))
    recorder.script = script
    with Http(address, "web.example") as one:
        one.send(request("/", "web.example", "POST", b"hello", EXPECT))
        got = one.response()
        assert got.body == b"hello" and [b.status for b in got.before] == [100]


@pytest.mark.parametrize("raw", [request("/", "web.example", "GET", None, EXPECT), request("/", "web.example", "POST", b"", EXPECT),
                                 request("/", "web.example", "POST", b"body", EXPECT, version="1.0")])
def test_an_expectation_without_content_or_in_http_1_0_is_not_passed_on(address, recorder, raw):
    recorder.script = lambda r: answer(b"".join(r.pieces(r.length)))
    with Http(address, "web.example") as one:
        one.send(raw)
        got = one.response()
        assert got.status == 200 and got.before == []
    assert "Expect" not in recorder.requests[-1]


def test_every_1xx_is_passed_on_before_its_answer(address, recorder):
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: keep-alive\r\n\r\n"
    recorder.script = lambda r: b"HTTP/1.1 102 Processing\r\n\r\n" + early + early + answer("at last")
    with Http(address, "web.example") as one:
        got = one.ask("/")
        assert [(b.status, b.fields) for b in got.before] == [(102, [])] + [(103, [("Link", "</a.css>; rel=preload")])] * 2
        assert got.body == b"at last"


def test_a_1xx_goes_on_while_the_answer_is_not_known(address, recorder):
    gate = threading.Event()

    def script(r):
        r.connection.send(b"HTTP/1.1 102 Processing\r\n\r\n")
        gate.wait(procs.PATIENCE)
        return answer("done")
    recorder.script = script
    with Http(address, "web.example") as one:
        one.send(request("/", "web.example"))
        assert one.one().status == 102
        gate.set()
        assert one.one().body == b"done"


def test_curl_waits_for_its_100_and_gets_it(address, recorder, folder):
    def script(r):
        r.connection.send(CONTINUE)
        return answer(str(sum(len(p) for p in r.pieces(r.length))))
    recorder.script = script
    (folder / "expected").write_bytes(b"x" * 2_000_000)
    got = clients.curl(address, "web.example", "-v", "-T", str(folder / "expected"), "-H", "Expect: 100-continue",
                       "--expect100-timeout", str(procs.PATIENCE), "/")
    assert got.stdout == b"2000000" and b"100 Continue" in got.stderr, got.stderr


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_answers_without_body_end_with_their_head(address, recorder, status):
    recorder.script = lambda r: f"HTTP/1.1 {status}\r\nETag: \"a\"\r\n\r\n".encode() if r.target == "/" else answer("after")
    recorder.forget()
    with Http(address, "web.example") as one:
        for _ in range(3):
            got = one.ask("/")
            assert got.status == int(status[:3]) and got.length is None and got.fields == [("ETag", '"a"')]
            assert one.ask("/after").body == b"after"
    assert recorder.opened <= 1


def test_head_gets_the_fields_of_the_answer_and_no_body(address, recorder):
    recorder.script = lambda r: answer("x" * 1000)[:-1000] if r.method == "HEAD" else answer("after")
    with Http(address, "web.example") as one:
        for _ in range(3):
            assert one.ask("/", method="HEAD").value("Content-Length") == "1000"
            assert one.ask("/after").body == b"after"


def test_a_body_behind_the_answer_to_head_never_becomes_an_answer(address, recorder):
    recorder.script = lambda r: answer("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged") if r.method == "HEAD" else answer("true")
    with Http(address, "web.example") as one:
        assert one.ask("/", method="HEAD").status == 200
        assert one.ask("/").body == b"true"
