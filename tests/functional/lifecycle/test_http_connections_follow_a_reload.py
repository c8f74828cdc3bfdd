"""mode http: a kept-alive connection ends with its first answer after a reload, so that the next one is made under the new policy."""

import pytest

from lib import procs
from lib.httpclient import Http
from lib.named import HttpNamed, balanced


@pytest.fixture
def named():
    made = [HttpNamed("old"), HttpNamed("new")]
    yield made
    for one in made:
        one.close()


def test_the_first_answer_after_a_reload_is_the_last(own_proxies, pki, named):
    old, new = named
    address = "127.0.0.1:%d" % procs.free_port()
    proxy = own_proxies([address], [balanced("web", pki, [old.address], "http")])
    with Http(address, "web.example") as one:
        before = one.ask()
        assert before.body == b"old" and "Connection" not in before
        proxy.reload(services=[balanced("web", pki, [new.address], "http")])
        last = []
        procs.wait_for(lambda: last.append(one.ask()) or "Connection" in last[-1], "the worker to have it")
        assert last[-1].body == b"old" and last[-1].value("Connection") == "close"
        one.wait_end()
        assert one.end == "closed"
    with Http(address, "web.example") as one:
        assert one.ask().body == b"new"
        assert one.ask().body == b"new"
