"""What the contract says of each class: the table of src/peer/classes.def, read from there, and the decisions of the modes."""

import re
from pathlib import Path

TABLE = Path(__file__).resolve().parents[3] / "src" / "peer" / "classes.def"


class Class:
    def __init__(self, name, leaf, issuer, alert, severity, tolerable):
        self.name, self.leaf, self.issuer = name, leaf, issuer
        self.alert, self.severity, self.tolerable = alert, severity, tolerable


def read():
    row = re.compile(r'CLASS\(\w+,\s*"(\w+)",\s*(\d+),\s*(\d+),\s*(\d+),\s*(\d+),\s*(true|false),')
    return {m[1]: Class(m[1], *map(int, m.groups()[1:5]), m[6] == "true") for m in row.finditer(TABLE.read_text())}


CLASSES = read()
FINAL = ("malformed_certificate", "possession_failed", "unsupported_key", "limit_exceeded")


def alert(name, version):
    """The alert a refused client gets; None: none is sent. 116 is TLS 1.3's alone."""
    number = CLASSES[name].alert
    if number == 116 and version == "1.2":
        return 40
    return number or None


def decision(mode, name, quarantine=False):
    """(class in the event, decision, denied_by) of a client that is `name`, on a service without tolerance. `quarantine`:
    the service has one, and the handshake was completed."""
    found, decided, denied_by = decision_without_quarantine(mode, name)
    if quarantine and denied_by == "verify":
        return found, "quarantine", None
    return found, decided, denied_by


def decision_without_quarantine(mode, name):
    if mode == "none":
        return "not_requested", "allow_anonymous", None
    if name == "ok":
        if mode == "unchecked":
            return "not_checked", "allow_unverified", None
        return "ok", "allow", None
    if name == "no_certificate":
        if mode == "required":
            return name, "deny", "verify"
        return name, "allow_anonymous", None
    if name in FINAL:
        return name, "deny", "limit" if name == "limit_exceeded" else "verify"
    if mode == "unchecked":
        return "not_checked", "allow_unverified", None
    if mode == "passthrough":
        return name, "allow_unverified", None
    return name, "deny", "verify"


def check(event, name, *, decision, denied_by=None, version=None, mode=None, service=None, possession=None,
          chain_length=None, depth=None, code=None, verified=False, sent="by class", direction="ingress",
          connection=None):
    """Holds one handshake event against what it has to say. Of an egress one, `mode` is that of the upstream's tls."""
    about = f"in {event}"
    facts, head = event["tlscribe"], event["event"]
    assert facts["class"] == name, f"class {facts['class']}, not {name} {about}"
    if denied_by != "rule":
        assert head["reason"] == name, about
    assert facts["decision"] == decision, about
    assert facts.get("denied_by") == denied_by, about
    assert facts["verified"] is verified, about
    assert head["outcome"] == ("failure" if decision == "deny" else "success"), about
    assert ("denied" if decision == "deny" else "allowed") in head["type"] or "error" in head["type"], about
    assert head["severity"] == CLASSES[name].severity, about
    wanted = code if code is not None else CLASSES[name].issuer if depth else CLASSES[name].leaf
    assert head["code"] == str(wanted), f"code {head['code']}, not {wanted} {about}"
    if mode is not None:
        assert facts["verify_mode"] == mode, about
    if service is not None:
        assert event["service"]["name"] == service, about
    if version is not None:
        assert event["tls"]["version"] == version, about
    if possession is not None:
        assert facts["evidence"].get("possession") == possession, about
    if chain_length is not None:
        assert facts["evidence"].get("chain_length", 0) == chain_length, about
        assert facts["evidence"].get("presented", False) is (chain_length > 0), about
    if depth is not None:
        mine = [f for f in facts["findings"] if f["class"] == name]
        assert mine and mine[0]["depth"] == depth, f"no {name} at depth {depth} {about}"
    if sent == "by class":
        sent = alert(name, version) if decision == "deny" else None
    assert facts.get("alert", {}).get("sent") == sent, f"alert {facts.get('alert')}, not {sent} {about}"
    assert event["network"]["direction"] == direction, about
    assert facts.get("connection") == connection, about
    # The peer's certificate stands on its side of tls, and of ours there is the fingerprint.
    assert set(event["tls"].get("client" if direction == "egress" else "server", {})) <= {"server_name", "hash"}, about
    # The identity of whoever was not verified stands nowhere but in tls.client, and a server is no user.
    known = verified and direction == "ingress"
    assert ("user" in event and "name" in event["user"]) is known, about
    assert "user" not in event.get("related", {}) or known, about


def check_request(event, connection, *, status, denied_by=None, method=None, host=None, path=None, query=None,
                  service=None, name="ok", verified=True, server=None):
    """Holds one request or request-denied event of the connection with this id. `status` None: it got no answer; `query`
    None: it is not on the record; `server`: the address of the upstream's server it went to."""
    about = f"in {event}"
    facts, head, http = event["tlscribe"], event["event"], event["http"]
    assert head["action"] == ("request-denied" if denied_by else "request"), about
    assert head["outcome"] == ("failure" if denied_by else "success" if status else "unknown"), about
    assert ("denied" if denied_by else "allowed") in head["type"], about
    assert head.get("reason") == denied_by and facts.get("denied_by") == denied_by, about
    assert facts["connection"] == connection and head["id"] != connection, about
    assert http.get("response", {}).get("status_code") == status, about
    assert facts["class"] == name and facts["verified"] is verified, about
    assert ("name" in event.get("user", {})) is verified, about
    assert event.get("url", {}).get("query") == query, about
    for wanted, found in ((method, http["request"].get("method")), (host, event.get("url", {}).get("domain")),
                          (path, event.get("url", {}).get("path")), (service, event.get("service", {}).get("name")),
                          (server, event.get("server", {}).get("address"))):
        assert wanted is None or wanted == found, f"{found}, not {wanted} {about}"
