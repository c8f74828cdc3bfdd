"""OCSP responders (RFC 6960): openssl's own, asked once for each request or as a server, and answers that no honest one gives."""

import itertools
import subprocess
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as x509_ocsp

from lib import procs
from lib.crl import serial_of
from lib.pki import DAY, now, pem
from lib.recorder import answer

RESPONSE = "application/ocsp-response"


def reply(body):
    return answer(body, Content_Type=RESPONSE)


class Responder:
    """`openssl ocsp` for the certificates of one authority. `signer` is who signs the answers, by default the authority itself."""

    def __init__(self, folder, authority, signer=None, options=("-ndays", "1")):
        self.authority, self.signer, self.options = authority, signer or authority, list(options)
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.index = self.folder / "index.txt"
        self.rows, self.numbers = {}, itertools.count()
        self.write()
        self.ca, self.signer_file = self.folder / "ca.pem", self.folder / "signer.pem"
        self.ca.write_bytes(pem(authority.chain[0]))
        self.signer_file.write_bytes(pem(self.signer.chain[0]))
        self.process = None

    def write(self):
        self.index.write_text("".join(self.rows.values()))

    def row(self, identity, state, revoked=""):
        serial = "%X" % serial_of(identity)
        serial = serial.zfill(len(serial) + len(serial) % 2)
        self.rows[serial] = f"{state}\t401231235959Z\t{revoked}\t{serial}\tunknown\t/CN={identity.label}\n"
        self.write()

    def good(self, *identities):
        for one in identities:
            self.row(one, "V")

    def revoke(self, identity, reason="keyCompromise"):
        self.row(identity, "R", "240101000000Z," + reason)

    def command(self):
        return ["openssl", "ocsp", "-index", str(self.index), "-CA", str(self.ca), "-rsigner", str(self.signer_file),
                "-rkey", str(self.signer.key_file), *self.options]

    def ask(self, request):
        """The DER answer to a DER request."""
        number = next(self.numbers)  # a Web answers several at once
        asked, answered = self.folder / f"{number}.request", self.folder / f"{number}.answer"
        asked.write_bytes(request)
        got = subprocess.run([*self.command(), "-reqin", str(asked), "-respout", str(answered)], capture_output=True, check=False,
                             timeout=procs.PATIENCE)
        assert got.returncode == 0 and answered.exists(), got.stderr.decode(errors="replace")
        return answered.read_bytes()

    def page(self, request):
        """For the pages of a Web."""
        assert request.method == "POST" and request.value("Content-Type") == "application/ocsp-request", request.first
        return reply(self.ask(request.body))

    def serve(self):
        """As a server of its own; gives its URL."""
        port = procs.free_port()
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen([*self.command(), "-port", str(port), "-timeout", "5"], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        procs.wait_for(lambda: procs.listening(f"127.0.0.1:{port}"), lambda: (self.folder / "log").read_text())
        return f"http://127.0.0.1:{port}/"

    def close(self):
        if self.process is not None:
            procs.end(self.process)
            self.process = None


def delegate(pki, label, authority, **fields):
    """A certificate of the authority that may sign its answers (RFC 6960 4.2.2.2)."""
    return pki.leaf(label, authority, purposes=["1.3.6.1.5.5.7.3.9"], **fields)


def forge(leaf, authority, signer, *, since=None, until=None, status=x509_ocsp.OCSPCertStatus.GOOD, with_certificate=False):
    """An answer with any dates, signed by anybody."""
    certificate, issuer, by = (x509.load_der_x509_certificate(one.chain[0]) for one in (leaf, authority, signer))
    made = x509_ocsp.OCSPResponseBuilder().add_response(
        cert=certificate, issuer=issuer, algorithm=hashes.SHA1(), cert_status=status,
        this_update=since or now() - DAY / 24, next_update=until or now() + DAY, 
        revocation_time=now() - DAY if status is x509_ocsp.OCSPCertStatus.REVOKED else None, revocation_reason=None)
    made = made.responder_id(x509_ocsp.OCSPResponderEncoding.HASH, by)
    if with_certificate:
        made = made.certificates([by])
    return made.sign(signer.key, hashes.SHA256()).public_bytes(Encoding.DER)
