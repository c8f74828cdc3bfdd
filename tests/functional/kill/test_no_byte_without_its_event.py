"""SIGKILL in the middle of load, twenty times: every connection that carried an application byte has its event."""

import random
import subprocess

from lib import clients, procs
from lib.proxy import service

ROUNDS = 20


def test_twenty_kills(own_proxies, pki):
    back = "127.0.0.1:%d" % procs.free_port()
    chance = random.Random(7)
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("storm", pki, back)], start=False)
    address = proxy.config["listeners"][0]["bind"]
    echo = subprocess.Popen([clients.go_program("storm"), "-echo", back])
    carried = []
    try:
        procs.wait_for(lambda: procs.listening(back), "the back end")
        for number in range(ROUNDS):
            proxy.start()
            facts = proxy.folder / f"facts-{number}"
            storm = subprocess.Popen([clients.go_program("storm"), "-addr", address, "-only",
                                      ("good13", "good12")[number % 2], "-n", "0", "-c", "16", "-seed", str(number),
                                      "-pki", pki.storm(), "-facts", str(facts)], stdout=subprocess.DEVNULL)
            goal = chance.randint(20, 200)
            try:
                procs.wait_for(lambda: facts.exists() and facts.read_text().count(" true ") >= goal,
                               lambda: f"{goal} served connections\n{proxy.report()}", pause=0.005)
                proxy.kill()
            finally:
                procs.end(storm)
            served = [line.split()[2] for line in facts.read_text().splitlines() if line.split()[3] == "true"]
            assert len(served) >= goal
            carried.append(served)
        proxy.start()
    finally:
        procs.end(echo)
    assert proxy.stop() == 0

    events = proxy.events()
    assert [e["event"]["sequence"] for e in events] == list(range(len(events)))
    rounds = []
    for event in events:
        if event["event"]["action"] == "audit.start":
            rounds.append(set())
        elif event["event"]["action"] == "tls-handshake" and event["tlscribe"]["class"] == "ok":
            rounds[-1].add(f'{event["source"]["ip"]}:{event["source"]["port"]}')
    assert len(rounds) == ROUNDS + 1
    for number, served in enumerate(carried):
        lost = [local for local in served if local not in rounds[number]]
        assert not lost, f"round {number}: {len(lost)} of {len(served)} connections carried bytes and have no event"
