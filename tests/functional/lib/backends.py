"""Real back ends on loopback: nginx, and a small server of bytes that does as it is told."""

import hashlib
import os
import shutil
import socket
import subprocess
import threading
from pathlib import Path

from lib import procs


class Server:
    """Accepts on TCP or unix and hands each connection to `handle(socket, server)` in a thread of its own.

    What handlers want to tell goes into `seen` by note(); a handler's error is kept in `faults`."""

    def __init__(self, handle, address=None):
        self.handle, self.seen, self.faults = handle, [], []
        self.changed = threading.Condition()
        if address and address.startswith("unix:"):
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(address.removeprefix("unix:"))
            self.address = address
        else:
            self.listener = socket.socket()
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind(("127.0.0.1", int(address.rsplit(":", 1)[1]) if address else 0))
            self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.listener.listen(512)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        with peer:
            try:
                self.handle(peer, self)
            except OSError as e:
                with self.changed:
                    self.faults.append(e)

    def note(self, what):
        with self.changed:
            self.seen.append(what)
            self.changed.notify_all()

    def wait_note(self, count=1):
        with self.changed:
            ok = self.changed.wait_for(lambda: len(self.seen) >= count, procs.PATIENCE)
            assert ok, f"the back end saw {self.seen}, not {count} of them; faults: {self.faults}"
            return list(self.seen)

    def close(self):
        # shutdown() wakes the accept, close() alone does not.
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.thread.join(5)


def echo(peer, _):
    """Every byte back, half-close too."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    while True:
        data = peer.recv(65536)
        if not data:
            return
        peer.sendall(data)


def greeter(text):
    """Says a text at once, then gives every byte back."""
    def handle(peer, server):
        peer.sendall(text)
        echo(peer, server)
    return handle


def sink(peer, server):
    """Reads to the end, then says how much that was, with its hash."""
    total, digest = 0, hashlib.sha256()
    while True:
        data = peer.recv(65536)
        if not data:
            break
        total += len(data)
        digest.update(data)
    server.note((total, digest.hexdigest()))
    peer.sendall(f"{total} {digest.hexdigest()}\n".encode())


def first_ends(peer, server):
    """Says all it has to say, ends its side, and goes on reading to the end."""
    peer.sendall(b"all I have to say\n")
    peer.shutdown(socket.SHUT_WR)
    got = b""
    while True:
        data = peer.recv(65536)
        if not data:
            break
        got += data
    server.note(got)


def pattern(size):
    """Bytes that are no multiple of any buffer; the same as the Go client's are not needed, only their hash."""
    block = hashlib.sha256(b"pattern").digest() * 2047
    return (block * (size // len(block) + 1))[:size]


class Nginx:
    """nginx with one folder of files to get and to put, on TCP and on a unix socket."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.root = self.folder / "www"
        self.root.mkdir(parents=True)
        os.chmod(self.root, 0o777)
        self.unix = f"unix:{self.folder}/nginx.sock"
        self.port = procs.free_port()
        self.address = f"127.0.0.1:{self.port}"
        binary = shutil.which("nginx") or "/usr/sbin/nginx"
        user = "user root;" if os.geteuid() == 0 else ""
        (self.folder / "nginx.conf").write_text(f"""
{user}
daemon off;
worker_processes 1;
pid {self.folder}/nginx.pid;
error_log {self.folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {self.folder}/body;
    proxy_temp_path {self.folder}/t1;
    fastcgi_temp_path {self.folder}/t2;
    uwsgi_temp_path {self.folder}/t3;
    scgi_temp_path {self.folder}/t4;
    client_max_body_size 0;
    server {{
        listen {self.address};
        listen {self.unix};
        root {self.root};
        location / {{ dav_methods PUT DELETE; }}
        location = /who {{ return 200 "$scheme $host\\n"; }}
    }}
}}
""")
        self.log = open(self.folder / "nginx.out", "wb")
        self.process = subprocess.Popen([binary, "-c", str(self.folder / "nginx.conf"), "-e",
                                         str(self.folder / "nginx.log"), "-p", str(self.folder)],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        procs.wait_for(lambda: procs.listening(self.address) and procs.listening(self.unix), self.why)

    def why(self):
        return "nginx: " + (self.folder / "nginx.out").read_text(errors="replace")

    def put(self, name, content):
        (self.root / name).write_bytes(content)

    def close(self):
        procs.end(self.process)
        self.log.close()
