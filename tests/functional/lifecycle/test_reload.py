"""SIGHUP: a good file becomes the new policy, a bad one is refused with its reason and the old one goes on."""

import os
import ssl

import pytest

from lib import clients, expect, procs
from lib.proxy import service


@pytest.fixture
def proxy(own_proxies, pki, echo):
    return own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("one", pki, echo)])


def address_of(proxy, number=0):
    return proxy.config["listeners"][number]["bind"]


def configs(proxy):
    """One audit.config a snapshot, however many parts it took."""
    return {e["tlscribe"]["policy"]["epoch"] for e in proxy.actions("audit.config")}


def reloaded(proxy, before):
    procs.wait_for(lambda: len(configs(proxy)) > before, lambda: f"audit.config\n{proxy.report()}")


def refused(proxy, pattern, **settings):
    """A reload that must not be taken; the old configuration stays in the file afterwards."""
    kept = dict(proxy.config)
    count, size = len(configs(proxy)), len(proxy.log())
    proxy.reload(**settings)
    found = proxy.wait_log(pattern, size)
    assert len(configs(proxy)) == count
    proxy.config = kept
    proxy.write()
    return found


def test_a_new_policy_holds_for_new_connections_and_for_open_ones(proxy, pki, echo):
    address = address_of(proxy)
    with clients.Tls(address, "one.example", pki.client("good")) as old:
        assert old.ask() == b"ping\n"
        inodes = procs.listening(address)
        first = proxy.event_of(old.local)
        proxy.reload(services=[service("one", pki, echo, "required", ca="tst")])
        reloaded(proxy, 1)
        seen = clients.probe(address, "one.example", pki.client("good"))
        event = proxy.event_of(seen.local)
        expect.check(event, "unknown_issuer", decision="deny", denied_by="verify", code=event["event"]["code"])
        with pytest.raises(ssl.SSLError, match="unknown ca"):
            old.socket.recv(1)
        gone, = proxy.wait_action("connection-revoked")
        assert gone["tlscribe"]["connection"] == first["event"]["id"]
        assert (gone["tlscribe"]["class"], gone["tlscribe"]["revoked"]["cause"]) == ("unknown_issuer", "policy")
        assert procs.listening(address) == inodes, "the sockets are kept"
        assert clients.probe(address, "one.example", pki.client("unknown_issuer")).echo
        assert event["tlscribe"]["policy"]["epoch"] > first["tlscribe"]["policy"]["epoch"]
        assert event["tlscribe"]["policy"]["sha256"] != first["tlscribe"]["policy"]["sha256"]


def test_the_audit_entry_stands_before_the_first_handshake_under_it(proxy, pki, echo):
    address = address_of(proxy)
    for round_ in range(3):
        proxy.reload(labels={"round": f"r{round_}"})
        reloaded(proxy, round_ + 1)
        clients.probe(address, "one.example", pki.client("good"))
    proxy.since(0, 3)
    known = set()
    for event in proxy.events():
        epoch = event["tlscribe"].get("policy", {}).get("epoch")
        if event["event"]["action"] == "audit.config":
            known.add(epoch)
        elif event["event"]["action"] == "tls-handshake":
            assert epoch in known, event
    assert len(known) == 4


def test_listeners_come_and_go(proxy, pki):
    kept = address_of(proxy)
    new = "127.0.0.1:%d" % procs.free_port()
    inodes = procs.listening(kept)
    proxy.reload(listeners=[{"bind": kept}, {"bind": new}])
    procs.wait_for(lambda: procs.listening(new), "the new listener")
    assert procs.listening(kept) == inodes
    for address in (kept, new):
        assert clients.probe(address, "one.example", pki.client("good")).echo
    proxy.reload(listeners=[{"bind": new}])
    procs.wait_for(lambda: not procs.listening(kept), "the old listener to be closed")
    assert clients.probe(new, "one.example", pki.client("good")).echo


def test_services_come_and_go(proxy, pki, echo):
    address = address_of(proxy)
    assert clients.probe(address, "two.example", pki.client("good")).alert == 112
    proxy.reload(services=[service("one", pki, echo), service("two", pki, echo)])
    reloaded(proxy, 1)
    assert clients.probe(address, "two.example", pki.client("good")).echo
    proxy.reload(services=[service("two", pki, echo)])
    reloaded(proxy, 2)
    assert clients.probe(address, "one.example", pki.client("good")).alert == 112


def test_a_replaced_ca_file_counts_as_a_change(proxy, pki, echo, tmp_path):
    """The configuration's bytes stay the same; the trust does not."""
    ca = tmp_path / "ca.pem"
    ca.write_bytes(pki.root.chain_file.read_bytes())
    address = address_of(proxy)
    proxy.reload(services=[service("one", pki, echo, client={"ca": [str(ca)]})])
    reloaded(proxy, 1)
    before = proxy.event_of(clients.probe(address, "one.example", pki.client("good")).local)
    expect.check(before, "ok", decision="allow", verified=True)
    ca.write_bytes(pki.other.chain_file.read_bytes())
    proxy.reload()
    reloaded(proxy, 2)
    after = proxy.event_of(clients.probe(address, "one.example", pki.client("good")).local)
    assert after["tlscribe"]["class"] == "unknown_issuer", "a cached verdict of another trust was used"
    assert before["tlscribe"]["policy"]["sha256"] != after["tlscribe"]["policy"]["sha256"]


@pytest.mark.parametrize("name, value", [("node", "another"), ("origin", "other.example"), ("state", "/tmp/other-state"),
                                         ("workers", 1), ("user", "nobody")])
def test_what_needs_a_restart_is_refused(proxy, pki, name, value):
    refused(proxy, name, **{name: value})
    assert not os.path.exists("/tmp/other-state")
    assert clients.probe(address_of(proxy), "one.example", pki.client("good")).echo
    proxy.reload(labels={"then": "good"})
    reloaded(proxy, 1)


def test_a_bad_file_is_refused_with_its_place(proxy, pki, echo, tmp_path):
    address = address_of(proxy)
    place = str(proxy.config_file) + r":\d+:\d+: "
    refused(proxy, place + ".*nonsense", nonsense=1)
    refused(proxy, place, services=[service("one", pki, echo, client={"ca": [str(tmp_path / "missing.pem")]})])
    (tmp_path / "empty.pem").write_bytes(b"")
    refused(proxy, place, services=[service("one", pki, echo, client={"ca": [str(tmp_path / "empty.pem")]})])
    bad = service("one", pki, echo)
    bad["certificates"] = [{"chain": pki.server.chain_file, "key": pki.server_rsa.key_file}]
    refused(proxy, place, services=[bad])
    refused(proxy, place, services=[service("one", pki, echo), service("again", pki, echo, names=["one.example"])])
    size = len(proxy.log())
    proxy.config_file.write_text("listeners: [\n")
    proxy.send_signal(1)
    proxy.wait_log(str(proxy.config_file), size)
    assert clients.probe(address, "one.example", pki.client("good")).echo
    assert len(configs(proxy)) == 1


def test_reloads_under_load_lose_nothing(proxy, pki, echo, folder):
    """Clients dial while the policy changes twenty times: every one is served and recorded once."""
    import json
    import subprocess
    address = address_of(proxy)
    storm = subprocess.Popen([clients.go_program("storm"), "-addr", address, "-sni", "one.example", "-only", "good13",
                              "-n", "0", "-c", "8", "-pki", pki.storm()], stdout=subprocess.PIPE)
    try:
        for round_ in range(20):
            proxy.reload(labels={"round": f"r{round_}"})
            reloaded(proxy, round_ + 1)
    finally:
        storm.terminate()
        summary = json.loads(storm.communicate(timeout=procs.PATIENCE)[0])
    assert summary["echoed"] == summary["connected"] == summary["tried"] > 0, summary
    assert len(proxy.since(0, summary["connected"])) == summary["connected"]


def test_new_labels_reach_entries_without_a_service(proxy):
    proxy.reload(labels={"site": "ams9"})
    reloaded(proxy, 1)
    seen = clients.probe(address_of(proxy), "nobody.example")
    event = proxy.event_of(seen.local)
    assert event["tlscribe"]["class"] == "unknown_server_name" and event["labels"] == {"site": "ams9"}
