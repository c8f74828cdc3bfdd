"""Changes that concern others, or that change nothing, leave a connection alone: no event, no byte, no delay. The one that ends in each
test was opened first and is looked at last, so that everybody has been looked at by then."""

from datetime import timedelta

import pytest

from lib import clients, crl, live
from lib.pki import now
from lib.proxy import service


@pytest.fixture
def stage(own_proxies, pki, echo, tmp_path):
    def make(*args, **more):
        return live.Stage(own_proxies, pki, echo, tmp_path, *args, **more)
    return make


def test_the_list_of_another_service(stage, pki, echo, tmp_path):
    theirs = tmp_path / "theirs"
    live.write_list(theirs, [])
    at = stage(lists=["deny", "allow", "crl"], more=[service("two", pki, echo, client={"deny": [theirs]})])
    control, stays = at.hold(pki.client("good"), name="two"), at.hold(pki.client("good"))
    live.write_list(theirs, [pki.client("good")])
    control.ended(49)
    at.revoked(control, "denylisted", "list")
    at.is_served(stays)


def test_lists_with_the_same_content(stage, pki, echo, tmp_path):
    theirs = tmp_path / "theirs"
    live.write_list(theirs, [])
    at = stage(lists=["deny", "allow", "crl"], more=[service("two", pki, echo, client={"deny": [theirs]})])
    control, stays = at.hold(pki.client("good"), name="two"), at.hold(pki.client("good"))
    for path in (at.deny, at.allow, at.crl):
        crl.put(path, path.read_bytes())
    live.write_list(theirs, [pki.client("good")])
    control.ended(49)
    at.is_served(stays)


def test_lists_that_name_somebody_else(stage, pki):
    at = stage(lists=["deny", "allow", "crl"])
    at.write_allow(pki.client("good"), pki.client("good_rsa"))
    at.reload(at.service())
    control, stays = at.hold(pki.client("good_rsa")), at.hold(pki.client("good"))
    at.write_crl(pki.client("expired"), pki.client("good_rsa"))
    control.ended(44)
    at.is_served(stays)


def test_a_list_that_cannot_be_read(stage, pki):
    """What was in force before stays in force; so it is for those who are in."""
    at = stage(lists=["deny", "crl"])
    stays = at.hold(pki.client("good"))
    size = len(at.proxy.log())
    at.deny.write_bytes(b"neither a fingerprint nor anything else\n")
    at.proxy.wait_log("the ones of before stay in force", size)
    at.is_served(stays)
    size = len(at.proxy.log())
    at.crl.write_bytes(b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n")
    at.proxy.wait_log("the ones of before stay in force", size)
    at.is_served(stays)
    live.write_list(at.deny, [pki.client("expired")])
    at.write_crl(pki.client("good"))
    stays.ended(44)


def test_a_reload_that_changes_nothing_for_it(stage, pki, echo):
    """Labels, another service, more tolerance, and trust in one more CA."""
    at = stage(more=[service("two", pki, echo)])
    control, stays = at.hold(pki.client("good"), name="two"), at.hold(pki.client("good"))
    at.reload({**at.service(), "labels": {"site": "x"}}, service("two", pki, echo))
    at.is_served(control)
    at.is_served(stays)
    at.reload(at.service(tolerate=["expired"], ca=[pki.root.chain_file, pki.other.chain_file]))
    control.ended(112)
    at.is_served(stays)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_the_anonymous_and_those_that_nobody_judged(stage, pki, echo, version):
    """optional: who showed nothing. none: who was not asked. passthrough: who was not good in the first place."""
    at = stage("optional", lists=["deny", "crl"],
               more=[service("none", pki, echo, "none"), service("pass", pki, echo, "passthrough"),
                     service("unchecked", pki, echo, "passthrough", ca=None)])
    control = at.hold(pki.client("good"), version)
    stay = [at.hold(None, version), at.hold(None, version, "none"), at.hold(None, version, "pass"),
            at.hold(pki.client("self_signed"), version, "pass"), at.hold(pki.client("expired"), version, "pass"),
            at.hold(pki.client("expired"), version, "unchecked")]
    assert {one.handshake["tlscribe"]["decision"] for one in stay} == {"allow_anonymous", "allow_unverified"}
    at.write_deny(pki.client("good"), pki.client("self_signed"), pki.client("expired"))
    control.ended(49)
    for one in stay:
        at.is_served(one)
    at.reload(at.service(profile="high"), *at.more)
    for one in stay:
        at.is_served(one)


def test_passthrough_ends_what_it_called_verified(stage, pki):
    """It refuses nobody: who comes back is let in as what it is now. Only the word `verified` is not left standing."""
    at = stage("passthrough", lists=["deny"])
    ends = at.hold(pki.client("good"))
    assert ends.handshake["tlscribe"]["verified"] is True
    at.write_deny(pki.client("good"))
    ends.ended(49)
    at.revoked(ends, "denylisted", "list", decision="allow_unverified")
    again = at.hold(pki.client("good"))
    assert again.handshake["tlscribe"]["decision"] == "allow_unverified"


def test_tolerance_that_goes_on(stage, pki):
    """Two faults, both forgiven, and one of them for some seconds more than the other is looked at."""
    at = stage(client={"tolerate": [{"class": "expired", "for": "400d"}, "weak_algorithm"]})
    control, stays = at.hold(live.short_lived(pki, "brief-control", 4)), at.hold(pki.client("expired"))
    # The control was verified, and is tolerated from then on.
    control.ended(45)
    at.is_served(stays)
    assert stays.handshake["tlscribe"]["decision"] == "allow_tolerated"


def test_a_certificate_that_becomes_valid(stage, pki):
    """Tolerated while it was not yet valid, verified from then on: nobody is ended for getting better."""
    at = stage(client={"tolerate": ["not_yet_valid"]})
    early = pki.leaf("early", pki.dev, not_before=now() + timedelta(seconds=3))
    control, stays = at.hold(live.short_lived(pki, "brief-later", 5)), at.hold(early)
    assert stays.handshake["tlscribe"]["class"] == "not_yet_valid"
    control.ended(45)
    at.is_served(stays)
    assert at.event(early)["tlscribe"]["verified"] is True


def test_on_change_log_says_it_once_and_leaves_it(stage, pki):
    at = stage(lists=["deny", "crl"], client={"on_change": "log"})
    stays = at.hold(pki.client("good"))
    at.write_deny(pki.client("good"))
    at.revoked(stays, "denylisted", "list", closed=False)
    assert stays.ask(b"still\n") == b"still\n"
    at.write_crl(pki.client("good"))
    at.proxy.wait_log("(?s)CRLs and lists changed.*CRLs and lists changed")
    assert at.event(pki.client("good"))["tlscribe"]["decision"] == "deny"
    assert stays.ask(b"still\n") == b"still\n"
    assert len(at.holder.revocations(stays)) == 1
    stays.finish()
    assert at.end_of(stays) == "client_closed"


def test_on_change_close_ends_what_was_only_logged(stage, pki):
    """Whoever changes the option after reading the record means those connections."""
    at = stage(lists=["deny"], client={"on_change": "log"})
    ends = at.hold(pki.client("good"))
    at.write_deny(pki.client("good"))
    at.revoked(ends, "denylisted", "list", closed=False)
    at.reload(at.service(on_change="close"))
    ends.ended(49)
    told = at.holder.revocations(ends)
    assert [one["tlscribe"]["revoked"]["closed"] for one in told] == [False, True]
    assert told[1]["tlscribe"]["revoked"]["cause"] == "policy"
    assert clients.probe(at.address, "one.example", pki.client("good")).alert == 49
