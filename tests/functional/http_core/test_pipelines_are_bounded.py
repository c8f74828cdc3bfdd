"""Requests that come one right behind another: served in order, and never kept once they are."""

from lib import procs
from lib.httpclient import Http, request
from lib.proxy import sanitized, service

BATCH = 64
BATCHES = 80


def test_a_client_that_never_pauses_takes_no_memory(proxies, pki):
    """40 MB of requests; whenever some are sent, half of the next one is, too. Nobody listens behind, so each is answered at once."""
    proxy = proxies(["127.0.0.1:%d" % procs.free_port()],
                    [service("web", pki, "127.0.0.1:%d" % procs.free_port(), "none", mode="http")], workers=1)
    one = request("/", "web.example", fields={"X-Filler": "x" * 8000})
    batch = one[len(one) // 2:] + one * (BATCH - 1) + one[:len(one) // 2]
    with Http(proxy.config["listeners"][0]["bind"], "web.example") as client:
        assert client.ask("/").status == 503
        before, most = procs.rss(proxy.pid), 0
        client.send(one[:len(one) // 2])
        for _ in range(BATCHES):
            client.send(batch)
            assert [client.response().status for _ in range(BATCH)] == [503] * BATCH
            most = max(most, procs.rss(proxy.pid))
        if not sanitized():
            assert most - before < 4 * 1024 * 1024, f"{before} grew to {most} bytes"
