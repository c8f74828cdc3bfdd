"""A line in a list works within seconds, without a signal; a list that cannot be read changes nothing."""

import hashlib
import os

import pytest

from lib import clients, crl, procs
from lib.proxy import service
from lib.renewal import renewals, wait_renewal


class Place:
    """A service `allow` and a service `deny`, each with a list of one file."""

    def __init__(self, own_proxies, pki, echo, folder, **client):
        self.good, self.other = pki.client("good"), pki.client_cached("lists-other")
        self.allow, self.deny = folder / "allow", folder / "deny"
        self.allow.write_text(self.good.sha256 + "\n")
        self.deny.write_text("# nobody yet\n")
        self.proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [
            service("allow", pki, echo, client={"allow": [self.allow], **client}),
            service("deny", pki, echo, client={"deny": [self.deny], **client})])
        self.address = self.proxy.config["listeners"][0]["bind"]

    def verdict(self, name, client=None):
        return self.event(name, client)["tlscribe"]["class"]

    def event(self, name, client=None):
        return self.proxy.event_of(clients.probe(self.address, f"{name}.example", client or self.good).local)


@pytest.fixture
def place(own_proxies, pki, echo, tmp_path):
    return Place(own_proxies, pki, echo, tmp_path)


@pytest.mark.parametrize("how", ["renamed", "in-place", "appended"])
def test_a_new_line_is_taken(place, how):
    assert (place.verdict("deny"), place.verdict("allow", place.other)) == ("ok", "not_allowlisted")
    lines = {place.deny: f"# stolen\n{place.good.sha256}\n", place.allow: f"{place.good.sha256}\n{place.other.sha256}\n"}
    for path, text in lines.items():
        if how == "renamed":
            crl.put(path, text.encode())
        elif how == "in-place":
            path.write_text(text)
        else:
            with open(path, "a", encoding="ascii") as file:
                file.write(text)
    procs.wait_for(lambda: place.verdict("deny") == "denylisted", place.proxy.report, pause=0.25)
    procs.wait_for(lambda: place.verdict("allow", place.other) == "ok", place.proxy.report, pause=0.25)
    assert (place.verdict("deny", place.other), place.verdict("allow")) == ("ok", "ok")


def test_a_line_that_goes_takes_its_effect_along(place):
    place.deny.write_text(place.good.sha256)
    wait_renewal(place.proxy, 0)
    assert place.verdict("deny") == "denylisted"
    place.deny.write_text("")
    wait_renewal(place.proxy, 1)
    assert place.verdict("deny") == "ok"
    place.allow.write_text(place.other.sha256)
    wait_renewal(place.proxy, 2)
    assert (place.verdict("allow"), place.verdict("allow", place.other)) == ("not_allowlisted", "ok")


def test_an_allow_list_that_becomes_empty_lets_nobody_in(place):
    """It does not become a list of everybody."""
    place.allow.write_text("")
    wait_renewal(place.proxy, 0)
    assert (place.verdict("allow"), place.verdict("allow", place.other)) == ("not_allowlisted", "not_allowlisted")
    place.proxy.wait_log(f"allow list {place.allow} is empty: nobody is on it")


def test_a_change_is_on_record_before_it_is_in_force(place):
    before = place.event("deny")["tlscribe"]["policy"]
    place.deny.write_text(place.good.sha256)
    entry = wait_renewal(place.proxy, 0)
    event = place.event("deny")
    assert event["tlscribe"]["policy"] == entry["tlscribe"]["policy"]
    assert entry["tlscribe"]["policy"]["epoch"] == before["epoch"] + 1 and entry["tlscribe"]["policy"]["sha256"] != before["sha256"]
    assert entry["event"]["sequence"] < event["event"]["sequence"]
    rows = {row["kind"]: row for row in entry["tlscribe"]["audit"]["files"]}
    for kind, path in (("allow", place.allow), ("deny", place.deny)):
        assert (rows[kind]["path"], rows[kind]["entries"]) == (str(path), 1)
        assert rows[kind]["sha256"].lower() == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("spoil", ["deleted", "wrong-line", "binary", "fifo"])
def test_what_cannot_be_read_changes_nothing(place, spoil):
    place.deny.write_text(place.other.sha256)
    wait_renewal(place.proxy, 0)
    size = len(place.proxy.log())
    for path in (place.deny, place.allow):
        if spoil in ("deleted", "fifo"):
            path.unlink()
        if spoil == "fifo":
            os.mkfifo(path)
        elif spoil != "deleted":
            path.write_bytes({"wrong-line": b"# two\nnot a fingerprint\n", "binary": bytes(range(256)) * 20}[spoil])
    for path in (place.deny, place.allow):
        place.proxy.wait_log(f"{path}:2" if spoil == "wrong-line" else str(path), size)
    place.proxy.wait_log("the ones of before stay in force", size)
    assert (place.verdict("deny"), place.verdict("deny", place.other)) == ("ok", "denylisted")
    assert (place.verdict("allow"), place.verdict("allow", place.other)) == ("ok", "not_allowlisted")
    assert len(renewals(place.proxy)) == 1
    for path, client in ((place.deny, place.other), (place.allow, place.good)):
        crl.put(path, (client.sha256 + "\n").encode())
    place.proxy.wait_log("all CRLs and lists can be read again", size)


def test_who_is_connected_and_denied_is_out(place):
    with clients.Tls(place.address, "deny.example", place.good) as live, clients.Tls(place.address, "deny.example", place.other) as other:
        assert live.ask() == other.ask() == b"ping\n"
        place.deny.write_text(place.good.sha256)
        [event] = place.proxy.wait_action("connection-revoked")
        assert event["tlscribe"]["class"] == "denylisted" and event["event"]["code"] == "1004"
        assert event["tlscribe"]["connection"] == place.proxy.event_of(live.local)["event"]["id"]
        with pytest.raises(OSError):
            while live.ask():
                pass
            raise OSError("ended without a word")
        assert other.ask() == b"ping\n"
