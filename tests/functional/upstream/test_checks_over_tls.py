"""Checks of TLS back ends: judged as every connection, and on record when the outcome changes, not each time."""

import pytest

from lib import procs, tls_backends as tb
from lib.named import GOOD, balanced, served


class Server(tb.TlsServer):
    """Answers checks well, and everybody else with its name. `asked` counts the checks that came through."""

    def __init__(self, name, identity, address=None):
        self.name, self.asked = name, 0
        super().__init__(self.answer, tb.context(identity), address=address)

    def answer(self, peer, _):
        if peer.recv(4096).startswith(b"GET /healthz "):
            with self.changed:
                self.asked += 1
                self.changed.notify_all()
            peer.sendall(GOOD)
        else:
            peer.sendall(self.name.encode())

    def wait_asked(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: self.asked >= count, procs.PATIENCE), f"{self.asked}; {self.refused}"


@pytest.fixture(scope="module")
def identities(pki):
    return tb.servers_of(pki)


@pytest.fixture
def server(identities):
    """Makes back ends that end with the test."""
    made = []

    def make(name, identity, **more):
        made.append(Server(name, identities[identity], **more))
        return made[-1]
    yield make
    for one in made:
        one.close()


@pytest.fixture
def start(own_proxies, pki):
    def make(servers):
        check = {"path": "/healthz", "interval": "20ms", "unhealthy": 2, "healthy": 2}
        proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()],
                            [balanced("api", pki, servers, check=check, tls=tb.upstream_tls(pki))])
        return proxy, proxy.config["listeners"][0]["bind"]
    return make


def of_checks(proxy, server):
    """The classes on record for handshakes of checks with this server."""
    return [e["tlscribe"]["class"] for e in proxy.actions("tls-handshake")
            if e["network"]["direction"] == "egress" and "connection" not in e["tlscribe"]
            and e["destination"]["port"] == int(server.address.rsplit(":", 1)[1])]


def test_the_same_outcome_is_told_once(start, server):
    one = server("one", "good")
    proxy, address = start([one.address])
    one.wait_asked(5)
    assert of_checks(proxy, one) == ["ok"]
    assert served(address, "api", 2) == ["one", "one"]
    assert of_checks(proxy, one) == ["ok"]


def test_a_wrong_server_goes_and_the_change_is_on_record(start, server):
    one, two = server("one", "good"), server("two", "good")
    proxy, address = start([one.address, two.address])
    one.wait_asked(2)
    one.close()
    wrong = server("wrong", "expired", address=one.address)
    proxy.wait_log(f"service api: {one.address} is down: 2 bad checks in a row, the last one: ")
    assert served(address, "api", 4) == ["two"] * 4
    wrong.wait_refused(5)
    assert of_checks(proxy, one)[:1] == ["ok"] and of_checks(proxy, one).count("expired") == 1
    wrong.close()
    server("one", "good", address=one.address)
    proxy.wait_log(f"service api: {one.address} is up: 2 good checks in a row")
    assert served(address, "api", 4) == ["one", "one", "two", "two"]
    assert of_checks(proxy, one)[-1] == "ok"
