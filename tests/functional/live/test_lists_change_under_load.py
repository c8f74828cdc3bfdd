"""While lists change, CRLs are fetched and OCSP answers run out, clients come and go: each is judged by the lists that its event names,
and those are on record before it."""

import ssl
import threading
from datetime import timedelta

from lib import clients, crl, live, ocsp, procs
from lib.pki import now
from lib.proxy import service
from lib.renewal import renewals
from lib.web import Web

ROUNDS = 4
THREADS = 4


class Crowd:
    """Clients who connect, ask, and stay until their next connection, in threads of their own."""

    def __init__(self, address, *identities):
        self.address, self.identities = address, identities
        self.over = threading.Event()
        self.served = self.refused = 0
        self.surprises = []
        self.threads = [threading.Thread(target=self.run, args=(n,), daemon=True) for n in range(THREADS)]
        for one in self.threads:
            one.start()

    def run(self, n):
        before = None
        while not self.over.is_set():
            one = None
            try:
                one = clients.Tls(self.address, "one.example", self.identities[n % len(self.identities)], "1.2" if n % 3 else "1.3")
                if one.ask() == b"ping\n":
                    self.served += 1
            except (ssl.SSLError, ConnectionError):
                self.refused += 1
            except Exception as e:  # noqa: BLE001, a thread's own failure would be lost
                self.surprises.append(e)
                return
            finally:
                if before is not None:
                    before.close()
                before = one
        if before is not None:
            before.close()

    def end(self):
        self.over.set()
        for one in self.threads:
            one.join(procs.PATIENCE)
            assert not one.is_alive()
        assert self.surprises == []


def lists_of(events):
    """(sequence, number of denied certificates) of each policy, by its epoch."""
    found = {}
    for event in events:
        if event["event"]["action"] == "audit.config":
            assert event["tlscribe"]["audit"]["parts"] == 1
            [deny] = [row for row in event["tlscribe"]["audit"]["files"] if row["kind"] == "deny"]
            found[event["tlscribe"]["policy"]["epoch"]] = (event["event"]["sequence"], deny["entries"])
    return found


def test_each_is_judged_by_the_lists_that_its_event_names(own_proxies, pki, echo, tmp_path):
    web = Web()
    deny = tmp_path / "deny"
    live.write_list(deny, [])
    stays, listed = pki.client("good"), pki.client("good_rsa")
    web.pages["/dev.crl"] = crl.crl(pki.dev, number=1, since=now() - timedelta(hours=9))
    leaves = {crl.serial_of(one): one for one in (stays, listed)}

    def answer(request):
        for serial, leaf in leaves.items():
            if serial.to_bytes((serial.bit_length() + 8) // 8, "big") in request.body:
                return ocsp.reply(ocsp.forge(leaf, pki.dev, pki.dev, until=now() + timedelta(seconds=2)))
        return None
    web.pages["/ocsp"] = answer
    client = {"ca": [pki.root.chain_file, pki.dev.chain_file], "deny": [deny], "revocation_scope": "leaf", "revocation": "soft",
              "crl_fetch": {"urls": [web.url("/dev.crl")], "interval": "1s"},
              "ocsp": {"mode": "soft", "responder": web.url("/ocsp"), "timeout": "9s"}}
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("one", pki, echo, client=client)])
    crowd = Crowd(proxy.config["listeners"][0]["bind"], stays, listed)
    try:
        for n in range(ROUNDS):
            before = len(renewals(proxy))
            live.write_list(deny, [] if n % 2 else [listed])
            web.pages["/dev.crl"] = crl.crl(pki.dev, number=2 + n, since=now() - timedelta(hours=8 - n))
            procs.wait_for(lambda: len(renewals(proxy)) > before, lambda: f"new lists\n{proxy.report()}", pause=0.1)
            refused, served = crowd.refused, crowd.served
            procs.wait_for(lambda: crowd.served > served + 20 and (n % 2 or crowd.refused > refused + 5),
                           lambda: f"{crowd.served} served, {crowd.refused} refused\n{proxy.report()}", pause=0.1)
    finally:
        crowd.end()
        web.close()
    assert proxy.stop() == 0
    events = proxy.events()
    policies = lists_of(events)
    judged = [e for e in events if e["event"]["action"] == "connection-revoked" or
              (e["event"]["action"] == "tls-handshake" and e["tlscribe"]["evidence"].get("possession") == "proven")]
    print(f"{len(judged)} judged by {len(policies)} policies")
    assert len(policies) > ROUNDS
    for event in judged:
        facts = event["tlscribe"]
        sequence, denied = policies[facts["policy"]["epoch"]]
        assert sequence < event["event"]["sequence"], event
        is_listed = event["tls"]["client"]["hash"]["sha256"] == listed.sha256.replace(":", "").upper()
        assert facts["class"] == ("denylisted" if denied and is_listed else "ok"), event
