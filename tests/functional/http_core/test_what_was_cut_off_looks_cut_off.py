"""Who has a part of an answer must not take it for the whole."""

import socket
import threading

from lib import procs
from lib.httpclient import Http, request
from lib.proxy import service
from lib.recorder import Recorder


def test_a_reset_that_an_upload_ran_into_is_no_end(proxies, pki):
    """The answer ends with its connection; that is reset while the client uploads and does not read. The next bytes of the upload find
    that out first, and reading sees what looks like a proper end then."""
    full, go = threading.Event(), threading.Event()

    def script(one):
        peer = one.connection.peer
        one.connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        peer.settimeout(1)
        try:
            while True:
                peer.send(b"x" * 65536)
        except socket.timeout:
            full.set()
        go.wait(procs.PATIENCE)
        one.connection.reset()
        return None

    recorder = Recorder(script, lazy=True)
    proxy = proxies(["127.0.0.1:%d" % procs.free_port()],
                    [service("web", pki, recorder.address, "none", mode="http", connection_end=True)], workers=1)
    with Http(proxy.config["listeners"][0]["bind"], "web.example") as one:
        one.send(request("/", "web.example", "POST", fields={"Content-Length": 1 << 30}))
        assert full.wait(procs.PATIENCE)
        go.set()
        recorder.wait_connections_ended()
        one.socket.settimeout(1)
        try:
            while True:  # until nothing is taken any more
                one.socket.send(b"y" * 16384)
        except socket.timeout:
            pass
        one.socket.settimeout(procs.PATIENCE)
        got = one.wait_end()
    assert got.startswith(b"HTTP/1.1 200") and b"x" * 16384 in got
    assert one.end == "cut" and not got.endswith(b"0\r\n\r\n")
    end, = proxy.wait_action("connection-end")
    assert end["tlscribe"]["close_reason"] == "upstream_broken"
    recorder.close()
