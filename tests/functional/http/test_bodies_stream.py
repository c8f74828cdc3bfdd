"""Bodies in both directions: any size, any framing, never more in memory than a record or two, and nobody reads faster than the other side
takes it."""

import hashlib
import socket
import threading

import pytest

from lib import backends, clients, procs
from lib.httpclient import Http, chunks, request
from lib.proxy import sanitized, service
from lib.recorder import Recorder, answer

LARGE = 200 * 1024 * 1024
BLOCK = backends.pattern(1024 * 1024)


def digest_of(request):
    """Reads the body as it comes; answers with its size and hash."""
    total, digest = 0, hashlib.sha256()
    for piece in request.pieces(request.length):
        total += len(piece)
        digest.update(piece)
    return answer(f"{total} {digest.hexdigest()}")


def sizes(request):
    """/chunked/N, /length/N, /close/N: so many bytes in that framing."""
    list(request.pieces(request.length))
    _, framing, size = request.target.split("/")
    size, send = int(size), request.connection.send
    head = {"chunked": "Transfer-Encoding: chunked\r\n", "length": f"Content-Length: {size}\r\n", "close": ""}[framing]
    send(f"HTTP/1.1 200 OK\r\n{head}\r\n".encode())
    while size > 0:
        block = BLOCK[:size]
        send(b"%x\r\n%s\r\n" % (len(block), block) if framing == "chunked" else block)
        size -= len(block)
    if framing == "chunked":
        send(b"0\r\n\r\n")
    if framing == "close":
        request.connection.peer.shutdown(socket.SHUT_WR)


@pytest.fixture(scope="module")
def recorder():
    one = Recorder(lazy=True)
    yield one
    one.close()


@pytest.fixture(scope="module")
def proxy(proxies, pki, recorder):
    yield proxies(["127.0.0.1:%d" % procs.free_port()], [service("web", pki, recorder.address, "none", mode="http")], workers=1)


@pytest.fixture
def address(proxy):
    return proxy.config["listeners"][0]["bind"]


class Peak:
    """The most resident memory of a process while something happens."""

    def __init__(self, pid):
        self.pid, self.before, self.most = pid, procs.rss(pid), 0
        self.over = threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def run(self):
        while not self.over.wait(0.02):
            self.most = max(self.most, procs.rss(self.pid))

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def check(self, bound):
        if not sanitized():
            assert self.most - self.before < bound, f"{self.before} grew to {self.most} bytes"


def send_blocks(one, size, chunked):
    """In a thread: the body of a request."""
    while size > 0:
        block = BLOCK[:size]
        one.send(b"%x\r\n%s\r\n" % (len(block), block) if chunked else block)
        size -= len(block)
    if chunked:
        one.send(b"0\r\n\r\n")


def expected(size):
    digest = hashlib.sha256()
    for _ in range(size // len(BLOCK)):
        digest.update(BLOCK)
    digest.update(BLOCK[:size % len(BLOCK)])
    return digest.hexdigest()


def test_bodies_of_every_size_arrive_as_sent(address, recorder):
    with Http(address, "web.example") as one:
        for size in (0, 1, 2, 15, 16, 4095, 4096, 16383, 16384, 16385, 32768, 65535, 65536, 65537, 1000000):
            recorder.script = digest_of
            body = BLOCK[:size]
            wanted = f"{size} {hashlib.sha256(body).hexdigest()}".encode()
            assert one.ask("/", method="POST", body=body).body == wanted
            one.send(request("/", "web.example", "PUT", fields={"Transfer-Encoding": "chunked"}) +
                     (chunks(body[:size // 3], body[size // 3:]) if size > 2 else chunks(*[body] if body else [])))
            assert one.response().body == wanted
            recorder.script = sizes
            for framing in ("length", "chunked", "close"):
                assert one.ask(f"/{framing}/{size}").body == body, (framing, size)
    recorder.check()


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_large_upload_takes_no_memory(proxy, address, recorder, framing):
    recorder.script = digest_of
    with Http(address, "web.example") as one:
        fields = {"Transfer-Encoding": "chunked"} if framing == "chunked" else {"Content-Length": LARGE}
        with Peak(proxy.pid) as peak:
            one.send(request("/", "web.example", "POST", fields=fields))
            send_blocks(one, LARGE, framing == "chunked")
            assert one.response().body == f"{LARGE} {expected(LARGE)}".encode()
        peak.check(8 * 1024 * 1024)


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_a_large_answer_takes_no_memory(proxy, address, recorder, framing):
    recorder.script = sizes
    with Http(address, "web.example") as one:
        with Peak(proxy.pid) as peak:
            one.send(request(f"/{framing}/{LARGE}", "web.example"))
            got = one.head()
            total, digest = 0, hashlib.sha256()
            for piece in got.pieces(got.length):
                total += len(piece)
                digest.update(piece)
            assert (total, digest.hexdigest()) == (LARGE, expected(LARGE))
        peak.check(8 * 1024 * 1024)


def settle(read):
    """The value that `read` has come to a stop at."""
    last = [None, 0]

    def same():
        now = read()
        last[1] = last[1] + 1 if now == last[0] and now > 0 else 0
        last[0] = now
        return last[1] >= 5
    procs.wait_for(same, lambda: f"a standstill; it is at {last[0]}", pause=0.1)
    return last[0]


def test_a_client_that_does_not_read_stops_the_back_end(proxy, address, recorder):
    sent = [0]

    def script(r):
        r.connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n".encode())
        for _ in range(LARGE // len(BLOCK)):
            r.connection.send(BLOCK)
            sent[0] += len(BLOCK)
    recorder.script = script
    with Http(address, "web.example") as one, Peak(proxy.pid) as peak:
        one.send(request("/", "web.example"))
        assert settle(lambda: sent[0]) < LARGE // 2
        got = one.head()
        assert sum(len(p) for p in got.pieces(got.length)) == LARGE
    peak.check(8 * 1024 * 1024)


def test_a_back_end_that_does_not_read_stops_the_client(proxy, address, recorder):
    gate = threading.Event()

    def script(r):
        gate.wait(procs.PATIENCE * 2)
        return digest_of(r)
    recorder.script = script
    sent = [0]
    with Http(address, "web.example", patience=procs.PATIENCE * 3) as one, Peak(proxy.pid) as peak:
        one.send(request("/", "web.example", "POST", fields={"Content-Length": LARGE}))

        def upload():
            for _ in range(LARGE // len(BLOCK)):
                one.send(BLOCK)
                sent[0] += len(BLOCK)
        sender = threading.Thread(target=upload)
        sender.start()
        try:
            assert settle(lambda: sent[0]) < LARGE // 2
            with Http(address, "web.example") as other:  # nobody else has to wait for it
                recorder.script = lambda r: answer("served")
                assert other.ask("/").body == b"served"
        finally:
            gate.set()
            sender.join()
        assert one.response().body == f"{LARGE} {expected(LARGE)}".encode()
    peak.check(8 * 1024 * 1024)


def test_both_directions_stream_at_a_time(address, recorder):
    """An answer may begin before the request is over; here each piece comes back before the next one is sent."""
    def script(r):
        r.connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in r.pieces(r.length):
            r.connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        r.connection.send(b"0\r\n\r\n")
    recorder.script = script
    with Http(address, "web.example") as one:
        one.send(request("/", "web.example", "POST", fields={"Transfer-Encoding": "chunked"}))
        got = one.head()
        pieces = got.pieces(got.length)
        for i in range(100):
            text = b"piece %d" % i
            one.send(b"%x\r\n%s\r\n" % (len(text), text))
            back = b""
            while len(back) < len(text):
                back += next(pieces)
            assert back == text
        one.send(b"0\r\n\r\n")
        assert list(pieces) == []


def test_an_answer_before_the_end_of_an_upload_arrives_and_ends_the_connection(address, recorder):
    recorder.script = lambda r: answer("enough", "413 Content Too Large")
    for fields in ({"Content-Length": LARGE}, {"Transfer-Encoding": "chunked"}):
        with Http(address, "web.example") as one:
            one.send(request("/", "web.example", "POST", fields=fields))
            sender = threading.Thread(target=lambda one=one: one.send_what_is_taken(b"100000\r\n" + BLOCK + b"\r\n"))
            sender.start()
            got = one.response()
            sender.join()
            assert (got.status, got.body, got.value("Connection")) == (413, b"enough", "close")
            assert one.wait_end() == b"" and one.end == "closed"


def test_a_request_that_its_client_breaks_off_never_arrives_whole(address, recorder):
    recorder.script = digest_of
    recorder.forget()
    for raw in (request("/", "web.example", "POST", fields={"Content-Length": 1000}) + b"x" * 999,
                request("/", "web.example", "POST", fields={"Transfer-Encoding": "chunked"}) + b"5\r\nhello\r\n0\r\n"):
        for proper in (False, True):
            one = Http(address, "web.example")
            one.send(raw)
            recorder.wait(lambda r: r.requests, "the head")
            if proper:
                one.end_side()
            one.close()
            recorder.wait_connections_ended()
            assert all(c.cut for c in recorder.connections), recorder.raw()[-100:]
            recorder.forget()


def test_real_clients_move_files_to_and_from_a_real_server(own_proxies, pki, nginx, folder):
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("web", pki, nginx.address, mode="http")])
    address = proxy.config["listeners"][0]["bind"]
    content = backends.pattern(3 * 1024 * 1024 + 17)
    (folder / "upload").write_bytes(content)
    for options in ([], ["-H", "Transfer-Encoding: chunked"]):
        got = clients.curl(address, "web.example", "-T", str(folder / "upload"), *options, "/streamed", client=pki.client("good"))
        assert got.returncode == 0, got.stderr
        assert (nginx.root / "streamed").read_bytes() == content
        got = clients.curl(address, "web.example", "/streamed", client=pki.client("good"))
        assert got.stdout == content
        (nginx.root / "streamed").unlink()
