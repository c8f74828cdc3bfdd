"""Certificate revocation lists (RFC 5280 section 5) in which every byte can be chosen, signed with real keys."""

import base64
import os

from cryptography import x509

from lib import der
from lib.pki import DAY, now, sign, signature_algorithm

NUMBER, DELTA, DISTRIBUTION_POINT, AUTHORITY_KEY = "2.5.29.20", "2.5.29.27", "2.5.29.28", "2.5.29.35"
REASON, ENTRY_ISSUER = "2.5.29.21", "2.5.29.29"
KEY_COMPROMISE, SUPERSEDED = 1, 4
NEVER = object()  # as `until`: there is no nextUpdate


def serial_of(identity):
    return x509.load_der_x509_certificate(identity.chain[0]).serial_number


def reason(code):
    return der.extension(REASON, der.tlv(0x0A, bytes([code])))


def indirect():
    """An issuingDistributionPoint with indirectCRL."""
    return der.extension(DISTRIBUTION_POINT, der.sequence(der.implicit(4, b"\xff")), critical=True)


def only_cas():
    """An issuingDistributionPoint with onlyContainsCACerts."""
    return der.extension(DISTRIBUTION_POINT, der.sequence(der.implicit(2, b"\xff")), critical=True)


def delta(base=1):
    return der.extension(DELTA, der.integer(base), critical=True)


def entry(serial, *extensions, since=None):
    return der.sequence(der.integer(serial), der.time(since or now() - DAY),
                        der.sequence(*extensions) if extensions else b"")


def crl(authority, revoked=(), *, number=1, since=None, until=None, extensions=(), signer=None, digest="sha256", entries=None):
    """DER. `revoked` are identities, serial numbers, or whole entries; `entries` is that already as bytes. `signer` is whose key signs it
    in place of the authority's; `since` and `until` are thisUpdate and nextUpdate."""
    if entries is None:
        entries = b"".join(one if isinstance(one, bytes) else entry(one if isinstance(one, int) else serial_of(one))
                           for one in revoked)
    key = (signer or authority).key
    algorithm = signature_algorithm(key, digest)
    more = ([der.extension(NUMBER, der.integer(number))] if number is not None else []) + list(extensions)
    tbs = der.sequence(
        der.integer(1), algorithm, authority.subject, der.time(since or now() - DAY / 24),
        b"" if until is NEVER else der.time(until or now() + 7 * DAY),
        der.sequence(entries) if entries else b"",
        der.explicit(0, der.sequence(*more)) if more else b"")
    return der.sequence(tbs, algorithm, der.bits(sign(key, tbs, digest)))


def pem(*crls):
    out = b""
    for one in crls:
        text = base64.b64encode(one)
        lines = b"\n".join(text[i:i + 64] for i in range(0, len(text), 64))
        out += b"-----BEGIN X509 CRL-----\n" + lines + b"\n-----END X509 CRL-----\n"
    return out


def entries_of(serials):
    """The entries of many 4-byte serial numbers (of 0x10000000 and above) at once."""
    return b"".join(b"\x30\x15\x02\x04" + serial.to_bytes(4, "big") + b"\x17\x0d240101000000Z" for serial in serials)


def put(path, content):
    """Renamed into place, as whoever replaces a file should."""
    fresh = path.with_name("." + path.name + ".new")
    fresh.write_bytes(content)
    os.replace(fresh, path)
    return path
