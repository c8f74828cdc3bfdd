"""Certificates with faults, one by one: of each kind of key, under one intermediate and under two.

A `Line` is a hierarchy of its own: a root, and intermediates down to the one that signs clients. Every specimen is a method named
after what is wrong with it.
"""

import hashlib
from pathlib import Path

from cryptography import x509

from lib import crl, der
from lib.pki import DAY, Identity, certificate, new_key, now, pem, spki

KINDS = {"rsa": "RSA-2048", "ecdsa": "P-256", "ed25519": "ed25519"}
LENGTHS = (1, 2)
UNKNOWN_EXTENSION = "1.3.6.1.4.1.32473.1"  # of the number for examples (RFC 5612)
EXCLUDED, PERMITTED = 1, 0


def critical_unknown():
    return der.extension(UNKNOWN_EXTENSION, b"\x05\x00", critical=True)


def name_constraints(permitted=(), excluded=()):
    """DNS names alone."""
    trees = [der.explicit(tag, *[der.sequence(der.implicit(der.DNS, one.encode())) for one in names])
             for tag, names in ((PERMITTED, permitted), (EXCLUDED, excluded)) if names]
    return der.extension("2.5.29.30", der.sequence(*trees), critical=True)


def ca_extensions(path_length=None, ca=True, usage=("keyCertSign", "cRLSign"), extra=()):
    return [der.basic_constraints(ca, path_length), der.key_usage(*usage), *extra]


def serial_of(one):
    return x509.load_der_x509_certificate(one).serial_number


def subject_of(one):
    return x509.load_der_x509_certificate(one).subject.public_bytes()


def fingerprint(one):
    return hashlib.sha256(one).hexdigest().upper()


def write_crl(path, issuer, revoked=(), **times):
    """A CRL in PEM by the CA `issuer` about these serial numbers; `times` as crl.crl() has them."""
    path = Path(path)
    path.write_bytes(crl.pem(crl.crl(issuer, revoked, **times)))
    return path


class Line:
    """Certificates of one kind of key below one root, with `length` intermediates. `keys` may be shared: names tell CAs apart."""

    def __init__(self, pki, kind, length, *, tag=None, keys=None):
        self.pki, self.kind, self.length = pki, kind, length
        self.tag = tag or f"{kind}-{length}"
        self.keys = {} if keys is None else keys
        self.root = self.ca("root", None)
        self.stranger = self.ca("stranger", None)
        self.issuing = self.down(self.root, "link")
        self.cache = {}

    # building

    def key(self, role):
        """One key a role: RSA keys take long to make."""
        if role not in self.keys:
            self.keys[role] = new_key(KINDS[self.kind])
        return self.keys[role]

    def label(self, name):
        return f"{self.tag}-{name}"

    def ca(self, name, above, *, role=None, extensions=None, digest="sha256", key=None, **dates):
        """A CA; its chain goes down from itself to below the root."""
        key = key or self.key(role or name)
        subject = self.pki.name(self.label(name))
        one = certificate(subject=subject, issuer=above.subject if above else subject, key=key,
                          signer=above.key if above else key, digest=digest,
                          not_before=dates.get("not_before"), not_after=dates.get("not_after") or now() + 900 * DAY,
                          extensions=extensions or ca_extensions())
        below = above.chain if above and above.rooted else []
        made = Identity(self.pki.folder, self.label(name), key, [one] + below, subject)
        made.rooted = above is not None
        return made

    def down(self, root, name, **last):
        """`length` intermediates below `root`; `last` is for the lowest one."""
        above = root
        for depth in range(self.length, 0, -1):
            above = self.ca(f"{name}-{depth}", above, role=f"link-{depth}", **(last if depth == 1 else {}))
        return above

    def top(self, name, **first):
        """The same, with something special about the one below the root."""
        above = self.root
        for depth in range(self.length, 0, -1):
            above = self.ca(f"{name}-{depth}", above, role=f"link-{depth}", **(first if depth == self.length else {}))
        return above

    def leaf(self, name, above=None, *, key=None, **fields):
        return self.pki.leaf(self.label(name), above or self.issuing, key=key or self.key("leaf"), **fields)

    def specimen(self, name):
        if name not in self.cache:
            self.cache[name] = getattr(self, name)()
        return self.cache[name]

    def changed(self, name, of, entries):
        return Identity(self.pki.folder, self.label(name), of.key, entries, of.subject)

    # the specimens

    def good(self):
        return self.leaf("good")

    def malformed_leaf(self):
        return Identity(self.pki.folder, self.label("malformed-leaf"), self.key("leaf"),
                        [b"\x30\x82\x01\x00 this is no certificate" + bytes(64)] + self.issuing.chain)

    def malformed_issuer(self):
        good = self.specimen("good")
        return self.changed("malformed-issuer", good, good.chain + [b"\x30\x03\x02\x01\x00"])

    def unsupported_key(self):
        return self.leaf("unsupported-key", public=spki(new_key("brainpool")))

    def possession_failed(self):
        return Identity(self.pki.folder, self.label("possession-failed"), self.key("another"),
                        self.specimen("good").chain)

    def broken(self, name, depth):
        """The signature of the certificate at this depth has one bit turned."""
        of = self.leaf(name)
        entries = list(of.chain)
        damaged = bytearray(entries[depth])
        damaged[-5] ^= 0x10
        entries[depth] = bytes(damaged)
        return self.changed(name, of, entries)

    def bad_signature(self):
        return self.broken("bad-signature", 0)

    def bad_signature_of_issuer(self):
        return self.broken("bad-signature-of-issuer", self.length)

    def self_signed(self):
        key, subject = self.key("leaf"), self.pki.name(self.label("self-signed"))
        one = certificate(subject=subject, issuer=subject, key=key, signer=key,
                          extensions=[der.extended_key_usage("clientAuth")])
        return Identity(self.pki.folder, self.label("self-signed"), key, [one], subject)

    def unknown_issuer(self):
        return self.leaf("unknown-issuer", self.down(self.stranger, "strange"))

    def unknown_root(self):
        above = self.down(self.stranger, "stranger-still")
        return self.leaf("unknown-root", above, chain=above.chain + self.stranger.chain)

    def issuer_not_ca(self):
        return self.leaf("issuer-not-ca", self.down(self.root, "no-ca", extensions=ca_extensions(ca=False)))

    def issuer_without_usage(self):
        return self.leaf("issuer-without-usage",
                         self.down(self.root, "no-sign", extensions=ca_extensions(usage=("cRLSign",))))

    def path_length_exceeded(self):
        """The topmost one allows one intermediate less than there are."""
        above = self.top("short", extensions=ca_extensions(path_length=self.length - 1))
        return self.leaf("path-length-exceeded", self.ca("short-extra", above, role="extra"))

    def chain_too_long(self):
        above = self.issuing
        for number in range(4):
            above = self.ca(f"long-{number}", above, role="extra")
        return self.leaf("chain-too-long", above)

    def unknown_critical_extension(self):
        return self.leaf("unknown-critical", extra=[critical_unknown()])

    def unknown_critical_extension_of_issuer(self):
        return self.leaf("unknown-critical-of-issuer",
                         self.down(self.root, "odd", extensions=ca_extensions(extra=[critical_unknown()])))

    def name_not_permitted(self):
        above = self.top("kept", extensions=ca_extensions(extra=[name_constraints(permitted=["partner.example"])]))
        return self.leaf("name-not-permitted", above, names=[(der.DNS, "a.stranger.example")])

    def name_excluded(self):
        above = self.top("fenced", extensions=ca_extensions(extra=[name_constraints(excluded=["partner.example"])]))
        return self.leaf("name-excluded", above, names=[(der.DNS, "a.partner.example")])

    def denylisted(self):
        return self.leaf("denylisted")

    def denylisted_issuer(self):
        return self.leaf("denylisted-issuer", self.down(self.root, "banned"))

    def revoked(self):
        return self.leaf("revoked")

    def revoked_issuer(self):
        return self.leaf("revoked-issuer", self.top("withdrawn"))

    def issuer_not_allowed(self):
        return self.leaf("issuer-not-allowed")

    def not_allowlisted(self):
        return self.leaf("not-allowlisted")

    def wrong_purpose(self):
        return self.leaf("wrong-purpose", purposes=["serverAuth"])

    def wrong_usage(self):
        return self.leaf("wrong-usage", usage=["keyEncipherment"])

    def wrong_purpose_of_issuer(self):
        extensions = ca_extensions(extra=[der.extended_key_usage("serverAuth")])
        return self.leaf("wrong-purpose-of-issuer", self.down(self.root, "servers", extensions=extensions))

    def weak_algorithm(self):
        return self.leaf("weak-algorithm", key=new_key("RSA-1024"))

    def weak_issuer(self):
        """SHA-1 is over for RSA and ECDSA; Ed25519 has a hash of its own, so that another CA's key has to be the weak one."""
        if self.kind == "ed25519":
            return self.leaf("weak-issuer", self.down(self.root, "weak", key=new_key("RSA-1024")))
        return self.leaf("weak-issuer", self.down(self.root, "weak", digest="sha1"))

    def not_yet_valid(self):
        return self.leaf("not-yet-valid", not_before=now() + 3 * DAY, not_after=now() + 30 * DAY)

    def not_yet_valid_issuer(self):
        return self.leaf("not-yet-valid-issuer", self.top("early", not_before=now() + 3 * DAY))

    def expired(self):
        return self.leaf("expired", not_before=now() - 30 * DAY, not_after=now() - 3 * DAY)

    def expired_issuer(self):
        return self.leaf("expired-issuer",
                         self.top("late", not_before=now() - 30 * DAY, not_after=now() - 3 * DAY))

    def revocation_unknown(self):
        """Of an issuer that has no CRL."""
        return self.leaf("revocation-unknown", self.down(self.root, "silent"))

    def revocation_stale(self):
        """Of an issuer whose CRL is out of date."""
        return self.leaf("revocation-stale", self.down(self.root, "stale"))

    def identity_malformed(self):
        return self.leaf("identity-malformed", subject=self.pki.name("good\0.stranger.example"))

    # what services need to know

    def crls(self):
        """Of everybody above `good`, `revoked`, `revoked_issuer`, `revocation_unknown` and `revocation_stale`."""
        folder = self.pki.folder
        withdrawn = self.specimen("revoked_issuer").chain
        files = [write_crl(folder / f"{self.tag}-root.crl", self.root, [serial_of(withdrawn[self.length])])]
        for depth in range(1, self.length + 1):
            revoked = [serial_of(self.specimen("revoked").chain[0])] if depth == 1 else []
            files.append(write_crl(folder / f"{self.tag}-link-{depth}.crl", self.above("revoked", depth), revoked))
            files.append(write_crl(folder / f"{self.tag}-withdrawn-{depth}.crl", self.above("revoked_issuer", depth)))
            stale = {"since": now() - 9 * DAY, "until": now() - 2 * DAY} if depth == 1 else {}
            files.append(write_crl(folder / f"{self.tag}-stale-{depth}.crl", self.above("revocation_stale", depth), **stale))
            if depth > 1:
                files.append(write_crl(folder / f"{self.tag}-silent-{depth}.crl", self.above("revocation_unknown", depth)))
        return files

    def above(self, name, depth):
        """The CA at this depth of a specimen's chain, able to sign."""
        entries = self.specimen(name).chain[depth:]
        return Identity(self.pki.folder, self.label(f"{name}-ca-{depth}".replace("_", "-")), self.key(f"link-{depth}"), entries,
                        subject_of(entries[0]))
