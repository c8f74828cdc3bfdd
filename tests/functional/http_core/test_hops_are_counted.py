"""Max-Forwards of TRACE and OPTIONS (RFC 9110 7.6.2): one less for the next one, and nothing is passed on at 0."""

import pytest

from lib import procs
from lib.httpclient import Http
from lib.proxy import service
from lib.recorder import Recorder


@pytest.mark.parametrize("method", ["TRACE", "OPTIONS"])
def test_the_last_hop_is_ours(own_proxies, pki, method):
    recorder = Recorder()
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("web", pki, recorder.address, "none", mode="http")])
    address = proxy.config["listeners"][0]["bind"]
    with Http(address, "web.example") as one:
        assert one.ask("/", method=method, fields={"Max-Forwards": "1"}).status == 200
        assert recorder.requests[0].value("Max-Forwards") == "0"
        assert one.ask("/", method=method, fields={"Max-Forwards": "0"}).status == 501
    assert len(recorder.requests) == 1
    recorder.check()
    recorder.close()
