"""HTTP/1.1 messages, read by rules of the tests' own: on purpose strict, simple, and nothing that the program under test knows of."""

import re

VISIBLE = rb"[\x21-\x7e\x80-\xff]"
TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"


class Malformed(Exception):
    """What was read is not what RFC 9112 wants to be sent."""


class Cut(Exception):
    """The bytes ended in the middle of a message."""


class Message:
    """A head and what follows. `source` gives more bytes with each call, b"" at the end."""

    def __init__(self, first, fields, head, source, rest):
        self.first, self.fields, self.head = first, fields, head
        self.source, self.rest = source, rest
        self.trailers, self.chunks = [], 0
        self.body = None

    def values(self, name):
        return [value for field, value in self.fields if field.lower() == name.lower()]

    def value(self, name):
        """The value of a field that stands there once; None: it does not."""
        found = self.values(name)
        if len(found) > 1:
            raise Malformed(f"{name} stands {len(found)} times: {found}")
        return found[0] if found else None

    def __contains__(self, name):
        return bool(self.values(name))

    def more(self):
        got = self.source()
        if not got:
            raise Cut(f"after {self.rest[-200:]!r}")
        self.rest += got

    def line(self):
        while b"\n" not in self.rest:
            self.more()
        line, self.rest = self.rest.split(b"\n", 1)
        if not line.endswith(b"\r") or b"\r" in line[:-1]:
            raise Malformed(f"a line that does not end with CRLF: {line!r}")
        return line[:-1]

    def framing(self):
        """"chunked", a number, or None: the head says nothing."""
        codings, lengths = self.values("Transfer-Encoding"), self.values("Content-Length")
        if len(codings) + len(lengths) > 1:
            raise Malformed(f"framing more than once: {codings} {lengths}")
        if codings:
            if codings[0] != "chunked":
                raise Malformed(f"Transfer-Encoding {codings[0]!r}")
            return "chunked"
        if lengths:
            if not re.fullmatch("0|[1-9][0-9]*", lengths[0]):
                raise Malformed(f"Content-Length {lengths[0]!r}")
            return int(lengths[0])
        return None

    def pieces(self, framing):
        """The body as it comes; `framing` as above, and "close": to the end of the connection."""
        if framing == "chunked":
            yield from self.chunked()
        elif framing == "close":
            while True:
                if self.rest:
                    piece, self.rest = self.rest, b""
                    yield piece
                self.rest = self.source()
                if not self.rest:
                    return
        else:
            left = framing or 0
            while left > 0:
                if not self.rest:
                    self.more()
                piece, self.rest = self.rest[:left], self.rest[left:]
                left -= len(piece)
                yield piece

    def chunked(self):
        while True:
            line = self.line()
            if not re.fullmatch(rb"[0-9a-fA-F]{1,16}", line):
                raise Malformed(f"chunk size {line!r}")
            size = int(line, 16)
            if size == 0:
                break
            self.chunks += 1
            left = size
            while left > 0:
                if not self.rest:
                    self.more()
                piece, self.rest = self.rest[:left], self.rest[left:]
                left -= len(piece)
                yield piece
            if self.line() != b"":
                raise Malformed("no CRLF behind a chunk")
        self.trailers = read_fields(iter(self.line, b""))

    def read_body(self, framing):
        self.body = b"".join(self.pieces(framing))
        return self.body


def read_fields(lines):
    fields = []
    for line in lines:
        found = re.fullmatch(rb"(" + TOKEN + rb"):[ \t]*((?:" + VISIBLE + rb"(?:[\x20-\x7e\x80-\xff\t]*" + VISIBLE + rb")?)?)[ \t]*", line)
        if found is None:
            raise Malformed(f"field line {line!r}")
        fields.append((found[1].decode(), found[2].decode("latin-1")))
    return fields


def read_head(source, rest):
    """A message up to the end of its head; None: the end came before its first byte."""
    while b"\r\n\r\n" not in rest:
        got = source()
        if not got:
            if rest == b"":
                return None
            raise Cut(f"in a head: {rest[:400]!r}")
        rest += got
    head, rest = rest.split(b"\r\n\r\n", 1)
    lines = head.split(b"\r\n")
    for line in lines:
        if b"\n" in line or b"\r" in line:
            raise Malformed(f"a line that does not end with CRLF: {line!r}")
    return Message(lines[0], read_fields(lines[1:]), head + b"\r\n\r\n", source, rest)


def read_request(source, rest=b""):
    """None: the connection ended. The body is still to come."""
    one = read_head(source, rest)
    if one is None:
        return None
    found = re.fullmatch(rb"(" + TOKEN + rb") ([\x21-\x7e]+) HTTP/1\.1", one.first)
    if found is None:
        raise Malformed(f"request line {one.first!r}")
    one.method, one.target = found[1].decode(), found[2].decode()
    one.host = one.value("Host")
    if not one.host:
        raise Malformed("no Host")
    one.length = one.framing()
    return one


def read_response(source, rest=b"", verb="GET"):
    """One response with its body, a 1xx too. None: the connection ended."""
    one = read_head(source, rest)
    if one is None:
        return None
    found = re.fullmatch(rb"HTTP/1\.1 ([1-5][0-9][0-9]) ([\x20-\x7e\x80-\xff\t]*)", one.first)
    if found is None:
        raise Malformed(f"status line {one.first!r}")
    one.status, one.reason = int(found[1]), found[2].decode("latin-1")
    one.length = one.framing()
    if one.status < 200 or one.status == 204:
        if one.length is not None:
            raise Malformed(f"framing in {one.head!r}")
        one.body = b""
    elif verb == "HEAD" or one.status == 304:
        one.body = b""
    return one


def finish_response(one):
    """The body of what read_response() gave."""
    if one.body is None:
        one.read_body("close" if one.length is None else one.length)
    return one
