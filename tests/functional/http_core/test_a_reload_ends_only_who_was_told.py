"""After a reload a connection ends with an answer that says so, never with one whose head had gone before."""

import threading

from lib import procs
from lib.httpclient import Http, request
from lib.proxy import service
from lib.recorder import Recorder, answer


def test_an_answer_on_its_way_is_not_the_last(own_proxies, pki):
    go = threading.Event()

    def script(one):
        if one.target == "/slow":
            one.connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
            assert go.wait(procs.PATIENCE)
            return b"half"
        return answer("told")

    recorder = Recorder(script)
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("web", pki, recorder.address, "none", mode="http")], workers=1)
    with Http(proxy.config["listeners"][0]["bind"], "web.example") as one:
        one.send(request("/slow", "web.example"))
        head = one.head()
        assert "Connection" not in head
        proxy.reload(labels={"epoch": "2"})
        proxy.wait_log("configuration 2 is in force")
        one.send(request("/next", "web.example", "POST", b"x"))
        go.set()
        assert b"".join(head.pieces(head.length)) == b"halfhalf"
        one.rest = head.rest
        got = one.response()
        assert got.body == b"told" and got.value("Connection") == "close"
        one.wait_end()
        assert one.end == "closed"
    recorder.check()
    recorder.close()
