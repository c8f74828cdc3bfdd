"""The PROXY protocol, written from haproxy's proxy-protocol.txt and from nothing of the program under test: headers to send,
a decoder for those that are received, and a real haproxy on either side.
"""

import shutil
import socket
import ssl
import struct
import subprocess
from pathlib import Path

from lib import procs

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
ALPN, AUTHORITY, CRC32C, NOOP, UNIQUE_ID, SSL = 0x01, 0x02, 0x03, 0x04, 0x05, 0x20
SSL_VERSION, SSL_CN, SSL_CIPHER, SSL_SIG_ALG, SSL_KEY_ALG, SSL_CLIENT_CERT = 0x21, 0x22, 0x23, 0x24, 0x25, 0x28
CLIENT_SSL, CLIENT_CERT_CONN, CLIENT_CERT_SESS = 1, 2, 4


def crc32c(data):
    """RFC 9260 appendix A, bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


assert crc32c(b"123456789") == 0xE3069283


def v1(source, destination):
    """Both as (ip, port)."""
    kind = "TCP6" if ":" in source[0] else "TCP4"
    return f"PROXY {kind} {source[0]} {destination[0]} {source[1]} {destination[1]}\r\n".encode()


def tlv(kind, value):
    return struct.pack(">BH", kind, len(value)) + value


def v2_raw(command, family, block):
    return SIGNATURE + bytes([command, family]) + struct.pack(">H", len(block)) + block


def addresses(source, destination):
    family = socket.AF_INET6 if ":" in source[0] else socket.AF_INET
    return (socket.inet_pton(family, source[0]) + socket.inet_pton(family, destination[0])
            + struct.pack(">HH", source[1], destination[1]))


def v2(source, destination, tlvs=b"", checksum=True):
    block = addresses(source, destination)
    family = 0x21 if ":" in source[0] else 0x11
    if not checksum:
        return v2_raw(0x21, family, block + tlvs)
    bare = v2_raw(0x21, family, block + tlv(CRC32C, bytes(4)) + tlvs)
    return v2_raw(0x21, family, block + tlv(CRC32C, struct.pack(">I", crc32c(bare))) + tlvs)


def tlvs_of(data):
    """{type: value}; every type once, and nothing left over."""
    found = {}
    while data:
        assert len(data) >= 3, f"{len(data)} bytes are no TLV"
        kind, length = struct.unpack(">BH", data[:3])
        assert len(data) >= 3 + length, f"TLV {kind:#x} of {length} bytes does not fit"
        assert kind not in found, f"TLV {kind:#x} twice"
        found[kind] = data[3:3 + length]
        data = data[3 + length:]
    return found


class Header:
    """A version 2 header as received: command, source and destination as (ip, port) or None, tlvs, and the parts of the
    TLS one: client, verify, tls (its TLVs), None without it."""

    def __init__(self, data):
        assert data[:12] == SIGNATURE, data[:16]
        self.command, family, length = data[12], data[13], struct.unpack(">H", data[14:16])[0]
        assert len(data) == 16 + length
        assert self.command in (0x20, 0x21)
        block = data[16:]
        self.source = self.destination = None
        size = {0x00: 0, 0x11: 12, 0x21: 36}[family]
        if size:
            kind, width = (socket.AF_INET, 4) if family == 0x11 else (socket.AF_INET6, 16)
            ports = struct.unpack(">HH", block[2 * width:2 * width + 4])
            self.source = (socket.inet_ntop(kind, block[:width]), ports[0])
            self.destination = (socket.inet_ntop(kind, block[width:2 * width]), ports[1])
        self.tlvs = tlvs_of(block[size:])
        told = self.tlvs[CRC32C]
        assert len(told) == 4 and data.count(told) >= 1
        at = 16 + size
        while data[at] != CRC32C:
            at += 3 + struct.unpack(">H", data[at + 1:at + 3])[0]
        zeroed = data[:at + 3] + bytes(4) + data[at + 7:]
        assert crc32c(zeroed) == struct.unpack(">I", told)[0], "wrong checksum"
        self.client = self.verify = self.tls = None
        if SSL in self.tlvs:
            value = self.tlvs[SSL]
            self.client, self.verify = struct.unpack(">BI", value[:5])
            self.tls = tlvs_of(value[5:])


def exactly(peer, count):
    got = b""
    while len(got) < count:
        part = peer.recv(count - len(got))
        if not part:
            return got
        got += part
    return got


def receive(peer):
    """Takes a version 2 header from a socket, to the byte."""
    head = exactly(peer, 16)
    assert len(head) == 16, f"{head!r} is no header"
    return Header(head + exactly(peer, struct.unpack(">H", head[14:16])[0]))


class Announced:
    """A connection that begins with a header, then TLS by Python's ssl; `pieces`: the header byte by byte."""

    def __init__(self, address, header, source=None, pieces=False):
        if address.startswith("unix:"):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(procs.PATIENCE)
            self.socket.connect(address.removeprefix("unix:"))
            self.local = None
        else:
            host, port = address.rsplit(":", 1)
            source = source or procs.own_source(address)
            self.socket = socket.create_connection((host.strip("[]"), int(port)), procs.PATIENCE, (source, 0))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.local = "%s:%d" % self.socket.getsockname()[:2]
        for part in ([header[i:i + 1] for i in range(len(header))] if pieces else [header]):
            self.socket.sendall(part)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def tls(self, name, client=None, version=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if version:
            exact = ssl.TLSVersion.TLSv1_2 if version == "1.2" else ssl.TLSVersion.TLSv1_3
            context.minimum_version = context.maximum_version = exact
        if client is not None:
            context.load_cert_chain(client.chain_file, client.key_file)
        self.socket = context.wrap_socket(self.socket, server_hostname=name)
        return self

    def ask(self, text=b"ping\n"):
        self.socket.sendall(text)
        return exactly(self.socket, len(text))

    def to_end(self):
        """What comes until the other side ends."""
        got = b""
        try:
            while part := self.socket.recv(65536):
                got += part
        except ConnectionResetError:
            pass
        return got


class Haproxy:
    """haproxy with these sections; {port} in their text is the one it listens on."""

    def __init__(self, folder, sections):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)
        self.port = procs.free_port()
        self.address = f"127.0.0.1:{self.port}"
        (self.folder / "haproxy.cfg").write_text(f"""
defaults
    timeout connect 30s
    timeout client 60s
    timeout server 60s
{sections.replace("{port}", str(self.port))}
""")
        binary = shutil.which("haproxy") or "/usr/sbin/haproxy"
        self.log = open(self.folder / "haproxy.out", "wb")
        self.process = subprocess.Popen([binary, "-db", "-f", str(self.folder / "haproxy.cfg")], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)
        procs.wait_for(self.listens, self.why)

    def listens(self):
        assert self.process.poll() is None, self.why()
        return procs.listening(self.address)

    def why(self):
        return "haproxy: " + (self.folder / "haproxy.out").read_text(errors="replace")

    def close(self):
        procs.end(self.process)
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
