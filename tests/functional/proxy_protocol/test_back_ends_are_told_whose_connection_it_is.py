"""A PROXY header out (upstream.proxy_protocol: v2), taken apart by a decoder that was written from the specification alone."""

import pytest

from lib import backends, clients, der, expect, procs
from lib import proxy_protocol as pp
from lib.pki import new_key
from lib.proxy import service

SOURCE, DESTINATION = ("192.0.2.77", 40001), ("198.51.100.9", 443)


def note_header(peer, server):
    server.note(pp.receive(peer))
    backends.echo(peer, server)


def told(name, pki, upstream, verify="required", **more):
    one = service(name, pki, upstream, verify, **more)
    one["upstream"]["proxy_protocol"] = "v2"
    return one


def only_certificate(one, identity):
    one["certificates"] = [{"chain": identity.chain_file, "key": identity.key_file}]
    return one


@pytest.fixture(scope="module")
def back_end():
    server = backends.Server(note_header)
    yield server
    server.close()


@pytest.fixture(scope="module")
def rsa_server(pki):
    above = pki.authority("announce-rsa-ca", key=new_key("RSA-2048"))
    return pki.leaf("announce-rsa", above, key=new_key("RSA-3072"), purposes=["serverAuth"], names=[(der.DNS, "*.example")])


@pytest.fixture(scope="module")
def proxy(proxies, pki, back_end, rsa_server, folder):
    to = back_end.address
    quarantined = service("quarantined", pki, "127.0.0.1:1")
    quarantined["quarantine"] = {"servers": [to], "proxy_protocol": "v2"}
    return proxies(
        [{"bind": "127.0.0.1:%d" % procs.free_port(), "proxy_protocol": ["127.100.0.0/24"]}, f"unix:{folder}/out.sock",
         "[::1]:%d" % procs.free_port()],
        [told("strict", pki, to), told("optional", pki, to, "optional"), told("pass", pki, to, "passthrough"),
         told("unchecked", pki, to, "passthrough", ca=None), told("none", pki, to, "none"),
         told("tolerant", pki, to, client={"tolerate": ["expired"]}),
         only_certificate(told("rsa", pki, to), rsa_server), quarantined,
         told("rest", pki, to, "none", default=True)])


@pytest.fixture
def address(proxy):
    return proxy.config["listeners"][0]["bind"]


def visit(proxy, back_end, name, client=None, version="1.3", address=None, **flags):
    """One served connection: the header that came and its event."""
    mark = len(back_end.seen)
    address = address or proxy.config["listeners"][0]["bind"]
    got = clients.probe(address, f"{name}.example", client, version, **flags)
    assert got.echo, got
    header = back_end.wait_note(mark + 1)[mark]
    return header, proxy.event_of(got.local)


def pair(endpoint):
    return endpoint["ip"], endpoint["port"]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_verified_client(proxy, back_end, pki, version):
    client = pki.client("good")
    header, event = visit(proxy, back_end, "strict", client, version)
    assert header.command == 0x21
    assert header.source == pair(event["source"])
    assert header.destination == pair(event["destination"])
    assert header.tlvs[pp.AUTHORITY] == b"strict.example"
    assert header.tlvs[pp.UNIQUE_ID].decode() == event["event"]["id"]
    assert header.client == pp.CLIENT_SSL | pp.CLIENT_CERT_CONN | pp.CLIENT_CERT_SESS
    assert event["tlscribe"]["verified"] is True and header.verify == 0
    assert header.tls == {
        pp.SSL_VERSION: b"TLSv" + version.encode(),
        pp.SSL_CN: event["tls"]["client"]["x509"]["subject"]["common_name"][0].encode(),
        pp.SSL_CIPHER: event["tls"]["cipher"].encode(),
        pp.SSL_SIG_ALG: b"ecdsa-with-SHA256",
        pp.SSL_KEY_ALG: b"EC256",
        pp.SSL_CLIENT_CERT: client.chain[0],
    }


def test_the_algorithms_are_those_of_the_certificate_that_was_shown(proxy, back_end, pki):
    header, _ = visit(proxy, back_end, "rsa", pki.client("good"))
    assert header.tls[pp.SSL_SIG_ALG] == b"RSA-SHA256"
    assert header.tls[pp.SSL_KEY_ALG] == b"RSA3072"


@pytest.mark.parametrize("name,kind,decision", [
    ("tolerant", "expired", "allow_tolerated"),
    ("pass", "expired", "allow_unverified"),
    ("pass", "self_signed", "allow_unverified"),
    ("pass", "unknown_issuer", "allow_unverified"),
    ("unchecked", "good", "allow_unverified"),
    ("quarantined", "expired", "quarantine"),
])
def test_a_certificate_that_was_not_verified_never_reads_as_zero(proxy, back_end, pki, name, kind, decision):
    client = pki.client(kind)
    header, event = visit(proxy, back_end, name, client)
    assert event["tlscribe"]["decision"] == decision
    assert event["tlscribe"]["verified"] is False
    assert header.client == pp.CLIENT_SSL | pp.CLIENT_CERT_CONN | pp.CLIENT_CERT_SESS
    assert header.verify != 0 and str(header.verify) == event["event"]["code"]
    assert header.tls[pp.SSL_CLIENT_CERT] == client.chain[0]


def test_passthrough_tells_of_good_certificates_that_they_are(proxy, back_end, pki):
    header, event = visit(proxy, back_end, "pass", pki.client("good"))
    assert event["tlscribe"]["verified"] is True
    assert header.verify == 0


@pytest.mark.parametrize("name,kind", [("optional", "no_certificate"), ("pass", "no_certificate"), ("none", "not_requested")])
def test_without_a_certificate_nothing_was_verified(proxy, back_end, name, kind):
    """The specification: "zero if the client presented a certificate and it was successfully verified, and non-zero otherwise"."""
    header, event = visit(proxy, back_end, name)
    expect.check(event, kind, decision="allow_anonymous")
    assert header.client == pp.CLIENT_SSL
    assert header.verify == expect.CLASSES[kind].leaf != 0
    assert not {pp.SSL_CN, pp.SSL_CLIENT_CERT} & set(header.tls)


def test_without_a_server_name_there_is_no_authority(proxy, back_end, address):
    mark = len(back_end.seen)
    got = clients.probe(address, "")
    assert got.echo, got
    assert pp.AUTHORITY not in back_end.wait_note(mark + 1)[mark].tlvs


def common_names(*names):
    return der.name((der.ORGANIZATION, "Test"), *((der.CN, name) for name in names))


@pytest.mark.parametrize("label,names,cn", [
    ("plain", ["Zoë Example"], "Zoë Example".encode()),
    ("none", [], None),
    ("two", ["admin", "mallory"], None),
    ("line", ["admin\nx"], None),
    ("nul", ["admin\0.evil"], None),
])
def test_a_common_name_is_told_where_it_can_be_read_in_one_way_alone(proxy, back_end, pki, label, names, cn):
    client = pki.leaf("announce-cn-" + label, pki.dev, subject=common_names(*names))
    header, _ = visit(proxy, back_end, "pass", client)
    assert header.tls.get(pp.SSL_CN) == cn
    # Malformed names go nowhere, the certificate that they stand in included.
    assert header.tls.get(pp.SSL_CLIENT_CERT) == (None if label in ("line", "nul") else client.chain[0])


def test_a_certificate_that_does_not_fit_is_left_out(proxy, back_end, pki):
    client = pki.leaf("announce-big", pki.dev, names=[(der.DNS, f"host-{i}.a-long-domain-name.example") for i in range(120)])
    assert len(client.chain[0]) > 4096
    header, event = visit(proxy, back_end, "strict", client)
    assert event["tlscribe"]["verified"] is True and header.verify == 0
    assert pp.SSL_CLIENT_CERT not in header.tls
    assert header.tls[pp.SSL_CN] == b"announce-big"


def test_an_announced_source_is_told_on(proxy, back_end, address, pki):
    mark = len(back_end.seen)
    with pp.Announced(address, pp.v2(SOURCE, DESTINATION), source="127.100.0.7").tls("strict.example", pki.client("good")) as one:
        assert one.ask() == b"ping\n"
    header = back_end.wait_note(mark + 1)[mark]
    assert (header.source, header.destination) == (SOURCE, DESTINATION)


def test_ipv6_is_told_as_ipv6(proxy, back_end, pki):
    header, event = visit(proxy, back_end, "strict", pki.client("good"), address=proxy.config["listeners"][2]["bind"])
    assert header.source == pair(event["source"]) and header.source[0] == "::1"
    assert header.destination == pair(event["destination"])


def test_a_unix_sockets_client_has_no_address_and_all_the_rest(proxy, back_end, pki):
    mark, seen = proxy.mark(), len(back_end.seen)
    with clients.Tls(proxy.config["listeners"][1]["bind"], "strict.example", pki.client("good")) as one:
        assert one.ask() == b"ping\n"
    header = back_end.wait_note(seen + 1)[seen]
    assert (header.command, header.source) == (0x21, None)
    assert header.tlvs[pp.UNIQUE_ID].decode() == proxy.since(mark)[0]["event"]["id"]
    assert header.tls[pp.SSL_CLIENT_CERT] == pki.client("good").chain[0]


def test_back_ends_that_want_none_get_none(own_proxies, pki):
    def first_bytes(peer, server):
        data = peer.recv(65536)
        server.note(data)
        peer.sendall(data)
    server = backends.Server(first_bytes)
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("strict", pki, server.address)])
    assert clients.probe(proxy.config["listeners"][0]["bind"], "strict.example", pki.client("good")).echo
    assert server.wait_note()[0] == b"ping\n"
    server.close()
