"""An open connection ends when what it was let in for is no longer so: a date, a CRL, a list, or the policy. The record says why, and
the client gets the alert of the class."""

from datetime import timedelta

import pytest

from lib import crl, live
from lib.pki import now
from lib.proxy import service

VERSIONS = ["1.2", "1.3"]


@pytest.fixture
def stage(own_proxies, pki, echo, tmp_path):
    def make(*args, **more):
        return live.Stage(own_proxies, pki, echo, tmp_path, *args, **more)
    return make


def moment(seconds):
    """RFC 3339, so many whole seconds from now."""
    return (now() + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_certificate_that_expires(stage, pki, version):
    at = stage()
    stays = at.hold(pki.client("good"), version)
    ends = at.hold(live.short_lived(pki, f"brief-{version}", 4), version)
    ends.ended(45)
    event = at.revoked(ends, "expired", "date")
    # Not before it is so, and RFC 5280 4.1.2.5: notAfter is the last moment that counts.
    assert event["@timestamp"][:19] > event["tls"]["client"]["not_after"][:19]
    assert event["tlscribe"]["findings"][0]["class"] == "expired" and event["event"]["code"] == "10"
    assert at.end_of(ends) == "revoked"
    at.is_served(stays)


def test_an_issuer_that_expires(stage, pki):
    at = stage()
    ends = at.hold(pki.leaf("below-brief-ca", live.short_lived_authority(pki, "brief-ca", 4)))
    ends.ended(45)
    event = at.revoked(ends, "expired", "date")
    assert [(one["class"], one["depth"]) for one in event["tlscribe"]["findings"]] == [("expired", 1)]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_crl_that_is_replaced(stage, pki, version):
    at = stage(lists=["crl"])
    ends, stays = at.hold(pki.client("good"), version), at.hold(pki.client("good_rsa"), version)
    at.write_crl(pki.client("good"))
    ends.ended(44)
    event = at.revoked(ends, "revoked", "list")
    assert event["tlscribe"]["revocation"]["status"] == "revoked"
    assert event["tlscribe"]["policy"]["epoch"] > ends.handshake["tlscribe"]["policy"]["epoch"]
    assert at.end_of(ends) == "revoked"
    at.is_served(stays)


def test_a_crl_that_grows_too_old(stage, pki):
    """revocation: hard, and nobody brings a new one: RFC 5280 5.1.2.5."""
    at = stage(lists=["crl"])
    crl.put(at.crl, crl.pem(crl.crl(pki.dev, (), until=now() + timedelta(seconds=6))))
    at.reload(at.service())
    ends = at.hold(pki.client("good"))
    ends.ended(46)
    at.revoked(ends, "revocation_unknown", "date")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_deny_list_that_names_it(stage, pki, version):
    at = stage(lists=["deny"])
    ends, stays = at.hold(pki.client("good"), version), at.hold(pki.client("good_rsa"), version)
    at.write_deny(pki.client("good"))
    ends.ended(49)
    at.revoked(ends, "denylisted", "list")
    assert at.end_of(ends) == "revoked"
    at.is_served(stays)


def test_an_allow_list_that_drops_it(stage, pki):
    at = stage(lists=["allow"])
    at.write_allow(pki.client("good"), pki.client("good_rsa"))
    at.reload(at.service())
    ends, stays = at.hold(pki.client("good")), at.hold(pki.client("good_rsa"))
    at.write_allow(pki.client("good_rsa"))
    ends.ended(49)
    at.revoked(ends, "not_allowlisted", "list")
    at.is_served(stays)


def test_a_pinned_certificate_that_is_struck_off(stage, pki):
    at = stage(lists=["allow"], client={"trust": "pinned"})
    at.write_allow(pki.client("self_signed"), pki.client("good"))
    at.reload(at.service())
    ends, stays = at.hold(pki.client("self_signed")), at.hold(pki.client("good"))
    at.write_allow(pki.client("good"))
    ends.ended(49)
    at.revoked(ends, "not_allowlisted", "list")
    at.is_served(stays)


def test_a_reload_that_trusts_another_ca(stage, pki):
    at = stage()
    ends = at.hold(pki.client("good"))
    at.reload(at.service(ca=[str(pki.other.chain_file)]))
    ends.ended(48)
    at.revoked(ends, "unknown_issuer", "policy")


def test_a_reload_that_asks_for_more(stage, pki):
    """Another purpose, another profile: whatever a verdict hangs on."""
    at = stage()
    rsa, ecdsa = at.hold(pki.client("good_rsa")), at.hold(pki.client("good"))
    at.reload(at.service(profile="high"))
    rsa.ended(42)
    at.revoked(rsa, "weak_algorithm", "policy")
    at.is_served(ecdsa)
    at.reload(at.service(purpose="1.3.6.1.4.1.32473.9"))
    ecdsa.ended(43)
    at.revoked(ecdsa, "wrong_purpose", "policy")


@pytest.mark.parametrize("version, alert", [("1.2", 40), ("1.3", 116)])
@pytest.mark.parametrize("before", ["none", "optional"])
def test_a_reload_that_wants_a_certificate_of_the_anonymous(stage, pki, before, version, alert):
    at = stage(before)
    ends = at.hold(None, version)
    assert ends.handshake["tlscribe"]["decision"] == "allow_anonymous"
    at.reload(at.service("required"))
    ends.ended(alert)
    at.revoked(ends, "no_certificate", "policy")


def test_a_reload_that_removes_the_service(stage, pki, echo):
    other = service("two", pki, echo)
    at = stage(more=[other])
    ends, stays = at.hold(pki.client("good")), at.hold(pki.client("good"), name="two")
    at.reload(other)
    ends.ended(112)
    at.revoked(ends, "unknown_server_name", "removed", denied_by="handshake")
    at.is_served(stays)


def test_a_reload_that_forgives_no_longer(stage, pki):
    at = stage(client={"tolerate": ["expired"]})
    ends = at.hold(pki.client("expired"))
    assert ends.handshake["tlscribe"]["decision"] == "allow_tolerated"
    at.reload(at.service(tolerate="none"))
    ends.ended(45)
    at.revoked(ends, "expired", "policy")


def test_tolerance_that_ends_on_a_date(stage, pki):
    until = moment(4)
    at = stage(client={"tolerate": [{"class": "expired", "until": until}]})
    ends = at.hold(pki.client("expired"))
    ends.ended(45)
    event = at.revoked(ends, "expired", "date")
    assert event["@timestamp"][:19] >= until[:19]


def test_tolerance_that_ends_with_its_time(stage, pki):
    at = stage(client={"tolerate": [{"class": "expired", "for": "5s"}]})
    late = pki.leaf("just-late", pki.dev, not_after=now() - timedelta(seconds=1))
    ends = at.hold(late)
    assert ends.handshake["tlscribe"]["decision"] == "allow_tolerated"
    ends.ended(45)
    at.revoked(ends, "expired", "date")


def test_who_was_verified_and_is_merely_tolerated_now(stage, pki):
    """Back ends were told that it is verified; it may come back, and is told of as what it is."""
    at = stage(client={"tolerate": ["expired"]})
    brief = live.short_lived(pki, "brief-tolerated", 4)
    ends = at.hold(brief)
    assert ends.handshake["tlscribe"]["verified"] is True
    ends.ended(45)
    at.revoked(ends, "expired", "date", decision="allow_tolerated")
    again = at.hold(brief)
    assert again.handshake["tlscribe"]["decision"] == "allow_tolerated"


def test_a_new_word_reaches_those_who_were_let_in_before_a_reload(stage, pki):
    """They live on by the back end of then, not by its lists."""
    at = stage(lists=["deny"])
    ends, stays = at.hold(pki.client("good")), at.hold(pki.client("good_rsa"))
    at.reload({**at.service(), "labels": {"round": "2"}})
    at.is_served(stays)
    at.is_served(ends)
    at.write_deny(pki.client("good"))
    ends.ended(49)
    at.revoked(ends, "denylisted", "list")
    at.is_served(stays)
