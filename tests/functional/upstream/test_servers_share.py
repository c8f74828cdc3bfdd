"""Several servers: each gets its share, the dead ones nothing, and clients hear nothing of it as long as one is alive."""

import pytest

from lib import clients, procs
from lib.named import Named, balanced, served, who


@pytest.fixture
def start(own_proxies, pki):
    """Starts a proxy with one service, `api`, and gives its address."""
    def make(servers, **options):
        proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [balanced("api", pki, servers, **options)])
        return proxy, proxy.config["listeners"][0]["bind"]
    return make


@pytest.fixture
def named():
    """Makes back ends that end with the test."""
    made = []

    def make(name, **more):
        made.append(Named(name, **more))
        return made[-1]
    yield make
    for one in made:
        one.close()


def nobody():
    """An address on which nobody listens, but somebody could."""
    return "127.0.0.1:%d" % procs.free_port()


def test_weights_are_kept_over_all_workers(start, named):
    one, two = named("one"), named("two")
    _, address = start([{"address": one.address, "weight": 3}, two.address])
    assert served(address, "api", 12) == ["one"] * 9 + ["two"] * 3


def test_least_connections_go_where_the_fewest_are(start, named):
    one, two = named("one"), named("two")
    _, address = start([one.address, {"address": two.address, "weight": 2}], balance="least-connections")
    held = {"one": [], "two": []}
    try:
        for _ in range(9):
            client = clients.Tls(address, "api.example")
            client.socket.sendall(b"who")
            held[client.socket.recv(100).decode()].append(client)
        assert (len(held["one"]), len(held["two"])) == (3, 6)
        for client in held["one"]:
            client.finish()
        for _ in range(3):
            assert who(address, "api") == "one"
    finally:
        for client in held["one"] + held["two"]:
            client.close()


def test_a_dead_server_is_left_out_and_nobody_notices(start, named):
    dead = nobody()
    proxy, address = start([dead, named("two").address], failures=2, back_off="1h")
    assert served(address, "api", 8) == ["two"] * 8
    proxy.wait_log(r"service api: %s is left out: it failed 2 times in a row" % dead)
    alive = named("one", address=dead)
    assert served(address, "api", 8) == ["two"] * 8
    assert alive.visits == 0


def test_a_server_that_is_back_is_found(start, named):
    dead = nobody()
    proxy, address = start([dead, named("two").address], failures=1, back_off="10ms")
    assert served(address, "api", 4) == ["two"] * 4
    named("one", address=dead)
    procs.wait_for(lambda: who(address, "api") == "one", "the server that is back")
    proxy.wait_log(r"service api: %s works again" % dead)
    assert served(address, "api", 4) == ["one", "one", "two", "two"]


def test_a_backup_serves_while_no_other_does(start, named):
    first, backup = named("first"), named("backup")
    _, address = start([first.address, {"address": backup.address, "backup": True}], failures=1, back_off="10ms")
    assert served(address, "api", 4) == ["first"] * 4
    first.close()
    assert served(address, "api", 4) == ["backup"] * 4
    named("first", address=first.address)
    procs.wait_for(lambda: who(address, "api") == "first", "the first server")
    assert served(address, "api", 4) == ["first"] * 4


def test_without_any_server_clients_are_refused_until_one_is_back(start, named):
    dead = [nobody(), nobody()]
    proxy, address = start(dead, failures=1, back_off="10ms")
    assert who(address, "api") == ""
    proxy.wait_log("service api: no back end could be reached; the last one tried was ")
    named("back", address=dead[1])
    procs.wait_for(lambda: who(address, "api") == "back", "the server that is back")


def test_a_host_names_next_address_is_tried(start, named):
    """localhost is [::1], too, where nobody listens: whichever is first, nobody notices."""
    one = named("one")
    _, address = start(["localhost:%s" % one.address.rsplit(":", 1)[1]])
    assert served(address, "api", 4) == ["one"] * 4


def test_a_reload_keeps_in_mind_who_is_out(start, named):
    dead = nobody()
    proxy, address = start([dead, named("two").address], failures=1, back_off="1h")
    assert served(address, "api", 2) == ["two"] * 2
    alive = named("one", address=dead)
    size = len(proxy.log())
    proxy.reload(labels={"round": "2"})
    proxy.wait_log("configuration 2 is in force", size)
    assert served(address, "api", 4) == ["two"] * 4
    assert alive.visits == 0
