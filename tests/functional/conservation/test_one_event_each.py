"""Conservation: connections of all kinds, and exactly one ingress handshake event for each of them.

TLSCRIBE_STORM sets their number (default 20000), for builds with sanitizers.
"""

import json
import os
import subprocess
from collections import Counter

from lib import clients, procs
from lib.proxy import sanitized, service

COUNT = int(os.environ.get("TLSCRIBE_STORM", "20000"))
WIDTH = 64
SURE = {  # kinds that can end in one way only
    "good13": {"ok"}, "good12": {"ok"}, "split": {"ok"}, "expired13": {"expired"}, "expired12": {"expired"},
    "self_signed": {"self_signed"}, "unknown_issuer": {"unknown_issuer"}, "malformed_certificate": {"malformed_certificate"},
    "possession_failed": {"possession_failed"}, "no_certificate": {"no_certificate"}, "many_certificates": {"limit_exceeded"},
    "old_version": {"no_common_version"}, "unknown_name": {"unknown_server_name"}, "plain_http": {"not_tls"},
    "random_bytes": {"not_tls"}, "oversized_hello": {"limit_exceeded"}, "closed_at_once": {"peer_closed"},
    "reset_at_once": {"peer_closed"}, "slow": {"timeout"}, "silent": {"timeout"},
}


def test_exactly_one_event_a_connection(own_proxies, pki, folder):
    print(f"{COUNT} connections, {WIDTH} at a time")
    back = "127.0.0.1:%d" % procs.free_port()
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("storm", pki, back)],
                        limits={"handshake_time": "5s"})
    address = proxy.config["listeners"][0]["bind"]
    facts = proxy.folder / "facts"
    descriptors = procs.descriptors(proxy.pid)
    storm = subprocess.Popen([clients.go_program("storm"), "-addr", address, "-echo", back, "-n", str(COUNT), "-c",
                              str(WIDTH), "-pki", pki.storm(), "-facts", str(facts), "-seed", "20261121"],
                             stdout=subprocess.PIPE)
    memory = []

    def sample():
        done = sum(1 for _ in open(facts, "rb")) if facts.exists() else 0
        memory.append((done, procs.rss(proxy.pid)))
        return storm.poll() is not None
    try:
        procs.wait_for(sample, lambda: f"the storm to end; it is at {memory[-1]}\n{proxy.report()}", patience=540, pause=0.2)
    finally:
        if storm.poll() is None:
            storm.kill()
        summary = json.loads(storm.communicate()[0])
    print(summary)
    assert summary["tried"] == summary["connected"] == COUNT

    procs.wait_for(lambda: procs.descriptors(proxy.pid) <= descriptors, "the connections to be over")
    assert proxy.process.poll() is None
    assert proxy.stop() == 0
    events = proxy.events()
    handshakes = [e for e in events if e["event"]["action"] == "tls-handshake"]
    assert len(handshakes) == COUNT
    assert all(e["network"]["direction"] == "ingress" for e in handshakes)
    assert [e["event"]["sequence"] for e in events] == list(range(len(events)))
    assert len({e["event"]["id"] for e in events}) == len(events)

    by_address = Counter(f'{e["source"]["ip"]}:{e["source"]["port"]}' for e in handshakes)
    found = {f'{e["source"]["ip"]}:{e["source"]["port"]}': e for e in handshakes}
    wrong = Counter()
    for line in facts.read_text().splitlines():
        _, kind, local, echoed, alert = line.split()
        assert local in by_address, f"no event for {line}"
        if by_address[local] > 1:
            continue  # the port came up twice; the sum above holds for both
        cls = found[local]["tlscribe"]["class"]
        if kind in SURE and cls not in SURE[kind]:
            wrong[kind, cls] += 1
        if echoed == "true":
            assert found[local]["tlscribe"]["decision"] != "deny", (line, found[local])
        if alert != "-1" and kind in SURE:
            assert found[local]["tlscribe"]["alert"]["sent"] == int(alert), (line, found[local])
    # On a machine that stalls, a good client may run into the time limit; nothing else is forgiven.
    assert not [key for key in wrong if key[1] != "timeout"], wrong
    assert sum(wrong.values()) <= COUNT // 100, wrong
    counted = sum(e["event"]["action"] == "audit.stop" for e in events)
    assert counted == 1

    if not sanitized() and COUNT >= 10000:
        second = [size for done, size in memory if done > COUNT // 2]
        early, late = second[:len(second) // 3], second[-(len(second) // 3):]
        print(f"resident: {min(second)} to {max(second)} bytes over the second half")
        assert sum(late) / len(late) - sum(early) / len(early) < 2 * 1024 * 1024
