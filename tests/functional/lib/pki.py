"""A throw-away PKI: certificate authorities, servers, and one client for every way in which a client can be wrong.

Certificates are written by der.py and signed with real keys, so that every bit of them can be chosen.
"""

import hashlib
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from lib import der

DAY = timedelta(days=1)

SIGNATURES = {
    ("ec", "sha256"): ("1.2.840.10045.4.3.2", False),
    ("ec", "sha1"): ("1.2.840.10045.4.1", False),
    ("rsa", "sha256"): ("1.2.840.113549.1.1.11", True),
    ("rsa", "sha1"): ("1.2.840.113549.1.1.5", True),
    ("rsa", "md5"): ("1.2.840.113549.1.1.4", True),
    ("rsa", "sha224"): ("1.2.840.113549.1.1.14", True),
    ("rsa", "sha512"): ("1.2.840.113549.1.1.13", True),
    ("ec", "sha224"): ("1.2.840.10045.4.3.1", False),
    ("ec", "sha512"): ("1.2.840.10045.4.3.4", False),
    ("ed25519", "sha256"): ("1.3.101.112", False),
}
DIGESTS = {"md5": hashes.MD5, "sha1": hashes.SHA1, "sha224": hashes.SHA224, "sha256": hashes.SHA256, "sha512": hashes.SHA512}


def now():
    return datetime.now(timezone.utc)


def new_key(kind="P-256"):
    if kind == "P-256":
        return ec.generate_private_key(ec.SECP256R1())
    if kind == "P-384":
        return ec.generate_private_key(ec.SECP384R1())
    if kind == "P-224":
        return ec.generate_private_key(ec.SECP224R1())
    if kind == "brainpool":
        return ec.generate_private_key(ec.BrainpoolP256R1())
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=int(kind.removeprefix("RSA-")))


def spki(key):
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def key_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def pem(certificate):
    import base64
    text = base64.encodebytes(certificate).replace(b"\n", b"")
    lines = [text[i:i + 64] for i in range(0, len(text), 64)]
    return b"-----BEGIN CERTIFICATE-----\n" + b"\n".join(lines) + b"\n-----END CERTIFICATE-----\n"


def sign(key, data, digest="sha256"):
    algorithm = DIGESTS[digest]()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(algorithm))
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), algorithm)
    return key.sign(data)


def signature_algorithm(key, digest="sha256"):
    kind = "ec" if isinstance(key, ec.EllipticCurvePrivateKey) else \
        "rsa" if isinstance(key, rsa.RSAPrivateKey) else "ed25519"
    dotted, null = SIGNATURES[kind, digest]
    return der.sequence(der.oid(dotted), der.tlv(0x05) if null else b"")


def certificate(*, subject, issuer, key, signer, not_before=None, not_after=None, extensions=(), serial=None,
                digest="sha256", version=3, public=None):
    """DER of one certificate. `subject` and `issuer` are DER names; `public` replaces the SPKI of `key`."""
    algorithm = signature_algorithm(signer, digest)
    tbs = der.sequence(
        der.explicit(0, der.integer(version - 1)) if version > 1 else b"",
        der.integer(serial if serial is not None else int.from_bytes(os.urandom(15), "big") + 1),
        algorithm,
        issuer,
        der.sequence(der.time(not_before or now() - DAY), der.time(not_after or now() + 90 * DAY)),
        subject,
        public or spki(key),
        der.explicit(3, der.sequence(*extensions)) if extensions and version == 3 else b"",
    )
    return der.sequence(tbs, algorithm, der.bits(sign(signer, tbs, digest)))


class Identity:
    """A key and the chain to present with it, leaf first, as PEM files and as one DER file an entry."""

    def __init__(self, folder, label, key, chain, subject=None):
        self.label, self.key, self.chain, self.subject = label, key, chain, subject
        base = Path(folder) / label
        self.key_file = base.with_name(label + ".key")
        self.chain_file = base.with_name(label + ".pem")
        self.key_file.write_bytes(key_pem(key))
        self.key_file.chmod(0o600)
        self.chain_file.write_bytes(b"".join(pem(c) for c in chain))
        self.issuers_file = base.with_name(label + ".issuers.pem")
        self.issuers_file.write_bytes(b"".join(pem(c) for c in chain[1:]))
        self.der_files = []
        for depth, one in enumerate(chain):
            path = base.with_name(f"{label}.{depth}.der")
            path.write_bytes(one)
            self.der_files.append(path)

    @property
    def sha256(self):
        return hashlib.sha256(self.chain[0]).hexdigest().upper()


class Pki:
    """CAs: `root` signs `dev` (clients) and `edge` (servers); `other` signs `tst`, which nobody here trusts."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.cache = {}
        self.root = self.authority("root")
        self.other = self.authority("other-root")
        self.dev = self.authority("dev", above=self.root)
        self.tst = self.authority("tst", above=self.other)
        self.edge = self.authority("edge", above=self.root)
        self.server = self.leaf("server", self.edge, purposes=["serverAuth"], names=[(der.DNS, "*.example")])
        self.server_rsa = self.leaf("server-rsa", self.edge, key=new_key("RSA-2048"), purposes=["serverAuth"],
                                    names=[(der.DNS, "*.example")])

    def name(self, common, *more):
        return der.name((der.COUNTRY, "NL"), (der.ORGANIZATION, "Test"), (der.CN, common), *more)

    def authority(self, label, above=None, ca=True, path_length=None, key=None, **fields):
        key = key or new_key()
        subject = self.name(label + " CA")
        one = certificate(subject=subject, issuer=above.subject if above else subject, key=key,
                          signer=above.key if above else key, not_after=now() + 900 * DAY,
                          extensions=[der.basic_constraints(ca, path_length),
                                      der.key_usage("keyCertSign", "cRLSign")], **fields)
        below = above.chain if above and above.label not in ("root", "other-root") else []
        return Identity(self.folder, label, key, [one] + below, subject)

    def leaf(self, label, above, *, key=None, subject=None, purposes=("clientAuth",), names=(), usage=None,
             extra=(), chain=None, **fields):
        key = key or new_key()
        subject = subject or self.name(label)
        extensions = [der.basic_constraints(False), der.key_usage(*(usage or ["digitalSignature"]))]
        if purposes:
            extensions.append(der.extended_key_usage(*purposes))
        if names:
            extensions.append(der.alternative_names(*names))
        one = certificate(subject=subject, issuer=above.subject, key=key, signer=above.key,
                          extensions=extensions + list(extra), **fields)
        return Identity(self.folder, label, key, [one] + (above.chain if chain is None else chain), subject)

    def raw(self, label, entries, key=None):
        """Any bytes as certificate entries."""
        return Identity(self.folder, label, key or self.client("good").key, list(entries))

    def client(self, kind):
        """The client of one kind, always the same one; see the methods named client_*."""
        if kind not in self.cache:
            self.cache[kind] = getattr(self, "client_" + kind)()
        return self.cache[kind]

    def client_cached(self, label):
        """A good client below `dev` with this label, always the same one."""
        if label not in self.cache:
            self.cache[label] = self.leaf(label, self.dev)
        return self.cache[label]

    def storm(self):
        """Makes the clients that the Go program storm reads; gives their folder."""
        for kind in ("good", "expired", "self_signed", "unknown_issuer", "malformed_certificate", "possession_failed",
                     "many"):
            self.client(kind)
        return str(self.folder)

    def client_good(self):
        return self.leaf("good", self.dev, names=[(der.DNS, "good.partner.example"), (der.EMAIL, "ops@partner.example")])

    def client_good_rsa(self):
        return self.leaf("good-rsa", self.dev, key=new_key("RSA-2048"))

    def client_good_ed25519(self):
        return self.leaf("good-ed25519", self.dev, key=new_key("ed25519"))

    def client_expired(self):
        return self.leaf("expired", self.dev, not_before=now() - 30 * DAY, not_after=now() - 3 * DAY)

    def client_expired_long_ago(self):
        return self.leaf("expired-long-ago", self.dev, not_before=now() - 400 * DAY, not_after=now() - 300 * DAY)

    def client_not_yet_valid(self):
        return self.leaf("not-yet-valid", self.dev, not_before=now() + 3 * DAY, not_after=now() + 30 * DAY)

    def client_expired_issuer(self):
        stale = self.authority("stale", above=self.root, not_before=now() - 30 * DAY)
        stale.chain[0] = certificate(subject=stale.subject, issuer=self.root.subject, key=stale.key,
                                     signer=self.root.key, not_before=now() - 30 * DAY, not_after=now() - DAY,
                                     extensions=[der.basic_constraints(True), der.key_usage("keyCertSign")])
        return self.leaf("expired-issuer", stale)

    def client_self_signed(self):
        key, subject = new_key(), self.name("self-signed")
        one = certificate(subject=subject, issuer=subject, key=key, signer=key,
                          extensions=[der.extended_key_usage("clientAuth")])
        return Identity(self.folder, "self-signed", key, [one], subject)

    def client_unknown_issuer(self):
        return self.leaf("unknown-issuer", self.tst)

    def client_unknown_root(self):
        """The chain ends in a self-signed root that is not trusted."""
        return self.leaf("unknown-root", self.tst, chain=self.tst.chain + self.other.chain)

    def client_issuer_not_ca(self):
        return self.leaf("issuer-not-ca", self.client("good"))

    def client_bad_signature(self):
        one = self.leaf("bad-signature", self.dev)
        broken = bytearray(one.chain[0])
        broken[-5] ^= 0x55
        return Identity(self.folder, "bad-signature", one.key, [bytes(broken)] + self.dev.chain, one.subject)

    def client_wrong_purpose(self):
        return self.leaf("wrong-purpose", self.dev, purposes=["serverAuth"])

    def client_chain_too_long(self):
        above = self.root
        chain = []
        for depth in range(5):
            one = self.authority(f"link-{depth}", above=above)
            chain.insert(0, one.chain[0])
            above = one
        return self.leaf("chain-too-long", above, chain=chain)

    def client_weak_algorithm(self):
        return self.leaf("weak-algorithm", self.dev, key=new_key("RSA-1024"))

    def client_weak_signature(self):
        return self.leaf("weak-signature", self.dev, digest="sha1")

    def client_malformed_certificate(self):
        return self.raw("malformed-certificate", [b"\x30\x82\x01\x00 this is no certificate" + bytes(64)])

    def client_malformed_issuer(self):
        return self.raw("malformed-issuer", [self.client("good").chain[0], b"\x30\x03\x02\x01\x00"])

    def client_unsupported_key(self):
        """A curve that GnuTLS does not know; the client signs with another key, since no library would with this one."""
        one = self.leaf("unsupported-key", self.dev, public=spki(new_key("brainpool")))
        return one

    def client_described_curve(self):
        """P-256 by its parameters (RFC 3279 2.3.5), as tools write it that are told to."""
        key = new_key()
        prime = 2**256 - 2**224 + 2**192 + 2**96 - 1
        generator = ("046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
                     "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")
        b = "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b"
        order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
        curve = der.sequence(der.octets((prime - 3).to_bytes(32, "big")), der.octets(bytes.fromhex(b)))
        parameters = der.sequence(der.integer(1), der.sequence(der.oid("1.2.840.10045.1.1"), der.integer(prime)), curve,
                                  der.octets(bytes.fromhex(generator)), der.integer(order), der.integer(1))
        point = spki(key)[-65:]
        return self.leaf("described-curve", self.dev, key=key, public=der.sequence(
            der.sequence(der.oid("1.2.840.10045.2.1"), parameters), der.bits(point)))

    def client_possession_failed(self):
        """A good certificate and a key that is not its own."""
        return Identity(self.folder, "possession-failed", new_key(), self.client("good").chain)

    def client_weak_and_expired(self):
        """Several faults in one leaf: the order of the classes decides which one is the primary."""
        return self.leaf("weak-and-expired", self.dev, key=new_key("RSA-1024"), purposes=["serverAuth"],
                         not_before=now() - 30 * DAY, not_after=now() - 3 * DAY)

    def client_many(self):
        """17 certificates: one more than the default limit."""
        good = self.client("good")
        return self.raw("many", good.chain + [self.dev.chain[0]] * (17 - len(good.chain)))

    def client_heavy(self):
        """Two certificates that together have more bytes than the default limit of 64 KiB."""
        heavy = [self.leaf(f"heavy-{i}", self.dev, subject=self.name("x" * 40000)).chain[0] for i in range(2)]
        return self.raw("heavy", self.client("good").chain[:1] + heavy)
