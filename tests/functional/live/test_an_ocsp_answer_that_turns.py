"""What a responder said is asked for again when it is out of date, by those who live by it: who is revoked now ends now. The responder
is `openssl ocsp` behind a web server of Python's; as its dates are whole minutes at least, the short-lived answers are made here."""

from datetime import timedelta

import pytest

from lib import crl, live, ocsp, procs
from lib.pki import now
from lib.proxy import service
from lib.web import Web


@pytest.fixture
def web():
    one = Web()
    yield one
    one.close()


@pytest.fixture
def responder(pki, tmp_path):
    one = ocsp.Responder(tmp_path / "ocsp", pki.dev)
    one.good(pki.client("good"), pki.client("good_rsa"))
    return one


@pytest.fixture
def stage(own_proxies, pki, echo, tmp_path, web):
    def make(mode="hard", **more):
        client = {"ocsp": {"mode": mode, "responder": web.url("/ocsp"), "timeout": "9s"}, **more.pop("client", {})}
        return live.Stage(own_proxies, pki, echo, tmp_path, client=client, **more)
    return make


def good_for(pki, seconds):
    """An answer about the client `good` that is out of date after so many seconds."""
    return ocsp.reply(ocsp.forge(pki.client("good"), pki.dev, pki.dev, until=now() + timedelta(seconds=seconds)))


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_revoked_when_it_is_asked_again(stage, pki, web, responder, version):
    at = stage()
    responder.revoke(pki.client("good"))
    first = [good_for(pki, 4)]
    web.pages["/ocsp"] = lambda request: first.pop() if first else responder.page(request)
    ends = at.hold(pki.client("good"), version)
    assert ends.handshake["tlscribe"]["revocation"] | {"source": "ocsp", "status": "good"} == \
        ends.handshake["tlscribe"]["revocation"]
    ends.ended(44)
    event = at.revoked(ends, "revoked", "date")
    assert event["tlscribe"]["revocation"]["source"] == "ocsp" and event["tlscribe"]["revocation"]["status"] == "revoked"
    assert at.end_of(ends) == "revoked"
    assert at.event(pki.client("good"))["tlscribe"]["class"] == "revoked"
    assert web.count("/ocsp") == 2, "one answer does for all"


def test_still_good_when_it_is_asked_again(stage, pki, web, responder):
    at = stage()
    web.pages["/ocsp"] = lambda request: good_for(pki, 3) if web.count("/ocsp") < 3 else responder.page(request)
    stays = at.hold(pki.client("good"))
    web.wait("/ocsp", 3)
    at.is_served(stays)
    assert at.event(pki.client("good"))["tlscribe"]["verified"] is True


def test_hard_ends_whom_nobody_vouches_for_any_more(stage, pki, web):
    at = stage()
    first = [good_for(pki, 4)]
    web.pages["/ocsp"] = lambda request: first.pop() if first else None
    ends = at.hold(pki.client("good"))
    web.wait("/ocsp")
    web.stop()
    ends.ended(46)
    at.revoked(ends, "revocation_unknown", "date")


def test_soft_keeps_whom_nobody_vouches_for_any_more(stage, pki, web):
    """Until somebody says that it is revoked."""
    at = stage("soft")
    control = at.hold(live.short_lived(pki, "ocsp-control", 8))
    first = [good_for(pki, 3)]
    web.pages["/ocsp"] = lambda request: first.pop() if first else ocsp.reply(b"")
    stays = at.hold(pki.client("good"))
    control.ended(45)
    assert web.count("/ocsp") >= 2
    at.is_served(stays)


def test_a_reload_that_asks_for_it(own_proxies, pki, echo, tmp_path, web, responder):
    at = live.Stage(own_proxies, pki, echo, tmp_path)
    responder.revoke(pki.client("good"))
    web.pages["/ocsp"] = responder.page
    ends, stays = at.hold(pki.client("good")), at.hold(pki.client("good_rsa"))
    at.reload(at.service(ocsp={"mode": "hard", "responder": web.url("/ocsp")}))
    ends.ended(44)
    at.revoked(ends, "revoked", "policy")
    web.wait("/ocsp", 2)
    at.is_served(stays)


def test_a_list_that_changes_while_the_answer_is_on_its_way(stage, pki, web, responder):
    """The handshake waits for it, and is judged by the lists of when it comes."""
    at = stage(lists=["deny"])
    web.pages["/ocsp"] = responder.page
    web.hold()
    waits = live.Held(at.address, "one.example", pki.client("good"))
    at.holder.open.append(waits)
    web.wait("/ocsp")
    at.write_deny(pki.client("good"))
    live.wait_lists(at.proxy, 0)
    web.release()
    waits.ended(49)
    event = at.proxy.event_of(waits.local)["tlscribe"]
    assert (event["class"], event["decision"], event["policy"]["epoch"]) == ("denylisted", "deny", 2)
    assert at.proxy.actions("connection-revoked") == []


def test_a_live_one_that_waits_for_an_answer_does_not_wait_to_be_denied(stage, pki, web, responder):
    """It is asked about again, the responder takes its time, and a list names it: that is enough."""
    at = stage(lists=["deny"])
    first = [good_for(pki, 3)]
    web.pages["/ocsp"] = lambda request: first.pop() if first else responder.page(request)
    ends = at.hold(pki.client("good"))
    web.hold()
    web.wait("/ocsp", 2)
    at.write_deny(pki.client("good"))
    ends.ended(49)
    web.release()
    at.revoked(ends, "denylisted", "list")


def test_one_that_expires_while_the_answer_is_on_its_way(stage, pki, web, responder):
    """What was good when it was asked about is judged by when it is let in."""
    at = stage()
    over = now() + timedelta(seconds=4)
    brief = live.short_lived(pki, "ocsp-brief", 3)
    responder.good(brief)
    web.hold()
    web.pages["/ocsp"] = responder.page
    waits = live.Held(at.address, "one.example", brief)
    at.holder.open.append(waits)
    web.wait("/ocsp")
    procs.wait_for(lambda: now() >= over, "the end of the certificate")
    web.release()
    waits.ended(45)
    assert at.proxy.event_of(waits.local)["tlscribe"]["class"] == "expired"


def test_a_service_that_goes_while_the_answer_is_on_its_way(stage, pki, web, responder, echo):
    at = stage("hard", more=[service("two", pki, echo)])
    first = [good_for(pki, 3)]
    web.pages["/ocsp"] = lambda request: first.pop() if first else responder.page(request)
    ends = at.hold(pki.client("good"))
    web.hold()
    web.wait("/ocsp", 2)
    at.reload(*at.more)
    ends.ended(112)
    web.release()
    at.revoked(ends, "unknown_server_name", "removed", denied_by="handshake")


def test_the_word_about_hundreds_that_runs_out_at_once(stage, pki, web):
    """As with responders that sign all answers in one night: there are more than the proxy asks about at a time, and each has its turn."""
    at = stage()
    key = pki.client("good").key
    leaves = [pki.leaf(f"ocsp-many-{n}", pki.dev, key=key) for n in range(300)]
    serials = {crl.serial_of(one).to_bytes(20, "big").lstrip(b"\0"): one for one in leaves}
    over = now() + timedelta(seconds=15)
    early, again = set(), set()  # of whom something that runs out then was said, and who were asked about once more

    def page(request):
        [leaf] = [one for serial, one in serials.items() if serial in request.body]
        soon = now() < over
        (early if soon else again).add(leaf.label)
        return ocsp.reply(ocsp.forge(leaf, pki.dev, pki.dev, until=over if soon else over + timedelta(days=1)))
    web.pages["/ocsp"] = page
    held = []
    try:
        for one in leaves:
            held.append(live.Held(at.address, "one.example", one))
            assert held[-1].ask() == b"ping\n"
        print(f"{len(early)} answers run out at once")
        procs.wait_for(lambda: now() >= over and early <= again, lambda: f"questions about {early - again}\n{at.proxy.report()}")
        for one in held:
            assert one.ask(b"still\n") == b"still\n"
    finally:
        for one in held:
            one.close()
    assert at.proxy.actions("connection-revoked") == []
