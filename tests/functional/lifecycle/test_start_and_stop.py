"""Start, drain, end: what is on record of it, and what happens to whoever is connected."""

import signal
import subprocess

import pytest

from lib import clients, expect, hello, procs
from lib.proxy import PROGRAM, service


@pytest.fixture
def proxy(own_proxies, pki, echo):
    return own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("one", pki, echo, connection_end=True)],
                       timeouts={"drain": "5s"})


def address_of(proxy):
    return proxy.config["listeners"][0]["bind"]


def test_the_first_entries_are_start_and_config(proxy, pki):
    proxy.wait_action("audit.config")
    events = proxy.events()
    assert events[0]["event"]["action"] == "audit.start"
    assert events[1]["event"]["action"] == "audit.config"
    clients.probe(address_of(proxy), "one.example", pki.client("good"))
    proxy.since(0)
    events = proxy.events()
    logs = {e["tlscribe"]["log"] for e in events}
    assert len(logs) == 1 and logs.pop().startswith("test/test/")
    assert len({e["tlscribe"]["boot"] for e in events}) == 1
    assert {e["observer"]["name"] for e in events} == {"test"}


def test_every_start_says_how_the_last_run_ended(proxy):
    def last_start(count):
        return proxy.wait_action("audit.start", count)[-1]["tlscribe"]["audit"]["last_stop"]
    assert last_start(1) == "none"
    assert proxy.stop() == 0
    assert proxy.events()[-1]["event"]["action"] == "audit.stop"
    proxy.start()
    assert last_start(2) == "clean"
    proxy.kill()
    proxy.start()
    assert last_start(3) == "unclean"
    assert len(proxy.actions("audit.start")) == 3


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=["term", "int"])
def test_a_stop_waits_for_open_connections(proxy, pki, how):
    address = address_of(proxy)
    with clients.Tls(address, "one.example", pki.client("good")) as one:
        assert one.ask() == b"ping\n"
        proxy.send_signal(how)
        procs.wait_for(lambda: not procs.listening(address), "the listener to be closed")
        assert one.ask(b"still\n") == b"still\n"
        assert proxy.process.poll() is None
        one.finish()
    assert proxy.process.wait(procs.PATIENCE) == 0
    assert proxy.stop() == 0
    events = proxy.events()
    assert events[-1]["event"]["action"] == "audit.stop"
    end, = [e for e in events if e["event"]["action"] == "connection-end"]
    assert end["event"]["outcome"] == "success"


def test_what_is_left_at_the_deadline_is_cut_off(own_proxies, pki, echo):
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("one", pki, echo, connection_end=True)],
                        timeouts={"drain": "700ms"}, limits={"handshake_time": "60s"})
    address = address_of(proxy)
    with clients.Tls(address, "one.example", pki.client("good")) as one, hello.Wire(address) as silent, \
            hello.Wire(address) as halfway:
        assert one.ask() == b"ping\n"
        halfway.send(hello.record(hello.client_hello("one.example")))
        assert halfway.record()[0] == hello.HANDSHAKE
        proxy.send_signal(signal.SIGTERM)
        silent.to_end()
        halfway.to_end()
        try:
            assert one.socket.recv(100) == b""
        except OSError:
            pass
    assert proxy.stop() == 0
    for wire in (silent, halfway):
        event = proxy.event_of(wire.local)
        expect.check(event, "shutdown", decision="deny", denied_by="shutdown",
                     sent=event["tlscribe"].get("alert", {}).get("sent"))
    expect.check(proxy.event_of(one.local), "ok", decision="allow", verified=True)
    end, = proxy.actions("connection-end")
    assert end["tlscribe"]["connection"] == proxy.event_of(one.local)["event"]["id"]
    assert proxy.events()[-1]["event"]["action"] == "audit.stop"


def test_the_backlog_is_served_first(own_proxies, pki, echo):
    """Whoever was connected before the stop gets an event, whether or not it had been accepted."""
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("one", pki, echo)], timeouts={"drain": "1s"},
                        workers=1)
    address = address_of(proxy)
    # A stopped process accepts nothing: these wait in the backlog, and the stop is there before them.
    proxy.send_signal(signal.SIGSTOP)
    wires = [hello.Wire(address) for _ in range(40)]
    for wire in wires:
        wire.send(hello.record(hello.client_hello("nobody.example")))
    proxy.send_signal(signal.SIGTERM)
    proxy.send_signal(signal.SIGCONT)
    for wire in wires:
        wire.to_end()
        wire.socket.close()
    assert proxy.stop() == 0
    assert len(proxy.handshakes()) == 40


def test_a_second_instance_on_the_same_state_is_refused(proxy, own_proxies, pki, echo):
    other = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("one", pki, echo)], start=False,
                        state=str(proxy.state))
    other.start(wait=False)
    assert other.process.wait(procs.PATIENCE) != 0
    other.process = None
    assert str(proxy.state) in other.log() or "state" in other.log()
    assert len(proxy.actions("audit.start")) == 1
    assert clients.probe(address_of(proxy), "one.example", pki.client("good")).echo


def test_another_node_on_the_same_state_is_refused(proxy):
    assert proxy.stop() == 0
    proxy.config["node"] = "other"
    proxy.write()
    proxy.start(wait=False)
    assert proxy.process.wait(procs.PATIENCE) != 0
    proxy.process = None
    assert "test" in proxy.log()


def test_query_reads_with_and_without_the_daemon(proxy, pki):
    for kind in ("good", "expired"):
        clients.probe(address_of(proxy), "one.example", pki.client(kind))
    proxy.since(0, 2)
    proxy.wait_action("connection-end")
    running = proxy.lines()
    assert proxy.stop() == 0
    stopped = proxy.lines()
    assert stopped[:len(running)] == running and len(stopped) == len(running) + 1


def test_query_follows(proxy, pki):
    follow = subprocess.Popen([PROGRAM, "query", "--state", str(proxy.state), "--follow"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
    try:
        lines = [follow.stdout.readline(), follow.stdout.readline()]
        for kind in ("good", "expired", "self_signed"):
            clients.probe(address_of(proxy), "one.example", pki.client(kind))
            lines.append(follow.stdout.readline())
            if kind == "good":
                lines.append(follow.stdout.readline())
    finally:
        procs.end(follow)
        follow.stdout.close()
    proxy.since(0, 3)
    assert [line.rstrip(b"\n") for line in lines] == proxy.lines()[:len(lines)]


def test_a_bad_configuration_does_not_start(own_proxies, pki, echo):
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("one", pki, echo, nonsense=1)], start=False)
    proxy.start(wait=False)
    assert proxy.process.wait(procs.PATIENCE) == 1
    proxy.process = None
    assert f"{proxy.config_file}:" in proxy.log() and "nonsense" in proxy.log()
    assert not proxy.state.exists() or not list(proxy.state.glob("journal/*"))


def test_a_torn_tail_is_cut_off_and_said(proxy, pki):
    """Bytes behind the last valid commit, as a power cut leaves them."""
    assert clients.probe(address_of(proxy), "one.example", pki.client("good")).echo
    proxy.since(0)
    proxy.wait_action("connection-end")
    before = proxy.lines()
    proxy.kill()
    assert proxy.lines() == before
    proxy.start()
    assert proxy.lines()[:len(before)] == before
    assert clients.probe(address_of(proxy), "one.example", pki.client("good")).echo
    proxy.since(1)
