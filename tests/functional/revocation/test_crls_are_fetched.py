"""CRLs that are fetched: from the URLs of the configuration alone, kept on disk, and whatever the server does, the old one stays."""

import hashlib

import pytest

from lib import clients, crl, der, expect, procs
from lib.pki import DAY, now
from lib.proxy import service
from lib.recorder import answer
from lib.renewal import renewals, wait_renewal
from lib.web import Web

PATH = "/dev.crl"
MADE = now() - DAY / 2


@pytest.fixture
def web():
    server = Web()
    yield server
    server.close()


class Place:
    """Services `hard` and `soft` that fetch the CRL of `dev`, and a client who is on it and one who is not. `dev` is among their CAs, so
    that whoever fetches can check its signature."""

    def __init__(self, own_proxies, pki, echo, web, start=True, fetch=None, modes=("hard", "soft"), cas=("root", "dev"), **client):
        self.pki, self.web, self.url = pki, web, web.url(PATH)
        self.good, self.revoked = pki.client("good"), pki.client_cached("fetch-revoked")
        self.content = crl.crl(pki.dev, [self.revoked], number=5, since=MADE)
        web.pages.setdefault(PATH, self.content)
        client = {"ca": [getattr(pki, one).chain_file for one in cas], "revocation_scope": "leaf",
                  "crl_fetch": {"urls": [self.url], "interval": "1s", **(fetch or {})}, **client}
        self.proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()],
                                 [service(mode, pki, echo, client={**client, "revocation": mode}) for mode in modes], start=start)
        self.address = self.proxy.config["listeners"][0]["bind"]

    @property
    def kept(self):
        return self.proxy.state / "crl" / (hashlib.sha256(self.url.encode()).hexdigest() + ".crl")

    def fetched(self, after=0):
        self.proxy.wait_log("CRL .* is up to date", after)
        wait_renewal(self.proxy, 0)
        return self

    def event(self, client=None, name="hard"):
        return self.proxy.event_of(clients.probe(self.address, f"{name}.example", client or self.good).local)

    def verdict(self, client=None, name="hard"):
        return self.event(client, name)["tlscribe"]["class"]

    def complains(self, words, after=0):
        self.proxy.wait_log(f"cannot fetch CRL {self.url}: {words}", after)

    def changes(self, page):
        """The server has this now; gives the size of the log before."""
        size = len(self.proxy.log())
        self.web.pages[PATH] = page
        return size


@pytest.fixture
def place(own_proxies, pki, echo, web):
    return Place(own_proxies, pki, echo, web).fetched()


@pytest.fixture(scope="module")
def lasting(proxies, pki, echo):
    """One for all who spoil what the server has."""
    web = Web()
    yield Place(proxies, pki, echo, web).fetched()
    web.close()


def changes_nothing(place, page, words):
    size = place.changes(page)
    place.complains(words + ".*the one of .* stays in use", size)
    assert (place.verdict(), place.verdict(place.revoked)) == ("ok", "revoked")
    assert place.kept.read_bytes() == place.content and len(renewals(place.proxy)) == 1
    # It comes back by itself.
    size = place.changes(place.content)
    place.proxy.wait_log("is up to date again", size)
    assert (place.verdict(), place.verdict(place.revoked)) == ("ok", "revoked")


def test_what_is_fetched_says_who_is_out(place):
    assert (place.verdict(), place.verdict(name="soft")) == ("ok", "ok")
    for name in ("hard", "soft"):
        expect.check(place.event(place.revoked, name), "revoked", decision="deny", denied_by="verify", code=23, depth=0)
    told = place.event()["tlscribe"]["revocation"]
    assert (told["source"], told["status"], told["number"]) == ("crl", "good", "05")
    entry = renewals(place.proxy)[0]
    rows = [row for row in entry["tlscribe"]["audit"]["files"] if row["kind"] == "crl"]
    assert rows and {(row["path"], row["sha256"].lower(), row["entries"]) for row in rows} == {
        (str(place.kept), hashlib.sha256(place.content).hexdigest(), 1)}
    assert place.kept.read_bytes() == place.content


def test_a_new_one_is_fetched_and_taken(place):
    place.web.pages[PATH] = crl.crl(place.pki.dev, [place.good], number=6)
    wait_renewal(place.proxy, 1)
    assert (place.verdict(), place.verdict(place.revoked)) == ("revoked", "ok")


def test_pem_is_taken_as_well(own_proxies, pki, echo, web):
    revoked = pki.client_cached("fetch-revoked")
    web.pages[PATH] = crl.pem(crl.crl(pki.dev, [revoked]))
    place = Place(own_proxies, pki, echo, web).fetched()
    assert (place.verdict(), place.verdict(place.revoked)) == ("ok", "revoked")


def test_nginx_is_asked_only_for_what_is_new(own_proxies, pki, echo, web, nginx):
    """A real server; it says Last-Modified, and answers 304 to those who have it."""
    revoked = pki.client_cached("fetch-revoked")
    nginx.put("fetched.crl", crl.crl(pki.dev))
    url = f"http://{nginx.address}/fetched.crl"
    place = Place(own_proxies, pki, echo, web, fetch={"urls": [url]}).fetched()
    assert place.verdict(revoked) == "ok"
    nginx.put("fetched.crl", crl.crl(pki.dev, [revoked], number=2))
    wait_renewal(place.proxy, 1)
    assert place.verdict(revoked) == "revoked"
    assert web.count() == 0


def test_what_did_not_change_is_not_sent_again(own_proxies, pki, echo, web):
    asked = []

    def page(request):
        asked.append(request.value("If-Modified-Since"))
        if asked[-1] is not None:
            return b"HTTP/1.1 304 Not Modified\r\n\r\n"
        return answer(crl.crl(pki.dev), Last_Modified="Mon, 01 Jan 2024 00:00:00 GMT")
    web.pages[PATH] = page
    place = Place(own_proxies, pki, echo, web).fetched()
    web.wait(PATH, 3)
    assert asked[0] is None and set(asked[1:]) == {"Mon, 01 Jan 2024 00:00:00 GMT"}
    assert place.verdict() == "ok" and len(renewals(place.proxy)) == 1
    assert "cannot fetch" not in place.proxy.log()


def test_a_server_that_is_down_at_the_start_stops_nobody(own_proxies, pki, echo, web):
    web.stop()
    place = Place(own_proxies, pki, echo, web)
    place.complains("cannot connect: Connection refused; there is none, and revocation: hard refuses whoever needs a current one")
    expect.check(place.event(), "revocation_unknown", decision="deny", denied_by="verify", code=3, depth=0)
    expect.check(place.event(name="soft"), "ok", decision="allow", verified=True)
    assert place.event(name="soft")["tlscribe"]["revocation"] == {"status": "unknown"}
    web.start()
    place.fetched()
    assert (place.verdict(), place.verdict(place.revoked, "soft")) == ("ok", "revoked")


def test_a_slow_server_makes_nobody_wait(own_proxies, pki, echo, web):
    web.hold()
    place = Place(own_proxies, pki, echo, web, fetch={"timeout": "300ms"})
    web.wait(PATH)
    assert (place.verdict(), place.verdict(name="soft")) == ("revocation_unknown", "ok")
    place.complains("no whole answer within 300 ms")
    web.release()
    place.fetched()
    assert place.verdict() == "ok"


def test_an_answer_that_stops_in_its_middle_is_none(own_proxies, pki, echo, web):
    content = crl.crl(pki.dev)

    def page(request):
        whole = answer(content)
        request.connection.send(whole[:-10])
        request.connection.reset()
    web.pages[PATH] = page
    place = Place(own_proxies, pki, echo, web)
    place.complains(".*there is none")
    assert place.verdict() == "revocation_unknown" and not place.kept.exists()


GARBAGE = {
    "404": (None, "the server answered with status 404"),
    "500": (lambda r: answer("oops", "500 Internal Server Error"), "the server answered with status 500"),
    "204": (lambda r: b"HTTP/1.1 204 No Content\r\n\r\n", "the server answered with status 204"),
    "page": (b"<html>we have moved</html>", "what came is no CRL that can be used: .*"),
    "empty": (b"", ".*"),
    "no-http": (lambda r: b"\x16\x03\x03\x00\x00 what is this", ".*"),
    "head": (lambda r: b"HTTP/1.1 200 OK\r\n" + b"X-A: " + b"a" * 70000 + b"\r\n\r\n", ".*"),
    "closed": (lambda r: r.connection.reset(), ".*"),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_what_is_no_crl_changes_nothing(lasting, kind):
    changes_nothing(lasting, *GARBAGE[kind])


WORSE = {
    "indirect": lambda pki: crl.crl(pki.dev, number=9, extensions=[crl.indirect()]),
    "older": lambda pki: crl.crl(pki.dev, number=9, since=now() - 2 * DAY),
    "lower-number": lambda pki: crl.crl(pki.dev, number=4, since=MADE),
    "from-the-future": lambda pki: crl.crl(pki.dev, number=9, since=now() + DAY),
    "of-another-ca": lambda pki: crl.crl(pki.tst, number=9),
    "forged": lambda pki: crl.crl(pki.dev, number=9, signer=pki.tst),
    "of-the-root-and-forged": lambda pki: crl.crl(pki.root, number=9, signer=pki.tst),
    "behind-its-end": lambda pki: crl.crl(pki.dev, number=9) + b"\0",
}


@pytest.mark.parametrize("kind", WORSE)
def test_what_is_no_better_changes_nothing(lasting, kind):
    changes_nothing(lasting, WORSE[kind](lasting.pki), ".*")


def test_what_nobody_can_check_takes_nothing_away(own_proxies, pki, echo, web):
    """The CRL of a CA that only clients show came over plain HTTP: with `soft`, another one could let somebody in."""
    place = Place(own_proxies, pki, echo, web, cas=["root"]).fetched()
    assert (place.verdict(), place.verdict(place.revoked, "soft")) == ("ok", "revoked")
    size = place.changes(crl.crl(pki.dev, number=9, signer=pki.tst))
    place.complains("what came is refused: nobody can tell whether its CA signed it.*stays in use", size)
    assert (place.verdict(), place.verdict(place.revoked, "soft")) == ("ok", "revoked")
    assert place.kept.read_bytes() == place.content and len(renewals(place.proxy)) == 1


def test_where_all_are_strict_a_forged_one_lets_nobody_in(own_proxies, pki, echo, web):
    place = Place(own_proxies, pki, echo, web, modes=["hard"], cas=["root"]).fetched()
    assert (place.verdict(), place.verdict(place.revoked)) == ("ok", "revoked")
    place.changes(crl.crl(pki.dev, number=9, signer=pki.tst))
    wait_renewal(place.proxy, 1)
    for client in (place.good, place.revoked):
        expect.check(place.event(client), "revocation_unknown", decision="deny", denied_by="verify", code=8, depth=0)
    place.changes(crl.crl(pki.dev, [place.revoked], number=10))
    wait_renewal(place.proxy, 2)
    assert (place.verdict(), place.verdict(place.revoked)) == ("ok", "revoked")


def test_a_stale_answer_is_told_of_and_still_says_who_is_out(own_proxies, pki, echo, web):
    revoked = pki.client_cached("fetch-revoked")
    web.pages[PATH] = crl.crl(pki.dev, [revoked], since=now() - 2 * DAY, until=now() - DAY)
    place = Place(own_proxies, pki, echo, web)
    place.complains("what the server has is past its nextUpdate; the one of .* stays in use, but ended on .*, and revocation: hard "
                    "refuses whoever needs a current one")
    wait_renewal(place.proxy, 0)
    expect.check(place.event(), "revocation_unknown", decision="deny", denied_by="verify", code=12, depth=0)
    assert (place.verdict(place.revoked), place.verdict(place.revoked, "soft"), place.verdict(name="soft")) == ("revoked", "revoked", "ok")


def test_one_that_is_too_large_is_refused(own_proxies, pki, echo, web):
    web.pages[PATH] = crl.crl(pki.dev, entries=crl.entries_of(range(0x10000000, 0x10000000 + 200)))
    place = Place(own_proxies, pki, echo, web, fetch={"max_size": "1KiB"})
    place.complains("the answer has more than the 1024 bytes that are allowed; there is none")
    assert place.verdict() == "revocation_unknown" and not place.kept.exists()


def redirect(to):
    return lambda request: answer("", "302 Found", Location=to)


def test_a_redirect_is_followed(own_proxies, pki, echo, web):
    place_content = crl.crl(pki.dev)
    web.pages.update({PATH: redirect("/moved.crl"), "/moved.crl": place_content})
    place = Place(own_proxies, pki, echo, web).fetched()
    assert place.verdict() == "ok" and place.kept.read_bytes() == place_content


@pytest.mark.parametrize("to, words", [(PATH, "it is redirected too often"), ("file:///etc/passwd", "it leads to something else than .*"),
                                       ("gopher://127.0.0.1/", "it leads to something else than .*"), ("http://[", ".*")])
def test_a_redirect_leads_nowhere_else(own_proxies, pki, echo, web, to, words):
    web.pages[PATH] = redirect(to)
    place = Place(own_proxies, pki, echo, web)
    place.complains(words)
    assert place.verdict() == "revocation_unknown" and not place.kept.exists()


def test_the_environment_s_proxy_is_not_used(own_proxies, pki, echo, web, monkeypatch):
    trap = Web()
    try:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, trap.url("/"))
        assert Place(own_proxies, pki, echo, web).fetched().verdict() == "ok"
        assert trap.count() == 0
    finally:
        trap.close()


def test_it_is_there_after_a_restart_without_the_server(place):
    assert place.proxy.stop() == 0
    place.web.stop()
    size = len(place.proxy.log())
    place.proxy.start()
    # At once, not when an attempt has failed.
    assert (place.verdict(), place.verdict(place.revoked)) == ("ok", "revoked")
    place.complains(r"cannot connect: Connection refused; the one of \S+ stays in use", size)
    assert (place.verdict(), place.verdict(place.revoked)) == ("ok", "revoked")


def test_a_damaged_copy_is_told_of_and_fetched_anew(place):
    assert place.proxy.stop() == 0
    place.kept.write_bytes(b"damaged")
    place.web.hold()
    size = len(place.proxy.log())
    place.proxy.start()
    place.proxy.wait_log(f"what was fetched from {place.url} is not used", size)
    assert place.verdict() == "revocation_unknown"
    place.web.release()
    procs.wait_for(lambda: place.verdict() == "ok", place.proxy.report)
    assert place.kept.read_bytes() == place.content


def test_each_url_is_fetched_once_for_all_who_name_it(own_proxies, pki, echo, web):
    place = Place(own_proxies, pki, echo, web, fetch={"interval": "1h"}).fetched()
    assert (place.verdict(), place.verdict(name="soft")) == ("ok", "ok")
    assert web.paths == [PATH]


def test_a_reload_asks_for_new_urls_and_for_no_old_ones(place):
    place.web.pages["/other.crl"] = crl.crl(place.pki.dev, [place.good], number=1)
    services = place.proxy.config["services"]
    for one in services:
        one["client"]["crl_fetch"]["urls"] = [place.web.url("/other.crl")]
    place.proxy.reload(services=services)
    procs.wait_for(lambda: place.verdict() == "revoked", place.proxy.report)
    count = place.web.count(PATH)
    place.web.wait("/other.crl", 3)
    assert place.web.count(PATH) == count


def test_no_address_of_a_certificate_is_ever_asked(own_proxies, pki, echo, web):
    """RFC 5280 4.2.1.13, 4.2.1.15 and 4.2.2.1 name places to ask; a client chose them."""
    def url(path):
        return der.implicit(6, web.url(path).encode())

    def points(path):
        return der.sequence(der.sequence(der.explicit(0, der.explicit(0, url(path)))))

    def access(method, path):
        return der.sequence(der.sequence(der.oid(method), url(path)))
    extra = [der.extension("2.5.29.31", points("/cdp.crl")), der.extension("2.5.29.46", points("/freshest.crl")),
             der.extension("1.3.6.1.5.5.7.1.1", access("1.3.6.1.5.5.7.48.2", "/issuer.der"))]
    below = pki.authority("fetch-unknown", above=pki.root)
    named = [pki.leaf("fetch-cdp", pki.dev, extra=extra), pki.leaf("fetch-cdp-unknown", below, extra=extra),
             pki.leaf("fetch-cdp-alone", below, extra=extra, chain=[])]
    place = Place(own_proxies, pki, echo, web).fetched()
    assert [place.verdict(one) for one in named] == ["ok", "revocation_unknown", "unknown_issuer"]
    assert [place.verdict(one, "soft") for one in named] == ["ok", "ok", "unknown_issuer"]
    web.wait(PATH, web.count(PATH) + 2)
    assert set(web.paths) == {PATH}
