"""A quarantine in mode tcp: who would be denied for its certificate gets to another back end, and never to the one of the service."""

import pytest

from lib import clients, procs
from lib.proxy import service
from lib.recorder import Recorder, answer


@pytest.fixture(scope="module")
def backs():
    normal, ward = Recorder(lambda r: answer("normal")), Recorder(lambda r: answer("ward"))
    yield normal, ward
    normal.close()
    ward.close()


@pytest.fixture(scope="module")
def proxy(proxies, pki, backs):
    normal, ward = backs
    return proxies(["127.0.0.1:%d" % procs.free_port()],
                   [service("a", pki, normal.address, quarantine={"servers": [ward.address]})])


@pytest.mark.parametrize("kind, decision, reaches", [
    ("good", "allow", 0), ("expired", "quarantine", 1), ("self_signed", "quarantine", 1), (None, "quarantine", 1)])
def test_the_certificate_decides_on_the_back_end(proxy, pki, backs, kind, decision, reaches):
    for one in backs:
        one.forget()
    mark = proxy.mark()
    client = pki.client(kind) if kind else None
    with clients.Tls(proxy.config["listeners"][0]["bind"], "a.example", client) as tls:
        tls.socket.sendall(b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n")
        backs[reaches].wait_request()
    assert backs[1 - reaches].connections == [] and backs[1 - reaches].opened == 0
    event, = proxy.since(mark)
    assert event["tlscribe"]["decision"] == decision
    assert event["tlscribe"]["verified"] is (kind == "good")
    assert event["event"]["outcome"] == "success" and "denied_by" not in event["tlscribe"]


def test_who_does_not_hold_the_key_gets_nowhere(proxy, pki, backs):
    for one in backs:
        one.forget()
    mark = proxy.mark()
    clients.probe(proxy.config["listeners"][0]["bind"], "a.example", pki.client("possession_failed"))
    event, = proxy.since(mark)
    assert (event["tlscribe"]["class"], event["tlscribe"]["decision"]) == ("possession_failed", "deny")
    assert [one.opened for one in backs] == [0, 0]
