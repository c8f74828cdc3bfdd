"""The fingerprints on record are those of the bytes that came: computed a second time here, from a relay's copy of them."""

import pytest

from lib import clients, hello, procs, sessions
from lib.fingerprint import GREASE, Hello, Tap, message_of
from lib.proxy import service

VERSIONS = ["1.2", "1.3"]


@pytest.fixture(scope="module")
def proxy(proxies, pki, echo, nginx):
    return proxies(["127.0.0.1:%d" % procs.free_port()],
                   [service("one", pki, echo, "optional"), service("web", pki, nginx.address, "optional"),
                    service("strict", pki, echo), service("back", pki, echo, "optional", tls={"resumption": "on"}),
                    service("modern", pki, echo, "optional", tls={"min": "1.3"})])


@pytest.fixture
def tap(proxy):
    one = Tap(proxy.config["listeners"][0]["bind"])
    yield one
    one.close()


def check(event, message):
    """Its fingerprints are those of this ClientHello."""
    wanted = Hello(message)
    facts = event["tlscribe"]["client_hello"]
    assert facts["sha256"] == wanted.sha256
    assert event["tls"]["client"]["ja3"] == wanted.ja3(), wanted.ja3_text()
    assert facts["ja4"] == wanted.ja4()
    assert facts["cipher_count"] == len(wanted.suites)
    return wanted


def seen(proxy, tap, count=1):
    """The Hello of each connection through the tap, held against its event."""
    events = [proxy.event_of(local) for local in tap.locals]
    assert len(events) == count
    return [check(event, message_of(bytes(sent))) for event, sent in zip(events, tap.sent)]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("more", [(), ("-alpn", "h2,http/1.1"), ("-curves", "P-256:X448", "-sigalgs", "ECDSA+SHA256:RSA-PSS+SHA512")],
                         ids=["plain", "alpn", "lists"])
def test_openssl(proxy, pki, tap, version, more):
    said = clients.s_client(tap.address, "one.example", pki.client("good"), version, "ping\n", *more)
    assert "ping" in said
    seen(proxy, tap)


@pytest.mark.parametrize("version", VERSIONS)
def test_gnutls(proxy, pki, tap, version):
    assert "ping" in clients.gnutls_cli(tap.address, "one.example", pki.client("good"), version)
    seen(proxy, tap)


@pytest.mark.parametrize("version", VERSIONS)
def test_curl(proxy, pki, tap, version):
    got = clients.curl(tap.address, "web.example", "/who", client=pki.client("good"), version=version)
    assert got.returncode == 0, got
    hello_ = seen(proxy, tap)[0]
    assert hello_.ja4()[8:10] == "h1", "it asked for http/1.1"


@pytest.mark.parametrize("flags", [{}, {"alpn": "x,y"}, {"alpn": "\u00e9"}, {"groups": "P-384,P-521"}],
                         ids=["plain", "alpn", "odd-alpn", "groups"])
@pytest.mark.parametrize("version", VERSIONS)
def test_go(proxy, tap, version, flags):
    assert clients.probe(tap.address, "one.example", None, version, source="", **flags).echo
    seen(proxy, tap)


def test_go_without_a_server_name(proxy, tap):
    """And so without a service: the fingerprint is on the record of those who were sent away, too."""
    assert clients.probe(tap.address, "", None, source="").alert == 112
    assert seen(proxy, tap)[0].ja4()[3] == "i"


@pytest.mark.parametrize("kind", ["expired", None], ids=str)
def test_whoever_is_denied_has_one(proxy, pki, tap, kind):
    assert not clients.probe(tap.address, "strict.example", pki.client(kind) if kind else None, source="").echo
    seen(proxy, tap)


def test_a_client_has_another_one_when_it_comes_back(proxy, pki, tap):
    """Its second ClientHello has a pre_shared_key: JA3 and JA4 tell, as their descriptions want it."""
    client = sessions.Python(tap.address, pki.client("good"))
    assert client.visit("back", client.session("back")).resumed
    first, second = seen(proxy, tap, 2)
    assert [kind for kind, _ in second.extensions][-1] == 41
    assert first.ja3() != second.ja3() and first.ja4()[:5] == second.ja4()[:5]


def test_of_two_hellos_it_is_the_first(proxy, pki, tap):
    """After a HelloRetryRequest the same ClientHello comes again, a little changed (RFC 8446 4.1.2)."""
    said = clients.s_client(tap.address, "one.example", pki.client("good"), "1.3", "ping\n", "-groups", "P-521:X25519", "-msg")
    assert said.count(", ClientHello") == 2 and "ping" in said
    seen(proxy, tap)


# hellos that no library sends

def by_hand(proxy, message):
    """The event of a client that says this and goes away, held against it."""
    with hello.Wire(proxy.config["listeners"][0]["bind"]) as wire:
        wire.send(hello.records(message))
        answer = wire.record()
        wire.end()
        wire.to_end()
    event = proxy.event_of(wire.local)
    wanted = check(event, message)
    wanted.answer = answer
    return event, wanted


def grease(n):
    return sorted(GREASE)[n]


def with_grease():
    """As Chrome does it: one in each list, an empty extension first, and one with a byte last."""
    share = hello.X25519, b"k" * 32
    return hello.client_hello(
        "one.example", versions=(grease(3), hello.TLS13, hello.TLS12), suites=[grease(0)] + hello.SUITES_13 + hello.SUITES_12,
        groups=(grease(1), hello.X25519, hello.P256), shares=[(grease(1), b"\0"), share], protocols=["h2", "http/1.1"],
        signatures=[*hello.SIGNATURES, grease(15)],
        more=hello.extension(grease(2), b"") + hello.extension(grease(7), b"\0"))


def test_grease_is_left_out(proxy):
    event, wanted = by_hand(proxy, with_grease())
    kind, answer = wanted.answer
    assert kind == hello.HANDSHAKE and answer[0] == 2, "it is served"
    assert not any(str(value) in wanted.ja3_text().replace(",", "-").split("-") for value in GREASE)
    assert event["tlscribe"]["client_hello"]["versions"] == ["1.3", "1.2"]
    assert wanted.ja4()[:10] == "t13d%02d%02dh2" % (len(wanted.suites) - 1, len(wanted.extensions) - 2)


def test_other_grease_makes_the_same_fingerprints(proxy):
    """That is what it is there for (RFC 8701 5)."""
    first, changed = by_hand(proxy, with_grease()), with_grease()
    for one, other in ((0, 5), (1, 6), (2, 8), (3, 9), (7, 10), (15, 11)):
        changed = changed.replace(grease(one).to_bytes(2, "big"), grease(other).to_bytes(2, "big"))
    second = by_hand(proxy, changed)
    assert first[0]["tls"]["client"]["ja3"] == second[0]["tls"]["client"]["ja3"]
    assert first[0]["tlscribe"]["client_hello"]["ja4"] == second[0]["tlscribe"]["client_hello"]["ja4"]
    assert first[0]["tlscribe"]["client_hello"]["sha256"] != second[0]["tlscribe"]["client_hello"]["sha256"]


@pytest.mark.parametrize("name", ["no-alpn-name", "one-letter", "two-letters", "odd-bytes", "digits"])
def test_the_first_and_last_letter_of_the_protocol(proxy, name):
    names = {"no-alpn-name": None, "one-letter": ["x"], "two-letters": ["h2"], "odd-bytes": ["\u00ab..\u00cd"],
             "digits": ["0123456789"]}[name]
    _, wanted = by_hand(proxy, hello.client_hello("one.example", protocols=names))
    assert wanted.ja4()[8:10] == {"no-alpn-name": "00", "one-letter": "xx", "two-letters": "h2", "odd-bytes": "cd",
                                  "digits": "09"}[name]


def test_more_than_a_hundred_suites_are_ninety_nine(proxy):
    suites = hello.SUITES_13 + hello.SUITES_12 + list(range(0x5600, 0x5600 + 120))
    _, wanted = by_hand(proxy, hello.client_hello("one.example", suites=suites))
    assert wanted.ja4()[4:6] == "99"


def test_an_old_hello_without_extensions_has_its_fingerprint(proxy):
    """TLS 1.0, and nobody here speaks that any more."""
    body = hello.struct.pack(">H", hello.TLS10) + bytes(32) + hello.vector(1, b"") + \
        hello.vector(2, hello.words([0x002F, 0x0035, 0x00FF])) + b"\x01\x00"
    event, wanted = by_hand(proxy, b"\x01" + hello.vector(3, body))
    assert event["tlscribe"]["class"] in ("no_common_version", "unknown_server_name")
    assert wanted.ja4() == "t10i030000_" + wanted.ja4()[11:23] + "_000000000000"
    assert wanted.ja3_text() == "769,47-53-255,,,"


@pytest.mark.parametrize("name, versions, service_name", [
    ("no_common_version", (hello.TLS12,), "modern"), ("no_common_version", (hello.TLS11,), "one"),
    ("unknown_server_name", (hello.TLS13,), "nobody")])
def test_those_who_get_no_further_have_one(proxy, name, versions, service_name):
    event, _ = by_hand(proxy, hello.client_hello(f"{service_name}.example", versions=versions))
    assert event["tlscribe"]["class"] == name


def test_order_counts_where_it_should(proxy):
    """JA4 sorts suites and extensions, which JA3 does not; signatures it leaves as they are."""
    suites = hello.SUITES_13 + hello.SUITES_12
    random = {"random": b"r" * 32, "session": b"s" * 32, "shares": [(hello.X25519, b"k" * 32)]}
    plain, _ = by_hand(proxy, hello.client_hello("one.example", suites=suites, **random))
    turned, _ = by_hand(proxy, hello.client_hello("one.example", suites=suites[::-1], **random))
    signed, _ = by_hand(proxy, hello.client_hello("one.example", suites=suites, signatures=hello.SIGNATURES[::-1], **random))

    def pair(event):
        return event["tls"]["client"]["ja3"], event["tlscribe"]["client_hello"]["ja4"]
    assert pair(plain)[0] != pair(turned)[0] and pair(plain)[1] == pair(turned)[1]
    assert pair(plain)[0] == pair(signed)[0] and pair(plain)[1] != pair(signed)[1]
