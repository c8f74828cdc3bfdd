"""A client of HTTP/1.1 over TLS that sends the exact bytes it is told to, and reads strictly what comes back."""

import selectors
import socket
import ssl
import threading
import time

from lib import clients, message

RAW_MAX = 1024 * 1024


class Http(clients.Tls):
    """A connection. `end` says how it ended: "closed" with close_notify, "cut" without; `raw` has the first MiB that came. One
    thread may send while another one reads."""

    def __init__(self, address, name, client=None, **more):
        super().__init__(address, name, client, **more)
        if self.local is not None:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.begin()

    def begin(self):
        """On a TLS socket that stands."""
        self.socket.suppress_ragged_eofs = False
        # A TLS session is one thread's at a time, also while the other one waits.
        self.patience, self.lock = self.socket.gettimeout(), threading.Lock()
        self.socket.setblocking(False)
        self.rest, self.end, self.raw = b"", None, b""

    def adjust(self, context):
        # OpenSSL 3 takes a connection that was cut off for one that ended, if Python lets it.
        context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)

    def whenever(self, what):
        """Calls `what` each time that the socket is ready, until it is done."""
        deadline = time.monotonic() + self.patience
        while True:
            try:
                with self.lock:
                    return what()
            except ssl.SSLWantReadError:
                wait = selectors.EVENT_READ
            except ssl.SSLWantWriteError:
                wait = selectors.EVENT_WRITE
            with selectors.DefaultSelector() as selector:
                selector.register(self.socket, wait)
                if not selector.select(max(0, deadline - time.monotonic())):
                    raise TimeoutError(f"nothing happened for {self.patience} s; until then there came {self.raw[-500:]!r}")

    def readable(self, seconds):
        """Whether something came, waited for that long."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.socket, selectors.EVENT_READ)
            return bool(selector.select(seconds))

    def send(self, data):
        data = memoryview(data if isinstance(data, bytes) else data.encode("latin-1"))
        while data:
            data = data[self.whenever(lambda part=data[:65536]: self.socket.send(part)):]

    def send_what_is_taken(self, data):
        """Whoever is refused in the middle may find the connection closed."""
        try:
            self.send(data)
        except (ssl.SSLError, OSError):
            pass

    def end_side(self, wait=False):
        """Sends close_notify. True: the other side has neither sent its own yet nor gone; `wait` for that."""
        if wait:
            self.whenever(self.socket.unwrap)
            return False
        try:
            with self.lock:
                self.socket.unwrap()
        except ssl.SSLWantReadError:
            return True
        except (ssl.SSLError, ConnectionError) as e:
            if isinstance(e, ssl.SSLError) and "EOF" not in str(e):
                raise
        return False

    def receive(self):
        if self.end is not None:
            return b""
        try:
            got = self.whenever(lambda: self.socket.recv(65536))
        except (ssl.SSLError, ConnectionError) as e:
            if isinstance(e, ssl.SSLError) and "EOF" not in str(e):
                raise
            self.end = "cut"
            return b""
        if not got:
            self.end = "closed"
        if len(self.raw) < RAW_MAX:
            self.raw += got
        return got

    def one(self, verb="GET"):
        """The next response, 1xx too. None: the connection ended before its first byte."""
        got = self.head(verb)
        if got is not None:
            message.finish_response(got)
            self.rest = got.rest
        return got

    def head(self, verb="GET"):
        """The same without its body: go on with its pieces()."""
        rest, self.rest = self.rest, b""
        return message.read_response(self.receive, rest, verb)

    def response(self, verb="GET"):
        """The next final response; `before` has the 1xx ones."""
        before = []
        while True:
            got = self.one(verb)
            assert got is not None, f"the connection {self.end} without an answer; it gave {self.raw[-500:]!r}"
            if got.status >= 200:
                got.before = before
                return got
            before.append(got)

    def ask(self, target="/", host=None, method="GET", body=None, fields=()):
        """A request that is well-formed, and its response."""
        self.send(request(target, host or self.socket.server_hostname, method, body, fields))
        return self.response(method)

    def wait_end(self):
        """Reads to the end; gives what came before it, and sets `end`."""
        got, self.rest = self.rest, b""
        while True:
            more = self.receive()
            if not more:
                return got
            got += more


def request(target="/", host="http.example", method="GET", body=None, fields=(), version="1.1"):
    """Its bytes. `fields` are pairs, or a map."""
    lines = [f"{method} {target} HTTP/{version}", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in (fields.items() if isinstance(fields, dict) else fields)]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines + ["", ""]).encode("latin-1") + (body or b"")


def chunks(*pieces, trailer=""):
    """The chunked coding of these pieces."""
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n" + trailer.encode() + b"\r\n"


def once(address, name, target="/", client=None, **more):
    """One connection, one request, one response."""
    with Http(address, name, client) as one:
        return one.ask(target, **more)
