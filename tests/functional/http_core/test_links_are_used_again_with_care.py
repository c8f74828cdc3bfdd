"""A connection to a back end serves many clients, so nothing of one client's request may still be on its way when the next one gets it."""

import array
import fcntl
import socket
import termios
import threading

from lib import procs
from lib.backends import Server
from lib.httpclient import Http, request
from lib.proxy import service

EARLY = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n"
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def waiting(peer):
    got = array.array("i", [0])
    fcntl.ioctl(peer, termios.FIONREAD, got)
    return got[0]


def read_head(peer):
    got = b""
    while not got.endswith(b"\r\n\r\n"):
        byte = peer.recv(1)
        if not byte:
            break
        got += byte
    return got


class Hasty:
    """Reads heads. /measure waits until no more comes and tells how much the socket takes; /early is answered, once it may be, while its
    body stands in the socket, which is read when that may be; others are just answered."""

    def __init__(self, path):
        self.may_answer, self.may_read = threading.Event(), threading.Event()
        self.server = Server(self.handle, f"unix:{path}")
        self.address = self.server.address

    def handle(self, peer, server):
        got = b""
        while True:
            head = read_head(peer)
            if not head:
                break
            got += head
            if head.startswith(b"POST /measure"):
                last = []

                def still():
                    last.append(waiting(peer))
                    return len(last) > 20 and last[-20] == last[-1] > 0
                procs.wait_for(still, "a full socket", pause=0.02)
                server.note(last[-1])
                return
            if head.startswith(b"POST /early"):
                assert self.may_answer.wait(procs.PATIENCE)
                procs.wait_for(lambda: waiting(peer) == server.seen[0], "a full socket")
                peer.sendall(EARLY)
                assert self.may_read.wait(procs.PATIENCE)
                while True:
                    try:
                        data = peer.recv(65536)
                    except ConnectionError:
                        data = b""
                    if not data:
                        break
                    got += data
                break
            server.note("another")
            peer.sendall(FINE)
        server.note(got)


def test_a_link_that_still_waits_for_a_body_serves_nobody_else(proxies, pki, folder):
    hasty = Hasty(folder / "hasty.sock")
    address = proxies(["127.0.0.1:%d" % procs.free_port()], [service("web", pki, hasty.address, "none", mode="http")],
                      workers=1).config["listeners"][0]["bind"]
    record = b"x" * 16384
    with Http(address, "web.example") as one:
        one.send(request("/measure", "web.example", "POST", fields={"Content-Length": 1 << 30}))
        while not hasty.server.seen:
            one.socket.settimeout(0.2)
            try:
                one.socket.send(record)
            except (socket.timeout, OSError):
                pass
    takes = hasty.server.wait_note(1)[0]

    # A last record that does not fit any more: all of the body is read from the client, and not all of it gone to the back end.
    size = takes + 5000
    with Http(address, "web.example") as one:
        one.send(request("/early", "web.example", "POST", fields={"Content-Length": size}))
        left = size
        while left > 0:
            one.send(record[:left])
            left -= len(record[:left])
        hasty.may_answer.set()
        assert one.response().status == 413
        with Http(address, "web.example") as other:
            other.send(request("/next", "web.example"))
            hasty.server.wait_note(1 + 1)  # by a connection of its own
            assert other.response().status == 200
        hasty.may_read.set()
    first = [note for note in hasty.server.wait_note(3) if isinstance(note, bytes) and note.startswith(b"POST /early")]
    assert len(first) == 1 and b"GET /next" not in first[0]
    hasty.server.close()
