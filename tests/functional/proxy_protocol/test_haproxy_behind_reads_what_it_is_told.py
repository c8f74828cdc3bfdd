"""A real haproxy as the back end: it takes the header and gives back what it read, in plain and behind TLS, in both modes."""

import pytest

from lib import backends, clients, der, procs
from lib import proxy_protocol as pp
from lib.proxy import service

SAYS = '"%[src] %[src_port] %[dst] %[dst_port] %[fc_pp_authority] %[fc_pp_unique_id]"'


@pytest.fixture(scope="module")
def pem(pki, folder):
    server = pki.leaf("haproxy-server", pki.edge, purposes=["serverAuth"], names=[(der.DNS, "backend.internal")])
    path = folder / "haproxy-server.both"
    path.write_bytes(server.chain_file.read_bytes() + server.key_file.read_bytes())
    return path


@pytest.mark.parametrize("mode", ["tcp", "http"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_addresses_authority_and_unique_id(own_proxies, pki, folder, pem, mode, tls):
    back_end = pp.Haproxy(folder / f"back-{mode}-{tls}", f"""
frontend back
    mode http
    bind 127.0.0.1:{{port}} accept-proxy {f"ssl crt {pem}" if tls else ""}
    http-request return status 200 content-type text/plain lf-string {SAYS}
""")
    with back_end:
        one = service("strict", pki, back_end.address, mode=mode)
        one["upstream"]["proxy_protocol"] = "v2"
        if tls:
            one["upstream"]["tls"] = {"verify": "required", "ca": [pki.root.chain_file], "server_name": "backend.internal"}
        proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [one])
        address = proxy.config["listeners"][0]["bind"]
        mark = proxy.mark()
        got = clients.curl(address, "strict.example", "/", client=pki.client("good"))
        assert got.returncode == 0, got.stderr
        event = proxy.since(mark)[0]
    source, destination = event["source"], event["destination"]
    assert got.stdout.decode().split() == [source["ip"], str(source["port"]), destination["ip"], str(destination["port"]),
                                           "strict.example", event["event"]["id"]]


def requests(peer, server):
    """Takes a header, then answers requests; notes the connection's unique id and each request line."""
    unique_id = pp.receive(peer).tlvs[pp.UNIQUE_ID].decode()
    rest = b""
    while True:
        while b"\r\n\r\n" not in rest:
            part = peer.recv(65536)
            if not part:
                return
            rest += part
        head, rest = rest.split(b"\r\n\r\n", 1)
        server.note((unique_id, head.split(b" ")[1].decode()))
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def test_a_connection_with_a_header_serves_its_own_client_alone(own_proxies, pki):
    server = backends.Server(requests)
    one = service("strict", pki, server.address, mode="http")
    one["upstream"]["proxy_protocol"] = "v2"
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [one], workers=1)
    address = proxy.config["listeners"][0]["bind"]
    ids = []
    for visitor in "abc":
        with clients.Tls(address, "strict.example", pki.client("good")) as client:
            for number in (1, 2):
                client.socket.sendall(f"GET /{visitor}{number} HTTP/1.1\r\nHost: strict.example\r\n\r\n".encode())
                got = b""
                while not got.endswith(b"\r\n\r\nok"):
                    part = client.socket.recv(65536)
                    assert part, got
                    got += part
            ids.append(proxy.event_of(client.local)["event"]["id"])
    assert len(set(ids)) == 3
    assert server.seen == [(ids[i], f"/{visitor}{number}") for i, visitor in enumerate("abc") for number in (1, 2)]
    server.close()


def answer(peer, server):
    """Takes a header, then answers one request."""
    header = pp.receive(peer)
    server.note(header)
    got = b""
    while b"\r\n\r\n" not in got:
        part = peer.recv(65536)
        if not part:
            return
        got += part
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


def test_health_checks_are_connections_of_our_own(own_proxies, pki):
    server = backends.Server(answer)
    one = service("strict", pki, server.address, mode="http")
    one["upstream"].update(proxy_protocol="v2", check={"path": "/healthz", "interval": "100ms", "timeout": "5s"})
    own_proxies(["127.0.0.1:%d" % procs.free_port()], [one])
    for header in server.wait_note(2):
        assert (header.command, header.source) == (0x20, None)
        assert set(header.tlvs) == {pp.CRC32C}
    server.close()
