"""TLS records and ClientHello messages made by hand (RFC 8446 4.1.2), for what no library would send."""

import os
import socket
import struct

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lib import procs

HANDSHAKE, ALERT, CHANGE_CIPHER_SPEC = 22, 21, 20
TLS10, TLS11, TLS12, TLS13 = 0x0301, 0x0302, 0x0303, 0x0304
P256, X25519, BRAINPOOL, X448 = 0x0017, 0x001D, 0x001A, 0x001E
SUITES_13 = [0x1301, 0x1302, 0x1303]
SUITES_12 = [0xC02B, 0xC02F, 0xC02C, 0xC030]
SIGNATURES = [0x0403, 0x0503, 0x0804, 0x0805, 0x0401, 0x0807]
RETRY_RANDOM = bytes.fromhex("CF21AD74E59A6111BE1D8C021E65B891C2A211167ABB8C5E079E09E2C8A8339C")


def vector(size, content):
    return len(content).to_bytes(size, "big") + content


def words(values):
    return b"".join(struct.pack(">H", v) for v in values)


def extension(kind, content):
    return struct.pack(">H", kind) + vector(2, content)


def server_name(name):
    name = name.encode() if isinstance(name, str) else name
    return extension(0, vector(2, b"\0" + vector(2, name)))


def alpn(names):
    return extension(16, vector(2, b"".join(vector(1, n.encode()) for n in names)))


def p256_share():
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return P256, key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def client_hello(name=None, *, versions=(TLS13, TLS12), legacy=TLS12, suites=None, groups=(X25519, P256),
                 shares=None, signatures=SIGNATURES, protocols=None, more=b"", random=None, session=None, padding=0):
    """One handshake message. `versions` None: a hello that knows no TLS 1.3. `shares` None: one for X25519."""
    extensions = b""
    if name is not None:
        extensions += server_name(name)
    extensions += extension(10, vector(2, words(groups)))
    extensions += extension(11, b"\x01\x00")
    extensions += extension(13, vector(2, words(signatures)))
    if protocols:
        extensions += alpn(protocols)
    if versions is not None:
        extensions += extension(43, vector(1, words(versions)))
    if versions is not None and TLS13 in versions:
        if shares is None:
            shares = [(X25519, os.urandom(32))]
        extensions += extension(51, vector(2, b"".join(struct.pack(">H", g) + vector(2, k) for g, k in shares)))
        extensions += extension(45, b"\x01\x01")
    extensions += more
    if padding:
        extensions += extension(21, bytes(padding))
    suites = suites or SUITES_13 + SUITES_12
    body = struct.pack(">H", legacy) + (random or os.urandom(32)) + \
        vector(1, os.urandom(32) if session is None else session) + \
        vector(2, words(suites)) + b"\x01\x00" + vector(2, extensions)
    return b"\x01" + vector(3, body)


def record(content, kind=HANDSHAKE, version=TLS10):
    return struct.pack(">BHH", kind, version, len(content)) + content


def records(message, size=16384, kind=HANDSHAKE):
    """The message in records of at most `size` bytes."""
    return b"".join(record(message[i:i + size], kind) for i in range(0, len(message), size))


class Wire:
    """A plain socket to the proxy."""

    def __init__(self, address, source=None, patience=30):
        if address.startswith("unix:"):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(patience)
            self.socket.connect(address.removeprefix("unix:"))
            self.local = None
        else:
            host, port = address.rsplit(":", 1)
            source = source or procs.own_source(address)
            self.socket = socket.create_connection((host.strip("[]"), int(port)), patience,
                                                   (source, 0) if source else None)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            mine = self.socket.getsockname()
            self.local = f"[{mine[0]}]:{mine[1]}" if ":" in mine[0] else f"{mine[0]}:{mine[1]}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """False: the other side is gone."""
        try:
            self.socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def end(self):
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def exactly(self, count):
        got = b""
        while len(got) < count:
            try:
                part = self.socket.recv(count - len(got))
            except ConnectionResetError:
                return None
            if not part:
                return None
            got += part
        return got

    def record(self):
        """(kind, content) of the next record; None at the end."""
        head = self.exactly(5)
        if head is None:
            return None
        content = self.exactly(int.from_bytes(head[3:], "big"))
        return None if content is None else (head[0], content)

    def rest(self):
        """All records until the end."""
        out = []
        while True:
            one = self.record()
            if one is None:
                return out
            out.append(one)

    def to_end(self):
        """All bytes until the end."""
        got = b""
        while True:
            try:
                part = self.socket.recv(65536)
            except ConnectionResetError:
                return got
            if not part:
                return got
            got += part


def alert_of(found):
    """The number of the last plain alert among records, -1: none."""
    numbers = [content[1] for kind, content in found if kind == ALERT and len(content) == 2]
    return numbers[-1] if numbers else -1
