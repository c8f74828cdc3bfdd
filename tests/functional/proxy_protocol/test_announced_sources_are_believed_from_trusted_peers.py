"""A PROXY header in: from the networks of listeners[].proxy_protocol it is needed, believed and recorded; from others it is nothing."""

import struct

import pytest

from lib import clients, expect, hello, procs
from lib import proxy_protocol as pp
from lib.proxy import service

SOURCE, DESTINATION = ("192.0.2.77", 40001), ("198.51.100.9", 443)
SOURCE6, DESTINATION6 = ("2001:db8::77", 40002), ("2001:db8:1::9", 443)
UNTRUSTED = "127.250.0.7"


@pytest.fixture(scope="module")
def proxy(proxies, pki, echo, folder):
    return proxies([{"bind": "127.0.0.1:%d" % procs.free_port(), "proxy_protocol": ["127.0.0.0/9", "127.128.0.0/10"]},
                    {"bind": f"unix:{folder}/pp.sock", "proxy_protocol": ["unix"]}],
                   [service("strict", pki, echo, connection_end=True)])


@pytest.fixture
def address(proxy):
    return proxy.config["listeners"][0]["bind"]


def event_from(proxy, peer):
    """The one handshake event whose TCP peer this was, whether or not a header changed its source."""
    ip, port = peer.rsplit(":", 1)
    want = {"ip": ip, "port": int(port)}

    def found():
        return [e for e in proxy.handshakes() if want in (e["tlscribe"].get("peer"), {
            key: e["source"].get(key) for key in ("ip", "port")})]
    got = procs.wait_for(found, lambda: f"the event of {peer}\n{proxy.report()}")
    assert len(got) == 1, got
    return got[0]


HEADERS = {
    "v1": (pp.v1(SOURCE, DESTINATION), SOURCE, DESTINATION),
    "v1-ipv6": (pp.v1(SOURCE6, DESTINATION6), SOURCE6, DESTINATION6),
    "v2": (pp.v2(SOURCE, DESTINATION), SOURCE, DESTINATION),
    "v2-ipv6": (pp.v2(SOURCE6, DESTINATION6), SOURCE6, DESTINATION6),
    "v2-bare": (pp.v2(SOURCE, DESTINATION, checksum=False), SOURCE, DESTINATION),
    "v2-tlvs": (pp.v2(SOURCE, DESTINATION, pp.tlv(pp.NOOP, bytes(3)) + pp.tlv(0xE0, b"x") + pp.tlv(pp.AUTHORITY, b"a.b")),
                SOURCE, DESTINATION),
    "v2-mapped": (pp.v2(("::ffff:192.0.2.77", 40001), ("::ffff:198.51.100.9", 443)), SOURCE, DESTINATION),
    "v2-most": (pp.v2(SOURCE, DESTINATION, pp.tlv(pp.NOOP, bytes(4096 - 16 - 12 - 7 - 3))), SOURCE, DESTINATION),
}


@pytest.mark.parametrize("pieces", [False, True], ids=["at-once", "byte-by-byte"])
@pytest.mark.parametrize("name", HEADERS)
def test_the_announced_source_is_recorded_and_the_peer_beside_it(proxy, address, pki, name, pieces):
    header, source, destination = HEADERS[name]
    with pp.Announced(address, header, pieces=pieces).tls("strict.example", pki.client("good")) as one:
        assert one.ask() == b"ping\n"
        local = one.local
    event = event_from(proxy, local)
    expect.check(event, "ok", decision="allow", verified=True, version="1.3", possession="proven", chain_length=2)
    assert (event["source"]["ip"], event["source"]["port"]) == source
    assert (event["destination"]["ip"], event["destination"]["port"]) == destination
    peer = {"ip": local.split(":")[0], "port": int(local.split(":")[1])}
    assert event["tlscribe"]["peer"] == peer
    assert {source[0], destination[0], peer["ip"]} <= set(event["related"]["ip"])
    end = proxy.wait_action("connection-end", where=lambda e: e["tlscribe"]["connection"] == event["event"]["id"])[0]
    assert (end["source"]["ip"], end["source"]["port"]) == source


def test_the_client_hello_may_come_in_the_same_segment(proxy, address):
    with pp.Announced(address, pp.v2(SOURCE, DESTINATION) + hello.records(hello.client_hello("strict.example"))) as one:
        kind, _ = hello_record(one)
        assert kind == 22, "no ServerHello"
        local = one.local
    event = event_from(proxy, local)
    assert event["source"]["ip"] == SOURCE[0]
    assert event["tls"]["client"]["server_name"] == "strict.example"


def hello_record(one):
    head = pp.exactly(one.socket, 5)
    return head[0], pp.exactly(one.socket, int.from_bytes(head[3:], "big"))


@pytest.mark.parametrize("header", [
    b"PROXY UNKNOWN\r\n",
    b"PROXY UNKNOWN 192.0.2.77 198.51.100.9 1 2\r\n",
    pp.v2_raw(0x20, 0x00, b""),
    pp.v2_raw(0x20, 0x11, pp.addresses(SOURCE, DESTINATION)),
    pp.v2_raw(0x21, 0x00, b""),
    pp.v2_raw(0x21, 0x12, pp.addresses(SOURCE, DESTINATION)),
], ids=["v1-unknown", "v1-unknown-with-addresses", "v2-local", "v2-local-with-addresses", "v2-unspec", "v2-datagram"])
def test_without_announced_addresses_the_connections_own_stand(proxy, address, pki, header):
    with pp.Announced(address, header).tls("strict.example", pki.client("good")) as one:
        assert one.ask() == b"ping\n"
        local = one.local
    event = proxy.event_of(local)
    expect.check(event, "ok", decision="allow", verified=True)
    assert "peer" not in event["tlscribe"]
    host, port = address.rsplit(":", 1)
    assert (event["destination"]["ip"], event["destination"]["port"]) == (host, int(port))


def test_a_header_is_read_on_a_unix_socket(proxy, pki):
    mark = proxy.mark()
    with pp.Announced(proxy.config["listeners"][1]["bind"], pp.v2(SOURCE, DESTINATION)).tls(
            "strict.example", pki.client("good")) as one:
        assert one.ask() == b"ping\n"
    event = proxy.since(mark)[0]
    assert event["source"]["ip"] == SOURCE[0]
    assert "peer" not in event["tlscribe"]


def test_announced_unix_sockets_have_no_address(proxy, address, pki):
    with pp.Announced(address, pp.v2_raw(0x21, 0x31, b"/a".ljust(216, b"\0"))).tls("strict.example", pki.client("good")) as one:
        assert one.ask() == b"ping\n"
        local = one.local
    event = event_from(proxy, local)
    assert "ip" not in event["source"]


def broken(*changes):
    """A good version 2 header with bytes changed."""
    header = bytearray(pp.v2(SOURCE, DESTINATION))
    for at, value in changes:
        header[at] = value
    return bytes(header)


BAD = {
    "missing": (hello.records(hello.client_hello("strict.example")),
                "no PROXY header"),
    "http": (b"GET / HTTP/1.1\r\n\r\n",
             "no PROXY header"),
    "v1-lower-case": (b"proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
                      "no PROXY header"),
    "v1-lf": (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
              "a CR or LF alone in the PROXY header"),
    "v1-cr": (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\rx",
              "a CR or LF alone in the PROXY header"),
    "v1-endless": (b"PROXY UNKNOWN " + b"x" * 93,
                   "the PROXY header's line does not end"),
    "v1-family": (b"PROXY TCP4 ::1 ::1 1 2\r\n",
                  "malformed address in the PROXY header"),
    "v1-leading-zero": (b"PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n",
                        "malformed address in the PROXY header"),
    "v1-port": (b"PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n",
                "malformed port in the PROXY header"),
    "v1-tail": (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
                "malformed port in the PROXY header"),
    "v1-udp": (b"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
               "unknown protocol in the PROXY header"),
    "v2-version-1": (broken((12, 0x11)),
                     "unknown version or command in the PROXY header"),
    "v2-command": (broken((12, 0x22)),
                   "unknown version or command in the PROXY header"),
    "v2-family": (broken((13, 0x41)),
                  "unknown protocol in the PROXY header"),
    "v2-transport": (broken((13, 0x13)),
                     "unknown protocol in the PROXY header"),
    "v2-short": (pp.v2_raw(0x21, 0x11, pp.addresses(SOURCE, DESTINATION)[:-1]),
                 "the PROXY header is too short for its addresses"),
    "v2-address-changed": (broken((19, 78)),
                           "wrong checksum in the PROXY header"),
    "v2-tlv-beyond": (pp.v2(SOURCE, DESTINATION, b"\x04\x00\x02x", checksum=False),
                      "a TLV is longer than the PROXY header"),
    "v2-tlv-cut": (pp.v2(SOURCE, DESTINATION, b"\x04\x00", checksum=False),
                   "the PROXY header ends inside of a TLV"),
    "v2-checksum-short": (pp.v2(SOURCE, DESTINATION, pp.tlv(pp.CRC32C, b"\0\0"), checksum=False),
                          "malformed checksum in the PROXY header"),
    "v2-checksum-twice": (pp.v2(SOURCE, DESTINATION, pp.tlv(pp.CRC32C, bytes(4))),
                          "malformed checksum in the PROXY header"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_missing_or_malformed_header_ends_the_connection(proxy, address, name):
    sent, detail = BAD[name]
    with pp.Announced(address, sent) as one:
        assert one.to_end() == b"", "nothing is to be said to it"
        local = one.local
    event = proxy.event_of(local)  # and the source is the TCP peer
    expect.check(event, "protocol_error", decision="deny", denied_by="handshake", sent=None)
    assert event["tlscribe"]["findings"][0]["detail"] == detail
    assert "peer" not in event["tlscribe"]
    assert "service" not in event


@pytest.mark.parametrize("length", [4081, 65535])
def test_a_header_beyond_the_limit_is_refused_before_it_is_read(proxy, address, length):
    with pp.Announced(address, pp.SIGNATURE + b"\x21\x11" + struct.pack(">H", length)) as one:
        assert one.to_end() == b""
        local = one.local
    expect.check(proxy.event_of(local), "limit_exceeded", decision="deny", denied_by="limit", sent=None)


@pytest.mark.parametrize("part", [b"", b"PROX", pp.v2(SOURCE, DESTINATION)[:-1]], ids=["nothing", "v1", "v2"])
def test_who_goes_before_the_header_is_whole_is_recorded(proxy, address, part):
    with pp.Announced(address, part) as one:
        one.socket.shutdown(1)
        assert one.to_end() == b""
        local = one.local
    expect.check(proxy.event_of(local), "peer_closed", decision="deny", denied_by="handshake", sent=None)


def test_who_goes_behind_the_header_is_recorded_with_its_source(proxy, address):
    with pp.Announced(address, pp.v2(SOURCE, DESTINATION)) as one:
        one.socket.shutdown(1)
        assert one.to_end() == b""
        local = one.local
    event = event_from(proxy, local)
    expect.check(event, "peer_closed", decision="deny", denied_by="handshake", sent=None)
    assert event["source"]["ip"] == SOURCE[0]


def test_a_second_header_is_no_tls(proxy, address):
    with pp.Announced(address, pp.v2(SOURCE, DESTINATION) + pp.v2(("203.0.113.1", 1), DESTINATION)) as one:
        assert one.to_end() == b""
        local = one.local
    event = event_from(proxy, local)
    expect.check(event, "not_tls", decision="deny", denied_by="handshake", sent=None)
    assert event["source"]["ip"] == SOURCE[0]


def test_other_peers_are_plain_clients(proxy, address, pki):
    got = clients.probe(address, "strict.example", pki.client("good"), source=UNTRUSTED)
    assert got.echo, got
    event = proxy.event_of(got.local)
    expect.check(event, "ok", decision="allow", verified=True)
    assert "peer" not in event["tlscribe"]


@pytest.mark.parametrize("header", [pp.v1(SOURCE, DESTINATION), pp.v2(SOURCE, DESTINATION)], ids=["v1", "v2"])
def test_a_header_of_other_peers_is_no_tls_and_changes_nothing(proxy, address, header):
    with pp.Announced(address, header, source="127.251.0.9") as one:
        assert one.to_end() == b""
        local = one.local
    event = proxy.event_of(local)
    expect.check(event, "not_tls", decision="deny", denied_by="handshake", sent=None)
    assert event["source"]["ip"] == "127.251.0.9"
    assert "peer" not in event["tlscribe"]
