"""A route that wants a verified client holds for every way to write its host, and for the server as a whole."""

import pytest

from lib import procs
from lib.httpclient import Http
from lib.proxy import service


@pytest.fixture(scope="module")
def address(proxies, pki, recorder):
    routes = [{"host": "admin.example", "require": "verified"}, {"host": "root.example", "path": "/", "require": "verified"}]
    proxy = proxies(["127.0.0.1:%d" % procs.free_port()],
                    [service("any", pki, recorder.address, "optional", names=["any.example"], mode="http", default=True,
                             routes=routes),
                     service("other", pki, recorder.address, "none", mode="http")])
    return proxy.config["listeners"][0]["bind"]


@pytest.mark.parametrize("host", ["admin.example", "ADMIN.example", "admin.example.", "Admin.Example.:443"])
def test_a_dot_behind_a_host_is_no_way_around(address, recorder, host):
    recorder.forget()
    with Http(address, "any.example") as one:
        assert one.ask("/", host).status == 403
    assert recorder.requests == []


def test_a_dot_behind_a_host_leads_to_its_service(address, recorder):
    with Http(address, "any.example") as one:
        assert one.ask("/", "other.example.").status == 421
    with Http(address, "other.example") as one:
        assert one.ask("/", "other.example.").status == 200


def test_the_server_as_a_whole_is_no_way_around(address, recorder):
    """RFC 9110 9.3.7: OPTIONS *."""
    recorder.forget()
    with Http(address, "any.example") as one:
        assert one.ask("*", "root.example", "OPTIONS").status == 403
    assert recorder.requests == []
    with Http(address, "any.example") as one:
        assert one.ask("*", "any.example", "OPTIONS").status == 200
    assert recorder.requests[0].target == "*"
