"""Connections that are held open while something changes, what is changed, and how each of them ends."""

import ssl
from datetime import timedelta

from lib import clients, crl, der, expect, httpclient, procs
from lib.pki import certificate, now
from lib.proxy import service

# What OpenSSL calls the alerts that it gets (ssl/ssl_err.c), by their numbers in RFC 8446 6.
ALERTS = {"SSLV3_ALERT_UNEXPECTED_MESSAGE": 10, "SSLV3_ALERT_HANDSHAKE_FAILURE": 40, "SSLV3_ALERT_BAD_CERTIFICATE": 42,
          "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": 43, "SSLV3_ALERT_CERTIFICATE_REVOKED": 44, "SSLV3_ALERT_CERTIFICATE_EXPIRED": 45,
          "SSLV3_ALERT_CERTIFICATE_UNKNOWN": 46, "TLSV1_ALERT_UNKNOWN_CA": 48, "TLSV1_ALERT_ACCESS_DENIED": 49,
          "TLSV1_ALERT_DECRYPT_ERROR": 51, "TLSV1_ALERT_PROTOCOL_VERSION": 70, "TLSV1_ALERT_INTERNAL_ERROR": 80,
          "TLSV1_UNRECOGNIZED_NAME": 112, "TLSV13_ALERT_CERTIFICATE_REQUIRED": 116}


class Held(clients.Tls):
    """One that stays open. It does not read until wait_end()."""

    def wait_end(self):
        """(what came until the end, the alert that it ended with: None is close_notify, "cut" neither)."""
        self.socket.suppress_ragged_eofs = False
        got = b""
        while True:
            try:
                part = self.socket.recv(65536)
            except ssl.SSLError as e:
                if isinstance(e, ssl.SSLEOFError) or "EOF" in str(e):
                    return got, "cut"
                assert e.reason in ALERTS, e
                return got, ALERTS[e.reason]
            except ConnectionError:
                return got, "cut"
            if not part:
                return got, None
            got += part

    def ended(self, alert):
        """Ends with this alert, and without a byte."""
        assert self.wait_end() == (b"", alert)


class Holder:
    """Connections to one service through `address`, with what is on record of each."""

    def __init__(self, proxy, name="one"):
        self.proxy, self.name, self.open = proxy, name, []
        self.address = proxy.config["listeners"][0]["bind"]

    def hold(self, client=None, version=None, name=None):
        """One that is served."""
        one = Held(self.address, f"{name or self.name}.example", client, version)
        self.open.append(one)
        assert one.ask() == b"ping\n"
        one.handshake = self.proxy.event_of(one.local)
        one.id = one.handshake["event"]["id"]
        return one

    def close(self):
        for one in self.open:
            one.close()

    def revocations(self, one):
        return [e for e in self.proxy.actions("connection-revoked") if e["tlscribe"]["connection"] == one.id]

    def revoked(self, one, name, cause, **more):
        """Waits for its connection-revoked, and holds it against what it has to say."""
        found = procs.wait_for(lambda: self.revocations(one), lambda: f"connection-revoked\n{self.proxy.report()}")
        assert len(found) == 1, found
        check(found[0], one.handshake, name, cause, **more)
        return found[0]

    def is_served(self, one):
        """As well as ever, and nothing was said of it."""
        assert one.ask(b"still\n") == b"still\n"
        assert self.revocations(one) == []


def check(event, handshake, name, cause, *, decision="deny", denied_by="verify", closed=True, verified=False):
    """Holds a connection-revoked event against the handshake that let the connection in, and what became of it."""
    about = f"in {event}"
    head, facts, before = event["event"], event["tlscribe"], handshake["tlscribe"]
    assert facts["class"] == head["reason"] == name, about
    assert head["outcome"] == "failure" and head["severity"] == max(3, expect.CLASSES[name].severity), about
    assert head["type"] == ["connection", "end" if closed else "info"], about
    assert facts["decision"] == decision and facts.get("denied_by") == (denied_by if decision == "deny" else None), about
    assert facts["verified"] is verified and ("name" in event.get("user", {})) is verified, about
    assert facts["revoked"] == {"cause": cause, "closed": closed, "decision_before": before["decision"]}, about
    assert head["id"] != facts["connection"] == handshake["event"]["id"], about
    assert event["source"]["ip"] == handshake["source"]["ip"] and event["source"]["port"] == handshake["source"]["port"], about
    assert event["service"] == handshake["service"], about
    if facts.get("evidence", {}).get("presented"):
        for key in ("hash", "subject", "issuer", "not_before", "not_after"):
            assert event["tls"]["client"][key] == handshake["tls"]["client"][key], about


class Stage:
    """A proxy whose service `one` has these kinds of `lists` (deny, allow, crl), and what can be done about its clients. One worker, so
    that what befalls one connection has been looked for at all that were opened after it."""

    def __init__(self, own_proxies, pki, upstream, folder, verify="required", *, lists=(), client=None, more=(), **options):
        self.pki, self.upstream, self.verify, self.more = pki, upstream, verify, list(more)
        self.deny, self.allow, self.crl = (folder / kind for kind in ("deny", "allow", "crl"))
        self.client = {**{kind: [getattr(self, kind)] for kind in lists}, **(client or {})}
        if "crl" in lists:
            self.client.setdefault("revocation_scope", "leaf")
        self.options = {"connection_end": True, **options}
        self.write_deny()
        self.write_allow(pki.client("good"))
        self.write_crl()
        self.proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [self.service(), *self.more], workers=1)
        self.address = self.proxy.config["listeners"][0]["bind"]
        self.holder = Holder(self.proxy)
        self.hold, self.revoked, self.is_served = self.holder.hold, self.holder.revoked, self.holder.is_served

    def service(self, verify=None, **client):
        """As it is, but for this."""
        verify = verify or self.verify
        client = {} if verify == "none" else {**self.client, **client}
        ca = None if client.get("trust") == "pinned" else "root"
        return service("one", self.pki, self.upstream, verify, ca=ca, client=client, **self.options)

    def write_deny(self, *identities):
        write_list(self.deny, identities)

    def write_allow(self, *identities):
        write_list(self.allow, identities)

    def write_crl(self, *identities):
        crl.put(self.crl, crl.pem(crl.crl(self.pki.dev, identities)))

    def reload(self, *services):
        """A new configuration, until the worker has it."""
        size = len(self.proxy.log())
        self.proxy.reload(services=list(services))
        found = self.proxy.wait_log(r"reloaded .* is in force|the reload is refused", size)
        assert "refused" not in found[0], self.proxy.report()

    def event(self, client, version=None):
        """Of a new connection."""
        return self.proxy.event_of(clients.probe(self.address, "one.example", client, version).local)

    def end_of(self, one):
        """The reason of its connection-end."""
        return self.proxy.wait_action("connection-end", where=lambda e: e["tlscribe"]["connection"] == one.id)[0][
            "tlscribe"]["close_reason"]


def write_list(path, identities):
    crl.put(path, "".join(f"{one.sha256}  # {one.label}\n" for one in identities).encode() or b"# nobody\n")


def wait_lists(proxy, after):
    """Until every worker has lists that were changed; `after` is the length of the log before."""
    proxy.wait_log(r"CRLs and lists changed: configuration \d+ is in force", after)


def short_lived(pki, label, seconds, above=None, **fields):
    """A client whose certificate is over in so many seconds."""
    return pki.leaf(label, above or pki.dev, not_after=now() + timedelta(seconds=seconds), **fields)


def short_lived_authority(pki, label, seconds):
    """A CA below the root that is over in so many seconds."""
    ca = pki.authority(label, above=pki.root)
    ca.chain[0] = certificate(subject=ca.subject, issuer=pki.root.subject, key=ca.key, signer=pki.root.key,
                              not_after=now() + timedelta(seconds=seconds),
                              extensions=[der.basic_constraints(True), der.key_usage("keyCertSign", "cRLSign")])
    return ca


class HeldHttp(httpclient.Http):
    """The same for mode http."""

    def ended(self, alert):
        """What came until the end, which has to be this alert."""
        try:
            self.wait_end()
        except ssl.SSLError as e:
            assert ALERTS.get(e.reason) == alert, e
            return self.raw
        raise AssertionError(f"the connection {self.end} without an alert; it gave {self.raw[-500:]!r}")


def http(at, client=None, version=None):
    """A connection to a Stage in mode http."""
    one = HeldHttp(at.address, "one.example", client, version=version)
    at.holder.open.append(one)
    one.handshake = at.proxy.event_of(one.local)
    one.id = one.handshake["event"]["id"]
    return one
