"""JA3 and JA4 from the bytes of a ClientHello, written from their descriptions (github.com/salesforce/ja3, and technical_details/JA4.md
of github.com/FoxIO-LLC/ja4) and from nothing of the program under test; and a relay that keeps those bytes."""

import hashlib
import socket
import threading

from lib import backends, procs

GREASE = {0x0A0A + 0x1010 * n for n in range(16)}  # RFC 8701
SERVER_NAME, GROUPS, FORMATS, SIGNATURES, ALPN, VERSIONS = 0, 10, 11, 13, 16, 43


def message_of(data):
    """The first handshake message of a stream of records, its header included."""
    message, at = b"", 0
    while len(message) < 4 or len(message) < 4 + int.from_bytes(message[1:4], "big"):
        assert data[at] == 22 and len(data) >= at + 5, f"no record at {at}"
        length = int.from_bytes(data[at + 3:at + 5], "big")
        message += data[at + 5:at + 5 + length]
        at += 5 + length
    assert message[0] == 1, "no ClientHello"
    return message[:4 + int.from_bytes(message[1:4], "big")]


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        got = self.data[self.at:self.at + count]
        assert len(got) == count, "too short"
        self.at += count
        return got

    def vector(self, size):
        return self.take(int.from_bytes(self.take(size), "big"))

    def more(self):
        return self.at < len(self.data)


def words(data):
    return [int.from_bytes(data[i:i + 2], "big") for i in range(0, len(data) - 1, 2)]


class Hello:
    def __init__(self, message):
        r = Reader(message[4:])
        self.sha256 = hashlib.sha256(message).hexdigest().upper()
        self.version = int.from_bytes(r.take(2), "big")
        r.take(32)
        r.vector(1)
        self.suites = words(r.vector(2))
        r.vector(1)
        self.extensions = []  # (type, content) in order
        if r.more():
            inner = Reader(r.vector(2))
            while inner.more():
                kind = int.from_bytes(inner.take(2), "big")
                self.extensions.append((kind, inner.vector(2)))
        assert not r.more()

    def content(self, kind):
        return next((content for one, content in self.extensions if one == kind), None)

    def listed(self, kind, size):
        """The numbers of a list behind a length of `size` bytes; [] without the extension."""
        content = self.content(kind)
        return [] if content is None else words(content[size:])

    def ja3_text(self):
        formats = self.content(FORMATS)
        return ",".join(["%d" % self.version] + ["-".join("%d" % n for n in numbers if n not in GREASE) for numbers in (
            self.suites, [kind for kind, _ in self.extensions], self.listed(GROUPS, 2))]
            + ["-".join("%d" % n for n in (formats[1:] if formats else b""))])

    def ja3(self):
        return hashlib.md5(self.ja3_text().encode()).hexdigest()

    def ja4(self):
        kinds = [kind for kind, _ in self.extensions if kind not in GREASE]
        suites = [n for n in self.suites if n not in GREASE]
        versions = [n for n in self.listed(VERSIONS, 1) if n not in GREASE] if self.content(VERSIONS) is not None else [self.version]
        names = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3"}
        protocols = self.content(ALPN)
        first_and_last = "00"
        if protocols and len(protocols) > 3 and protocols[2]:
            name = protocols[3:3 + protocols[2]]
            first_and_last = chr(name[0]) + chr(name[-1])
            if not (first_and_last.isascii() and first_and_last.isalnum()):
                first_and_last = name.hex()[0] + name.hex()[-1]
        start = "t%s%s%02d%02d%s" % (names.get(max(versions, default=0), "00"), "d" if SERVER_NAME in kinds else "i",
                                     min(len(suites), 99), min(len(kinds), 99), first_and_last)
        sorted_kinds = ",".join(sorted("%04x" % kind for kind in kinds if kind not in (SERVER_NAME, ALPN)))
        signatures = ",".join("%04x" % n for n in self.listed(SIGNATURES, 2) if n not in GREASE)
        if signatures and sorted_kinds:
            sorted_kinds += "_" + signatures
        return "_".join([start, cut(",".join(sorted("%04x" % n for n in suites))), cut(sorted_kinds)])


def cut(text):
    return hashlib.sha256(text.encode()).hexdigest()[:12] if text else "0" * 12


class Tap(backends.Server):
    """A relay to `target` that keeps what each client sent, and from where it went on."""

    def __init__(self, target):
        self.target = target
        self.sent, self.locals = [], []
        super().__init__(Tap.relay)

    def relay(self, peer, _):
        host, port = self.target.rsplit(":", 1)
        with socket.create_connection((host, int(port)), procs.PATIENCE, (procs.own_source(self.target), 0)) as out:
            kept = bytearray()
            with self.changed:
                self.sent.append(kept)
                self.locals.append("%s:%d" % out.getsockname()[:2])
            back = threading.Thread(target=self.pump, args=(out, peer, None), daemon=True)
            back.start()
            self.pump(peer, out, kept)
            back.join(procs.PATIENCE)

    @staticmethod
    def pump(source, sink, kept):
        try:
            while data := source.recv(65536):
                if kept is not None:
                    kept += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for one in (source, sink):
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def serve(self, peer):
        with peer:
            self.relay(peer, self)
