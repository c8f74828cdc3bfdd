"""The vectors through a real haproxy and a real nginx with the same recorder behind them: whatever we pass on and one of them refuses
stands in a table here, with the reason why we do. An entry that is not needed any more fails, too.

Both have the limits that the vectors are made for, and are otherwise as their manuals set them up."""

import shutil
import socket
import subprocess

import pytest

from lib import procs, vectors
from lib.recorder import Recorder, answer

# (proxy, vector): why it is passed on all the same.
REQUESTS = {
    ("haproxy", "absolute-form without path, with query"):
        "RFC 3986 3.2: the authority ends at the question mark. It has to be the same as Host, and the back end gets an origin-form.",
    ("haproxy", "Upgrade in HTTP/1.0 is ignored"):
        "RFC 9110 7.8: it has to be ignored there. The field stays here, so that no back end can take it for one.",
    ("nginx", "method TRACE"):
        "nginx never serves it. It is a method like others, and what a back end allows is for the back end to say.",
    ("nginx", "small letters are another method"):
        "RFC 9110 9.1: methods are tokens, and case matters. nginx knows capitals alone; the method goes on byte by byte as it came.",
    ("nginx", "method of every token byte"):
        "The same: no byte of a token ends a request line anywhere.",
    ("nginx", "percent-encoding is left to the caller"):
        "nginx decodes paths to find files: %00 and what climbs above the root are nothing to it. We serve no files; a path goes on as "
        "it was written, and where routes depend on it, every reading of it has to lead to the same one (test_routes.py).",
    ("nginx", "asterisk-form"):
        "RFC 9112 3.2.4: OPTIONS of the whole server is a request like others.",
    ("nginx", "white space around values is no part of them"):
        "RFC 9110 5.6.3: a tab is white space, too, which nginx takes for a part of Host. We write the value without it.",
    ("nginx", "chunked with white space around"):
        "The same, of Transfer-Encoding; and that field is always written anew.",
}
CHUNKED = {}
RESPONSES = {}

HAPROXY = """
global
    maxconn 2000
    tune.bufsize 131072
    tune.http.maxhdr 255
defaults
    mode http
    timeout client 20s
    timeout server 20s
    timeout connect 5s
    timeout http-request 20s
    retries 0
frontend in
    bind {address}
    default_backend out
backend out
    server one {back}
"""
NGINX = """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/t1;
    fastcgi_temp_path {folder}/t2;
    uwsgi_temp_path {folder}/t3;
    scgi_temp_path {folder}/t4;
    client_max_body_size 0;
    client_header_buffer_size 64k;
    large_client_header_buffers 8 64k;
    server {{
        listen {address};
        location / {{
            proxy_pass http://{back};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Connection "";
            proxy_request_buffering off;
            proxy_buffer_size 64k;
            proxy_buffers 8 64k;
            proxy_busy_buffers_size 128k;
            proxy_next_upstream off;
        }}
    }}
}}
"""


class Peer:
    """haproxy or nginx, in the clear, before a recorder of its own."""

    def __init__(self, name, folder):
        self.name = name
        self.recorder = Recorder()
        folder.mkdir()
        self.address = "127.0.0.1:%d" % procs.free_port()
        config = folder / "conf"
        config.write_text((HAPROXY if name == "haproxy" else NGINX).format(address=self.address, back=self.recorder.address,
                                                                          folder=folder))
        binary = shutil.which(name) or f"/usr/sbin/{name}"
        command = [binary, "-db", "-f", str(config)] if name == "haproxy" else \
            [binary, "-c", str(config), "-e", str(folder / "nginx.log"), "-p", str(folder)]
        self.log = open(folder / "out", "wb")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        procs.wait_for(lambda: procs.listening(self.address), lambda: (folder / "out").read_text())

    def close(self):
        procs.end(self.process)
        self.log.close()
        self.recorder.close()

    def ask(self, raw):
        """(what came back, up to the end of its head or of the connection; whether anything reached the back end)."""
        self.recorder.forget()
        host, port = self.address.rsplit(":", 1)
        got = b""
        with socket.create_connection((host, int(port)), procs.PATIENCE) as one:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            one.sendall(raw)
            one.settimeout(0.2)

            def came():
                nonlocal got
                try:
                    more = one.recv(65536)
                except TimeoutError:
                    # A request that never ends has no answer, but its head goes on.
                    return self.recorder.raw() != b"" and b"9223372036854775807" in raw
                except ConnectionError:
                    return True
                got += more
                final = got.split(b"\r\n\r\n", 1)[1] if got.startswith(b"HTTP/1.1 100") and b"\r\n\r\n" in got else got
                return not more or b"\r\n\r\n" in final
            procs.wait_for(came, lambda: f"{self.name}: an answer; there is {got!r}")
        return got, self.recorder.raw() != b""


@pytest.fixture(scope="module", params=["haproxy", "nginx"])
def peer(request, folder):
    one = Peer(request.param, folder / f"peer-{request.param}")
    yield one
    one.close()


def held(peer, table, refused):
    """What is refused has to be in the table, and what is in the table refused."""
    known = {name for proxy, name in table if proxy == peer.name}
    assert set(refused) == known, f"not in the table: { {k: v for k, v in refused.items() if k not in known} }; " \
                                  f"in vain: {known - set(refused)}"


def test_requests(peer):
    refused = {}
    for vector in vectors.read("requests.json"):
        if vector["status"]:
            continue
        got, reached = peer.ask(vector["raw"])
        if not reached:
            refused[vector["name"]] = got.split(b"\r\n")[0]
    held(peer, REQUESTS, refused)


def test_chunked_bodies(peer):
    head = b"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    refused = {}
    for vector in vectors.read("chunked.json"):
        if vector["status"]:
            continue
        got, _ = peer.ask(head + vector["raw"])
        whole = [r for r in peer.recorder.requests if "body" not in vector or r.body == vector["body"]]
        if not got.startswith(b"HTTP/1.1 200") or not whole:
            refused[vector["name"]] = got.split(b"\r\n")[0]
    held(peer, CHUNKED, refused)


def test_answers(peer):
    refused = {}
    for vector in vectors.read("responses.json"):
        if vector["status"] or vector["name"] == "101":
            continue
        raw = vector["raw"]
        if vector["name"] == "100":
            raw += b"Content-Length: 0\r\n\r\n"
        elif raw.startswith(b"HTTP/1.1 10"):
            raw += answer()

        def script(r, raw=raw):
            r.connection.send(raw)
            r.connection.peer.shutdown(socket.SHUT_WR)
        peer.recorder.script = script
        got, _ = peer.ask(vector.get("verb", "GET").encode() + b" / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n")
        code = raw.split(b" ")[1][:3] if not raw.startswith(b"HTTP/1.1 10") else b"10"
        if not got.startswith((b"HTTP/1.1 " + code, b"HTTP/1.0 " + code)) and not (code == b"10" and got.startswith(b"HTTP/1.1 200")):
            refused[vector["name"]] = got.split(b"\r\n")[0]
    held(peer, RESPONSES, refused)
