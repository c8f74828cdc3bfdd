"""Requests under connection churn: none lost, none served twice, none answered to the wrong client.

TLSCRIBE_CHURN sets their number (default 100000), for builds with sanitizers.
"""

import json
import os
import subprocess

from lib import clients, procs
from lib.proxy import sanitized, service

COUNT = int(os.environ.get("TLSCRIBE_CHURN", "100000"))
CLIENTS = ("good", "good-rsa", "good-ed25519")


def test_every_request_gets_its_own_answer_once(own_proxies, pki):
    back = "127.0.0.1:%d" % procs.free_port()
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()],
                        [service("churn", pki, back, mode="http", identity_headers=["x-ssl"], connection_end=True)])
    for label in CLIENTS:
        pki.client(label.replace("-", "_"))
    address = proxy.config["listeners"][0]["bind"]
    descriptors = procs.descriptors(proxy.pid)
    churn = subprocess.Popen([clients.go_program("churn"), "-addr", address, "-back", back, "-n", str(COUNT), "-pki", str(pki.folder),
                              "-clients", ",".join(CLIENTS), "-seed", "20261121", "-patient", f"{int(procs.PATIENCE * 4)}s"],
                             stdout=subprocess.PIPE)
    memory = []
    try:
        procs.wait_for(lambda: memory.append(procs.rss(proxy.pid)) or churn.poll() is not None,
                       lambda: f"the end of the churn\n{proxy.report()}", patience=540, pause=0.25)
    finally:
        if churn.poll() is None:
            churn.kill()
        got = json.loads(churn.communicate()[0] or "{}")
    print(got)
    assert got["faults"] is None, "\n".join(got["faults"])
    assert got["requests"] == got["answered"] == got["served"] == COUNT
    assert got["twice"] == 0 and got["abandoned"] > 0
    # Churn on both sides.
    assert got["connections"] > COUNT // 100 and got["backend"] > COUNT // 100
    procs.wait_for(lambda: len(proxy.actions("connection-end")) == got["connections"],
                   lambda: f"the ends of {got['connections']} connections")
    # What is kept for the back end goes when nobody needs it.
    procs.wait_for(lambda: procs.descriptors(proxy.pid) <= descriptors, "the connections to be over", patience=procs.PATIENCE + 30)
    assert len(proxy.handshakes()) == got["connections"]
    assert {e["tlscribe"]["class"] for e in proxy.handshakes()} == {"ok"}
    if not sanitized() and COUNT >= 50000:
        second = memory[len(memory) // 2:]
        third = len(second) // 3
        early, late = sum(second[:third]) / third, sum(second[-third:]) / third
        print(f"resident: {min(second)} to {max(second)} bytes over the second half")
        assert late - early < 4 * 1024 * 1024
