"""`requests: all` means all: also those that somebody cut off, and none that could not be recorded."""

import pytest

from lib import fault, procs
from lib.httpclient import Http, request
from lib.proxy import service
from lib.recorder import Recorder, answer


def script(one):
    if one.target == "/broken":
        one.connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        one.connection.reset()
    elif one.target == "/bad":
        return b"HTTP/1.1 2000 OK\r\n\r\n"
    elif one.target not in ("/never", "/upload"):
        return answer("fine")
    return None


@pytest.fixture(scope="module")
def recorder():
    one = Recorder(script)
    yield one
    one.close()


@pytest.fixture(scope="module")
def proxy(proxies, pki, recorder):
    yield proxies(["127.0.0.1:%d" % procs.free_port()],
                  [service("web", pki, recorder.address, "none", mode="http", requests="all")], workers=1)


@pytest.fixture
def address(proxy):
    return proxy.config["listeners"][0]["bind"]


def event_of(proxy, path):
    got = proxy.wait_action("request", 1, lambda e: e["url"]["path"] == path)
    assert len(got) == 1
    return got[0]


def test_one_whose_client_goes_away_is_on_record(proxy, address, recorder):
    with Http(address, "web.example") as one:
        one.send(request("/never", "web.example"))
        recorder.wait_request()
    event = event_of(proxy, "/never")
    assert event["event"]["outcome"] == "unknown" and "response" not in event["http"]


def test_one_whose_body_was_cut_off_is_on_record(proxy, address, recorder):
    recorder.forget()
    with Http(address, "web.example") as one:
        one.send(request("/upload", "web.example", "POST", fields={"Content-Length": 100}) + b"x" * 40)
        recorder.wait(lambda r: b"x" * 40 in r.raw(), "waited for a part of the body")
    assert event_of(proxy, "/upload")["http"]["request"]["body"]["bytes"] == 40


def test_one_whose_answer_was_cut_off_is_on_record(proxy, address, recorder):
    with Http(address, "web.example") as one:
        one.send(request("/broken", "web.example"))
        one.wait_end()
        assert one.end == "cut"
    event = event_of(proxy, "/broken")
    assert event["http"]["response"]["status_code"] == 200
    assert event["event"]["outcome"] == "unknown" and event["message"].endswith(" was answered with 200, which broke off")
    assert event["server"]["address"] == recorder.address


def test_our_own_answer_names_the_back_end_that_failed(proxy, address, recorder):
    with Http(address, "web.example") as one:
        assert one.ask("/bad").status == 502
    event = event_of(proxy, "/bad")
    assert event["http"]["response"]["status_code"] == 502
    assert event["server"]["address"] == recorder.address


def test_one_that_is_refused_in_its_body_is_told_by_its_path(proxy, address, recorder):
    with Http(address, "web.example") as one:
        one.send(request("/chunks", "web.example", "POST", fields={"Transfer-Encoding": "chunked"}) + b"3\r\nabc\r\n")
        one.send_what_is_taken(b"x\r\n")
        assert one.response().status == 400
    event, = proxy.wait_action("request-denied", 1, lambda e: e["url"].get("path") == "/chunks")
    assert event["http"]["request"]["method"] == "POST" and event["http"]["request"]["body"]["bytes"] == 3


def test_what_cannot_be_recorded_is_not_passed_on(proxy, address, recorder, tmp_path):
    with Http(address, "web.example") as one, Http(address, "web.example") as other:
        assert one.ask("/before").status == 200
        assert other.ask("/before").status == 200
        with fault.Injection(proxy.pid, "fdatasync,fsync,pwrite64,pwritev:error=EIO", tmp_path):
            assert one.ask("/notices").status == 200
            proxy.wait_log("the journal cannot be written")
            recorder.forget()
            got = other.ask("/unrecorded")
            assert got.status == 503 and got.value("Connection") == "close"
            assert recorder.requests == []

        def served():
            try:
                with Http(address, "web.example") as again:
                    return again.ask("/after").status == 200
            except OSError:
                return False
        procs.wait_for(served, "a client that is served again", pause=0.2)
    proxy.wait_action("request", 1, lambda e: e["url"]["path"] == "/notices")
