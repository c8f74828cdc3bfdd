"""Whatever bytes a client controls, each event is one line of valid ASCII JSON that fits the schema."""

import json

import pytest

from lib import clients, der, hello, procs, schema
from lib.proxy import service

EVIL = {
    "nul": b"good\0.evil.example",
    "crlf": b"a\r\nSet-Cookie: x\r\n\r\n",
    "not-utf8": b"\xff\xfe\xc3\x28\xa0\xa1",
    "surrogate": b"\xed\xa0\x80\xed\xb0\x80",
    "overlong": b"\xc0\xaf\xe0\x80\xaf",
    "quotes": b'"}],"tlscribe":{"verified":true},"x":"\\',
    "escapes": b"\\u0000\\\\\x1b[31m\x07\x08\x0c\x7f\x80",
    "unicode": "Größe 証明書 \U0001f512 \u2028\u2029\u202e".encode(),
    "rfc4514": b' #lead,plus+quote"back\\slash<less>more;semi=equal ',
    "empty": b"",
    "html": b"<script>alert(1)</script>",
    "long": b"x" * 5000,
    "cut-inside-utf8": b"x" + "é".encode() * 600,
    "60KiB": b"y" * 61440,
}


@pytest.fixture(scope="module")
def proxy(proxies, pki, echo):
    return proxies(["127.0.0.1:%d" % procs.free_port()], [service("strict", pki, echo), service("pass", pki, echo, "passthrough"),
                                                         service("spoken", pki, echo, "none", tls={"alpn": ["x"]})])


@pytest.fixture
def address(proxy):
    return proxy.config["listeners"][0]["bind"]


def line_of(proxy, local):
    event = proxy.event_of(local)
    line, = [one for one in proxy.lines() if json.loads(one)["event"]["id"] == event["event"]["id"]]
    return schema.check_line(line, every=True)


@pytest.mark.parametrize("where", ["subject", "issuer", "san"])
@pytest.mark.parametrize("name", EVIL)
def test_names_in_certificates(proxy, pki, address, name, where):
    value = EVIL[name]
    label = f"evil-{name}-{where}"
    if where == "subject":
        client = pki.leaf(label, pki.dev, subject=der.name((der.CN, value), (der.ORGANIZATION, value[:3000])))
    elif where == "issuer":
        fake = pki.authority("fake-" + label)
        fake.subject = der.name((der.CN, value))
        client = pki.leaf(label, fake, chain=[])
    else:
        client = pki.leaf(label, pki.dev, names=[(kind, value) for kind in (der.DNS, der.EMAIL, der.URI, der.IP)][:1 if
                                                                                                        len(value) > 9000 else 4])
    for service_name in ("strict", "pass"):
        seen = clients.probe(address, f"{service_name}.example", client, "1.3")
        event = line_of(proxy, seen.local)
        assert event["tls"]["client"]["hash"]["sha256"] == client.sha256
        assert event["tlscribe"]["evidence"]["presented"] is True
        assert event["tlscribe"]["verified"] is (event["tlscribe"]["class"] == "ok")
        text = json.dumps(event["tls"]["client"])
        assert "\\u0000" not in text or "nul" in name or "escapes" in name
        for field in ("subject", "issuer"):
            assert len(json.dumps(event["tls"]["client"].get(field, ""))) <= 1024 + 2
        if len(value) > 2000 and where != "san":
            assert event["tlscribe"]["truncated"], event


def test_the_words_of_a_name_survive(proxy, pki, address):
    """What is valid arrives as it was; a comma or plus inside a value is escaped as RFC 4514 says."""
    client = pki.leaf("words", pki.dev, subject=der.name((der.ORGANIZATION, "Größe, Søn + Co"), (der.CN, "証明書")))
    event = line_of(proxy, clients.probe(address, "strict.example", client).local)
    assert event["tls"]["client"]["x509"]["subject"]["common_name"] == ["証明書"]
    assert event["tls"]["client"]["x509"]["subject"]["organization"] == ["Größe, Søn + Co"]
    assert event["tls"]["client"]["subject"] == "CN=証明書,O=Größe\\, Søn \\+ Co"


def test_many_names(proxy, pki, address):
    """More values than an event holds: cut, and said."""
    client = pki.leaf("crowd", pki.dev, names=[(der.DNS, f"host-{i}.partner.example") for i in range(500)])
    event = line_of(proxy, clients.probe(address, "strict.example", client).local)
    assert len(event["tls"]["client"]["x509"]["alternative_names"]) == 32
    assert "tls.client.x509.alternative_names" in event["tlscribe"]["truncated"]


def test_everything_big_at_once_still_fits(proxy, pki, address):
    """Long names of every kind: the line stays under its bound."""
    wide = [(der.CN, b"\xff" * 900)] * 3 + [(der.ORGANIZATION, b"\x01" * 900)] * 3 + [(der.UNIT, b"\"\\" * 400)] * 9
    client = pki.leaf("wide", pki.dev, subject=der.name(*wide),
                      names=[(der.DNS, b"\x02" * 1000 + bytes([48 + i % 10])) for i in range(32)])
    seen = clients.probe(address, "strict.example", client, "1.3")
    event = line_of(proxy, seen.local)
    assert event["tlscribe"]["truncated"]


@pytest.mark.parametrize("name", EVIL)
def test_server_names_and_protocols(proxy, address, name):
    value = EVIL[name][:2000]
    with hello.Wire(address) as wire:
        wire.send(hello.records(hello.client_hello(value, more=hello.extension(16, hello.vector(
            2, hello.vector(1, (value or b"z")[:255]))))))
        wire.end()
        wire.to_end()
    line_of(proxy, wire.local)
    with hello.Wire(address) as wire:
        wire.send(hello.records(hello.client_hello("spoken.example", more=hello.extension(16, hello.vector(
            2, hello.vector(1, (value or b"z")[:255]))))))
        wire.end()
        wire.to_end()
    line_of(proxy, wire.local)


@pytest.mark.parametrize("serial", [0, 1, 2 ** 159 - 1, 2 ** 400, -1, -128])
def test_serial_numbers(proxy, pki, address, serial):
    client = pki.leaf(f"serial-{serial % 1000003}", pki.dev, serial=serial)
    line_of(proxy, clients.probe(address, "pass.example", client).local)


def test_odd_times(proxy, pki, address):
    from datetime import datetime, timezone
    for number, moment in enumerate([datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone.utc),
                                     datetime(2050, 1, 1, tzinfo=timezone.utc), datetime(1950, 1, 1, tzinfo=timezone.utc)]):
        client = pki.leaf(f"time-{number}", pki.dev, not_after=moment)
        event = line_of(proxy, clients.probe(address, "pass.example", client).local)
        assert event["tls"]["client"]["not_after"].startswith(f"{moment.year}-")


def test_random_certificates(proxy, pki, address):
    """Bits flipped all over a good certificate: never more than a denied or unverified handshake."""
    import random
    chance = random.Random(11)
    good = pki.client("good")
    for number in range(60):
        broken = bytearray(good.chain[0])
        for _ in range(chance.randint(1, 4)):
            broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
        client = pki.raw(f"flipped-{number}", [bytes(broken), good.chain[1]], good.key)
        seen = clients.probe(address, "strict.example", client, ("1.2", "1.3")[number % 2])
        event = line_of(proxy, seen.local)
        assert event["tlscribe"]["verified"] is False and event["tlscribe"]["decision"] == "deny", event
        assert not seen.echo


def test_an_event_says_all_it_can_know(proxy, pki, address):
    """Every field of a good handshake that can be known here."""
    client = pki.client("good")
    for version in ("1.2", "1.3"):
        seen = clients.probe(address, "strict.example", client, version, alpn="h2,http/1.1")
        event = line_of(proxy, seen.local)
        assert event["event"]["kind"] == "event" and event["event"]["module"] == "tlscribe"
        assert event["event"]["dataset"] == "tlscribe.handshake"
        assert event["event"]["category"] == ["network", "authentication"]
        assert set(event["event"]["type"]) == {"connection", "allowed"}
        assert event["event"]["start"] <= event["event"]["end"] and event["event"]["duration"] > 0
        assert event["ecs"]["version"] == "9.4.0"
        assert event["observer"] == {"name": "test", "product": "tlscribe", "version": event["observer"]["version"], "type": "proxy"}
        assert event["destination"]["ip"] == "127.0.0.1" and event["destination"]["domain"] == "strict.example"
        assert event["network"] == {"direction": "ingress", "transport": "tcp", "type": "ipv4", "protocol": "tls"}
        tls, leaf = event["tls"], event["tls"]["client"]
        assert (tls["version"], tls["version_protocol"], tls["cipher"]) == (version, "tls", seen.cipher)
        assert tls["curve"] and tls["established"] is True and tls["resumed"] is False
        assert "next_protocol" not in tls
        assert leaf["server_name"] == "strict.example"
        assert leaf["subject"] == "CN=good,O=Test,C=NL" and leaf["issuer"] == "CN=dev CA,O=Test,C=NL"
        assert leaf["hash"]["sha256"] == client.sha256 and len(leaf["hash"]["sha1"]) == 40
        x509 = leaf["x509"]
        assert x509["version_number"] == "3" and x509["serial_number"].isalnum()
        assert x509["subject"]["common_name"] == ["good"] and x509["issuer"]["common_name"] == ["dev CA"]
        assert x509["subject"]["organization"] == ["Test"] and x509["subject"]["country"] == ["NL"]
        assert x509["alternative_names"] == ["dns:good.partner.example", "email:ops@partner.example"]
        assert (x509["public_key_algorithm"], x509["public_key_curve"], x509["signature_algorithm"]) == (
            "ECDSA", "P-256", "ECDSA-SHA256")
        facts = event["tlscribe"]
        assert facts["verify_mode"] == "required" and facts["anchor_file"] == str(pki.root.chain_file)
        assert [step["subject"] for step in facts["path"]] == ["CN=good,O=Test,C=NL", "CN=dev CA,O=Test,C=NL", "CN=root CA,O=Test,C=NL"]
        assert facts["path"][0]["sha256"] == client.sha256
        assert facts["evidence"]["chain_length"] == 2 and len(facts["evidence"]["chain_sha256"]) == 64
        assert facts["client_hello"]["alpn"] == ["h2", "http/1.1"] and len(facts["client_hello"]["sha256"]) == 64
        assert facts["client_hello"]["versions"] == [version] and facts["client_hello"]["cipher_count"] > 0
        assert facts["days_left"] in (89, 90) and len(facts["spki_sha256"]) == 64
        assert "clientAuth" in facts["certificate"]["purposes"] and "digitalSignature" in facts["certificate"]["key_usage"]
        assert facts["timing"].keys() >= {"client_hello_us", "handshake_us", "verify_us"}
        assert event["related"]["ip"] and client.sha256 in event["related"]["hash"]
        assert "good" in event["user"]["name"]
