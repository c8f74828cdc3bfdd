"""A back end that says who it is, and how it is."""

import ssl

from lib import backends, clients
from lib.proxy import service

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
SICK = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


class Named(backends.Server):
    """Answers GET with `health`, or the next one of `script` as long as there are any, and everything else with its name.

    What the checks asked is in `seen`, how many others came in `visits`."""

    def __init__(self, name, address=None, health=GOOD, script=()):
        self.name, self.health, self.script, self.visits = name, health, list(script), 0
        super().__init__(Named.answer, address)

    def answer(self, peer):
        got = peer.recv(4096)
        while b"GET " in got and not got.endswith(b"\r\n\r\n"):
            got += peer.recv(4096)
        if b"GET " not in got:
            with self.changed:
                self.visits += 1
            peer.sendall(self.name.encode())
            backends.echo(peer, self)
            return
        answer = self.script.pop(0) if self.script else self.health
        self.note(got)
        peer.sendall(answer)

    def serve(self, peer):
        with peer:
            try:
                self.answer(peer)
            except OSError as e:
                with self.changed:
                    self.faults.append(e)


class HttpNamed(Named):
    """The same for HTTP, with connections that are kept: /healthz is answered with `health`, everything else with its name."""

    def answer(self, peer):
        rest = b""
        while True:
            while b"\r\n\r\n" not in rest:
                got = peer.recv(4096)
                if not got:
                    return
                rest += got
            head, rest = rest.split(b"\r\n\r\n", 1)
            if head.startswith(b"GET /healthz "):
                self.note(head)
                peer.sendall(self.health)
                return
            with self.changed:
                self.visits += 1
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(self.name), self.name.encode()))


def balanced(name, pki, servers, mode="tcp", **options):
    """A service with these servers: addresses, or maps."""
    return service(name, pki, {"servers": servers, **options}, "none", mode=mode)


def who(address, name):
    """Who serves a new connection; "" if it is refused."""
    try:
        with clients.Tls(address, f"{name}.example") as one:
            one.socket.sendall(b"who")
            return one.socket.recv(100).decode()
    except (ssl.SSLError, ConnectionError):
        return ""


def served(address, name, count):
    """By whom, so many times, sorted."""
    return sorted(who(address, name) for _ in range(count))
