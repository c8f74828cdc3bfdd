"""A property: whatever happened before, the verdict of each handshake, full or resumed, and of each live connection is the one that the
judge gives offline (`tlscribe classify`) under the policy in force, with what the lists say on top. Random steps, the same ones for a seed."""

import random

import pytest

from lib import classify, crl, expect, live, procs, sessions
from lib.proxy import service

STEPS = 100
KINDS = ["good", "good_rsa", "expired", "unknown_issuer", "self_signed", "wrong_purpose", None]
WEIGHTS = [64, 22, 11, 3]  # of visit, hold, change_lists, reload: tickets live from one reload to the next
MODES = {"one": "optional", "two": "required", "three": "passthrough"}
ORDER = list(expect.CLASSES)


class World:
    """The configuration as it is, the proxy that runs on it, and what has to come of each client."""

    def __init__(self, own_proxies, pki, echo, folder, seed):
        self.pki, self.echo, self.random = pki, echo, random.Random(seed)
        self.deny, self.allow, self.crls = folder / "deny", folder / "allow", folder / "crls"
        self.crls.mkdir()
        # Of the CA of `unknown_issuer` there is none: where it is trusted, its revocation is unknown.
        for ca in (pki.root, pki.other):
            crl.put(self.crls / ca.label, crl.pem(crl.crl(ca)))
        self.clients = {kind: kind and pki.client(kind) for kind in KINDS}
        self.denied, self.allowed, self.revoked = set(), set(KINDS) - {None}, set()
        self.tolerate, self.profile, self.cas = "none", "medium", ["root"]
        self.issued = 0     # CRLs
        self.plan = 0       # counts reloads
        self.tickets = []   # (kind, service, plan, session)
        self.held = []      # live connections, with what they were let in as
        self.answers = {}   # of classify, by what it was asked
        self.write_lists()
        self.proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], self.services())
        self.address = self.proxy.config["listeners"][0]["bind"]
        self.python = {kind: sessions.Python(self.address, client) for kind, client in self.clients.items()}
        self.steps = {"visit": 0, "resumed": 0, "denied again": 0, "held": 0, "revoked": 0, "lists": 0, "reload": 0}

    # the policy

    def write_lists(self):
        live.write_list(self.deny, [self.clients[kind] for kind in sorted(self.denied)])
        live.write_list(self.allow, [self.clients[kind] for kind in sorted(self.allowed)])
        self.issued += 1
        crl.put(self.crls / "dev", crl.pem(crl.crl(self.pki.dev, [self.clients[kind] for kind in sorted(self.revoked)],
                                                   number=self.issued)))

    def services(self):
        cas = [str(getattr(self.pki, name).chain_file) for name in self.cas]
        made = []
        for name, verify in MODES.items():
            client = {"ca": cas, "crl": [self.crls], "deny": [self.deny], "allow": [self.allow], "profile": self.profile}
            if verify != "passthrough":
                client["tolerate"] = self.tolerate
            made.append(service(name, self.pki, self.echo, verify, client=client, tls={"resumption": "on"}, ca=None,
                                labels={"plan": str(self.plan)}))
        return made

    def findings(self, kind):
        """[{class, depth, ...}] offline, and what the lists add to it."""
        cas = [getattr(self.pki, name).chain_file for name in self.cas]
        key = (kind, tuple(self.cas), self.profile, kind in self.revoked)
        if key not in self.answers:
            self.answers[key] = classify.findings(classify.verdict(self.clients[kind].chain_file, cas, [self.crls],
                                                                   profile=self.profile))
        added = ["denylisted"] * (kind in self.denied) + ["not_allowlisted"] * (kind not in self.allowed)
        return self.answers[key], added

    def expected(self, kind, name):
        """(class, decision, verified) of a client that would come now."""
        verify = MODES[name]
        if kind is None:
            return "no_certificate", "deny" if verify == "required" else "allow_anonymous", False
        offline, added = self.findings(kind)
        classes = sorted({one["class"] for one in offline} | set(added), key=ORDER.index)
        if not classes:
            return "ok", "allow", True
        if verify == "passthrough":
            return classes[0], "allow_unverified", False
        forgiven = [one for one in classes if expect.CLASSES[one].tolerable and (self.tolerate == "all" or one in self.tolerate)]
        return classes[0], "allow_tolerated" if forgiven == classes else "deny", False

    # what is looked at

    def check(self, event, kind, name):
        facts = event["tlscribe"]
        wanted = self.expected(kind, name)
        assert (facts["class"], facts["decision"], facts["verified"]) == wanted, f"{kind} at {name}: {event}"
        if kind is not None:
            offline, added = self.findings(kind)
            told = classify.findings(facts)
            assert [one for one in told if one["class"] not in ("denylisted", "not_allowlisted")] == offline, event
            assert sorted(one["class"] for one in told if one not in offline) == sorted(added), event
            assert event["tls"]["client"]["hash"]["sha256"] == self.clients[kind].sha256
        assert ("user" in event and "name" in event["user"]) is wanted[2], event
        return wanted

    def somebody(self):
        """Mostly one who can be let in, and so can be sent away later."""
        return self.random.choices(KINDS, [5, 5, 2, 1, 1, 1, 2])[0], self.random.choice(list(MODES))

    def visit(self, ticket=None):
        """A handshake, with a ticket if there is one to try."""
        self.steps["visit"] += 1
        if ticket is None and self.tickets and self.random.random() < 0.7:
            ticket = self.random.choice(self.tickets)
        if ticket is not None:
            kind, name, plan, session = ticket
        else:
            session, plan = None, None
            kind, name = self.somebody()
        seen = self.python[kind].visit(name, session)
        event = self.proxy.event_of(seen.local)
        assert event["tls"]["resumed"] is (session is not None and plan == self.plan), event
        assert event["service"]["name"] == name
        wanted = self.check(event, kind, name)
        assert seen.echo is (wanted[1] != "deny")
        self.steps["resumed"] += event["tls"]["resumed"]
        if wanted[1] == "deny":
            assert seen.alert == expect.alert(wanted[0], "1.3") and seen.session is None
            self.steps["denied again"] += event["tls"]["resumed"]
            # OpenSSL does not offer a session again that ended with an alert.
            if ticket is not None:
                self.tickets.remove(ticket)
        elif seen.session is not None:
            self.tickets = [*self.tickets, (kind, name, self.plan, seen.session)][-10:]

    def hold(self):
        """One more that stays, if it is let in."""
        kind, name = self.somebody()
        if len(self.held) >= 12 or self.expected(kind, name)[1] == "deny":
            return
        self.steps["held"] += 1
        one = live.Held(self.address, f"{name}.example", self.clients[kind], self.random.choice(["1.2", "1.3"]))
        assert one.ask() == b"ping\n"
        one.kind, one.name, one.handshake = kind, name, self.proxy.event_of(one.local)
        one.was = self.check(one.handshake, kind, name)
        self.held.append(one)

    def change_lists(self):
        self.steps["lists"] += 1
        names = [kind for kind in KINDS if kind]
        self.denied = set(self.random.sample(names, self.random.randint(0, 1)))
        self.revoked = set(self.random.sample(["good", "good_rsa", "expired"], self.random.randint(0, 1)))
        self.allowed = set(names) - set(self.random.sample(names, self.random.randint(0, 1)))
        size = len(self.proxy.log())
        self.write_lists()
        live.wait_lists(self.proxy, size)
        self.look_at_held("list")
        # Whoever is out now tries it with a ticket of before.
        for ticket in [one for one in self.tickets if self.expected(*one[:2])[1] == "deny"][:2]:
            self.visit(ticket)

    def reload(self):
        self.steps["reload"] += 1
        self.plan += 1
        if self.random.random() < 0.7:
            self.tolerate = self.random.choice(["none", "all", ["expired"], ["unknown_issuer", "expired"]])
            self.profile = self.random.choice(["medium", "high", "legacy"])
            self.cas = self.random.choice([["root"], ["root", "other"], ["root", "other"], ["other"]])
        size = len(self.proxy.log())
        self.proxy.reload(services=self.services())
        found = self.proxy.wait_log(r"reloaded .* is in force|the reload is refused", size)
        assert "refused" not in found[0], self.proxy.report()
        self.look_at_held("policy")

    def look_at_held(self, cause):
        """Those who would be worse off now are out with the alert of that; all others are there."""
        stay = []
        for one in self.held:
            now = self.expected(one.kind, one.name)
            if now[1] == "deny" or (one.was[2] and not now[2]):
                self.steps["revoked"] += 1
                alert = expect.alert(now[0], one.handshake["tls"]["version"])
                assert one.wait_end() == (b"", alert), f"{one.kind} at {one.name}, which was {one.was} and is {now}"
                connection = one.handshake["event"]["id"]
                told = self.proxy.wait_action("connection-revoked", where=lambda e, c=connection: e["tlscribe"]["connection"] == c)
                assert len(told) == 1 and told[0]["tlscribe"]["revoked"]["cause"] == cause, told
                facts = told[0]["tlscribe"]
                assert (facts["class"], facts["decision"], facts["verified"]) == now, told
                one.close()
            else:
                assert one.ask(b"still\n") == b"still\n", f"{one.kind} at {one.name}, which was {one.was} and is {now}"
                stay.append(one)
        self.held = stay

    def end(self):
        for one in self.held:
            one.close()


@pytest.mark.parametrize("seed", [1, 2])
def test_of_random_steps(own_proxies, pki, echo, tmp_path, seed):
    world = World(own_proxies, pki, echo, tmp_path, seed)
    try:
        for _ in range(STEPS):
            step = world.random.choices([world.visit, world.hold, world.change_lists, world.reload], WEIGHTS)[0]
            step()
        world.look_at_held("no change")
    except AssertionError as e:
        raise AssertionError(f"after {world.steps} with seed {seed}: {e}") from e
    finally:
        world.end()
    # That it did what it is for.
    assert min(world.steps.values()) >= 1 and world.steps["resumed"] >= 10, world.steps
