"""What is the same in every answer of our own."""

import time
from email.utils import formatdate, parsedate_to_datetime

from lib import procs
from lib.httpclient import Http
from lib.proxy import service


def test_they_are_dated(own_proxies, pki):
    """RFC 9110 6.6.1, in the one form that may be generated (5.6.7)."""
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()],
                        [service("web", pki, "127.0.0.1:%d" % procs.free_port(), "none", mode="http")])
    before = int(time.time())
    with Http(proxy.config["listeners"][0]["bind"], "web.example") as one:
        got = one.ask()
    after = time.time()
    assert got.status == 503
    stamp = parsedate_to_datetime(got.value("Date")).timestamp()
    assert before <= stamp <= after
    assert got.value("Date") == formatdate(stamp, usegmt=True)
