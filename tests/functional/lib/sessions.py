"""Clients that come back with the session they have: Python's ssl, crypto/tls of Go, openssl s_client and gnutls-cli. And sessions of
OpenSSL as bytes, to be changed where no library would."""

import base64
import json
import re
import ssl
import subprocess

from lib import clients, der, live, procs


class Python:
    """One client with one certificate, or with none."""

    def __init__(self, address, client=None, version=None):
        self.address, self.context = address, clients.client_context(client, version)

    def visit(self, name="one", session=None):
        return Visit(self, name, session)

    def session(self, name="one"):
        """That of a full handshake that was accepted."""
        seen = self.visit(name)
        assert seen.echo and not seen.resumed and seen.session is not None, seen
        return seen.session


class Visit:
    """A connection that says ping: `local`, `resumed`, `echo`, `alert` (None: it was served, "cut": no alert came), `session`: the
    ticket that came with it, None without."""

    def __init__(self, client, name, session):
        self.echo, self.resumed, self.alert, self.session, self.local = False, None, None, None, None
        try:
            with clients.Tls(client.address, f"{name}.example", context=client.context, session=session) as one:
                self.local = one.local
                self.talk(one.socket)
        except ssl.SSLError as e:
            self.alert = live.ALERTS.get(e.reason, "cut")
        except ConnectionError:
            self.alert = "cut"

    def talk(self, one):
        one.suppress_ragged_eofs, self.resumed = False, one.session_reused
        one.sendall(b"ping\n")
        self.echo = one.recv(5) == b"ping\n"
        # OpenSSL gives a session of TLS 1.3 an id of its own when its ticket comes.
        if one.session is not None and one.session.has_ticket and not self.resumed:
            self.session = one.session
        # A session whose connection was not ended is given up by OpenSSL.
        one.unwrap().close()

    def __repr__(self):
        return f"{self.__dict__}"


class Go:
    """crypto/tls with one cache: see clients/again."""

    def __init__(self, address, client=None, **flags):
        command = [clients.go_program("again"), "-addr", address]
        if client is not None:
            command += ["-cert-pem", str(client.chain_file), "-key", str(client.key_file)]
        for flag, value in flags.items():
            command.append(f"-{flag.replace('_', '-')}={str(value).lower()}")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def visit(self, name="one"):
        self.process.stdin.write(f"{name}.example\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the client ended"
        return clients.Result(json.loads(line))

    def close(self):
        self.process.stdin.close()
        procs.end(self.process)
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Openssl:
    """s_client, with its session in a file."""

    def __init__(self, address, folder, client=None, version="1.3"):
        self.address, self.client, self.version, self.file = address, client, version, folder / "session.pem"

    def visit(self, name="one", *more):
        """Its words."""
        return clients.s_client(self.address, f"{name}.example", self.client, self.version, "ping\n", *more)

    def full(self, name="one"):
        said = self.visit(name, "-sess_out", str(self.file))
        assert "New, TLSv1.3" in said and self.file.exists(), said
        return said

    def again(self, name="one", *more):
        return self.visit(name, "-sess_in", str(self.file), *more)


def read_tlv(data, at):
    """(tag, start of the content, end) of the DER element there."""
    length, start = data[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(data[start:start + count], "big"), start + count
    return data[at], start, start + length


class Stored:
    """An SSL_SESSION of OpenSSL (ssl/ssl_asn1.c), as s_client writes it."""

    TICKET, MAX_EARLY_DATA, LIFETIME = 10, 15, 9

    def __init__(self, text):
        body = re.search(r"-----BEGIN SSL SESSION PARAMETERS-----(.*?)-----END", text, re.S)[1]
        data = base64.b64decode(body)
        tag, at, end = read_tlv(data, 0)
        assert tag == 0x30 and end == len(data)
        self.parts = []  # whole elements
        while at < end:
            _, _, stop = read_tlv(data, at)
            self.parts.append(data[at:stop])
            at = stop

    def find(self, number):
        """The content of the element below [number]."""
        for part in self.parts:
            tag, start, _ = read_tlv(part, 0)
            if tag == 0xA0 | number:
                _, inner, end = read_tlv(part, start)
                return part[inner:end]
        return None

    def put(self, number, element):
        """Replaces the element below [number], or adds it in its place."""
        made = der.explicit(number, element)
        kept = [part for part in self.parts if part[0] != 0xA0 | number]
        at = next((i for i, part in enumerate(kept) if part[0] & 0xE0 == 0xA0 and part[0] & 0x1F > number), len(kept))
        self.parts = kept[:at] + [made] + kept[at:]

    @property
    def ticket(self):
        return self.find(self.TICKET)

    def put_ticket(self, ticket):
        self.put(self.TICKET, der.octets(ticket))

    def pem(self):
        text = base64.encodebytes(der.sequence(*self.parts)).decode()
        return f"-----BEGIN SSL SESSION PARAMETERS-----\n{text}-----END SSL SESSION PARAMETERS-----\n"
