"""A back end that keeps the exact bytes it got, reads them strictly, and answers by script."""

import socket
import threading

from lib import message, procs
from lib.backends import Server

RAW_MAX = 1024 * 1024


def answer(body=b"", status="200 OK", **fields):
    """A response with Content-Length; `_` in the name of a field stands for `-`."""
    body = body if isinstance(body, bytes) else body.encode()
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body


def reflect(request):
    """Says which request it answers."""
    got = answer(f"{request.method} {request.target} {len(request.body or b'')}\n", X_Host=request.host)
    return got[:got.index(b"\r\n\r\n") + 4] if request.method == "HEAD" else got


class Connection:
    """One connection of the proxy. `raw` is what came since forget(), the first MiB of it."""

    def __init__(self, peer, lock):
        self.peer, self.lock, self.raw, self.requests, self.ended = peer, lock, b"", [], False
        self.cut = False  # it ended in the middle of a request
        if peer.family == socket.AF_INET:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def receive(self):
        try:
            got = self.peer.recv(65536)
        except ConnectionError:
            got = b""
        with self.lock:
            if len(self.raw) < RAW_MAX:
                self.raw += got
            self.lock.notify_all()
        return got

    def send(self, data):
        self.peer.sendall(data)

    def reset(self):
        """Ends at once, with RST."""
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.peer.close()


class Recorder:
    """`script(request)` is called for every request, in the thread of its connection, and gives bytes to send, or None: it has done
    itself what is to be done, by request.connection. With `lazy`, the body is not read before: request.pieces(request.length) does.
    Closing the connection in the script ends it."""

    def __init__(self, script=reflect, lazy=False, address=None):
        self.script, self.lazy = script, lazy
        self.connections, self.requests, self.faults = [], [], []
        self.opened = 0  # connections since forget()
        self.changed = threading.Condition(threading.RLock())
        self.server = Server(self.handle, address)
        self.address = self.server.address

    def handle(self, peer, _):
        one = Connection(peer, self.changed)
        with self.changed:
            self.connections.append(one)
            self.opened += 1
            self.changed.notify_all()
        try:
            self.serve(one)
        except message.Cut:
            one.cut = True
        except message.Malformed as e:
            with self.changed:
                self.faults.append(f"{e}: {one.raw[-2000:]!r}")
        except (OSError, ValueError):
            pass  # the other side went away, or the script closed
        finally:
            with self.changed:
                one.ended = True
                self.changed.notify_all()

    def serve(self, one):
        rest = b""
        while True:
            request = message.read_request(one.receive, rest)
            if request is None:
                return
            request.connection = one
            if not self.lazy:
                request.read_body(request.length)
            with self.changed:
                one.requests.append(request)
                self.requests.append(request)
                self.changed.notify_all()
            out = self.script(request)
            if out is not None:
                one.send(out)
            rest = request.rest

    def wait(self, condition, what):
        with self.changed:
            ok = self.changed.wait_for(lambda: condition(self), procs.PATIENCE)
            assert ok, f"{what}; requests: {[r.first for r in self.requests]}, connections: {len(self.connections)}, " \
                       f"faults: {self.faults}"

    def wait_request(self, count=1):
        """The last of the first `count` requests."""
        self.wait(lambda r: len(r.requests) >= count, f"waited for {count} request(s)")
        return self.requests[count - 1]

    def wait_connections_ended(self):
        self.wait(lambda r: all(one.ended for one in r.connections), "waited for connections to end")

    def raw(self):
        return b"".join(one.raw for one in self.connections)

    def forget(self):
        """What was until now; connections that are open stay, as if they were new."""
        with self.changed:
            self.connections, self.requests, self.opened = [c for c in self.connections if not c.ended], [], 0
            for one in self.connections:
                one.raw, one.requests = b"", []

    def check(self):
        assert self.faults == [], self.faults

    def close(self):
        self.server.close()
        for one in self.connections:
            try:
                one.peer.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
