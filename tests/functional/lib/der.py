"""A small DER writer (X.690), so that certificates can hold any bytes that a hostile peer could put there.

Nothing is checked: what the caller asks for is written, right or wrong. Lengths are always minimal.
"""

from datetime import datetime, timezone


def tlv(tag, *parts):
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        length = bytes([size])
    else:
        raw = size.to_bytes((size.bit_length() + 7) // 8, "big")
        length = bytes([0x80 | len(raw)]) + raw
    return bytes([tag]) + length + content


def sequence(*parts):
    return tlv(0x30, *parts)


def set_of(*parts):
    return tlv(0x31, *parts)


def integer(value):
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def boolean(value):
    return tlv(0x01, b"\xff" if value else b"\x00")


def octets(value):
    return tlv(0x04, value)


def bits(value, unused=0):
    return tlv(0x03, bytes([unused]), value)


def oid(dotted):
    arcs = [int(arc) for arc in dotted.split(".")]
    out = bytearray()
    for arc in [arcs[0] * 40 + arcs[1]] + arcs[2:]:
        groups = [arc & 0x7F]
        while arc > 0x7F:
            arc >>= 7
            groups.append(0x80 | arc & 0x7F)
        out += bytes(reversed(groups))
    return tlv(0x06, bytes(out))


def explicit(number, *parts):
    """[number] EXPLICIT, and every other constructed context tag."""
    return tlv(0xA0 | number, *parts)


def implicit(number, content):
    """[number] IMPLICIT of a primitive type."""
    return tlv(0x80 | number, content)


def time(moment):
    """UTCTime until 2049, GeneralizedTime from then on (RFC 5280 4.1.2.5)."""
    moment = moment.astimezone(timezone.utc)
    if 1950 <= moment.year < 2050:
        return tlv(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())
    return tlv(0x18, moment.strftime("%Y%m%d%H%M%SZ").encode())


CN, ORGANIZATION, UNIT, COUNTRY = "2.5.4.3", "2.5.4.10", "2.5.4.11", "2.5.4.6"
UTF8, PRINTABLE, BMP = 0x0C, 0x13, 0x1E


def name(*attributes):
    """Attributes are (oid, bytes or text) or (oid, bytes, string tag); one RDN each, in the order of the DER."""
    rdns = []
    for attribute in attributes:
        value = attribute[1]
        tag = attribute[2] if len(attribute) > 2 else (PRINTABLE if attribute[0] == COUNTRY else UTF8)
        if isinstance(value, str):
            value = value.encode()
        rdns.append(set_of(sequence(oid(attribute[0]), tlv(tag, value))))
    return sequence(*rdns)


def extension(dotted, value, critical=False):
    return sequence(oid(dotted), boolean(True) if critical else b"", octets(value))


def basic_constraints(ca, path_length=None):
    inner = (boolean(True) if ca else b"") + (integer(path_length) if path_length is not None else b"")
    return extension("2.5.29.19", sequence(inner), critical=True)


def key_usage(*names):
    order = ["digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement",
             "keyCertSign", "cRLSign"]
    mask = sum(0x80 >> order.index(n) for n in names)
    unused = 0
    while unused < 7 and not mask >> unused & 1:
        unused += 1
    return extension("2.5.29.15", bits(bytes([mask]), unused), critical=True)


PURPOSES = {"clientAuth": "1.3.6.1.5.5.7.3.2", "serverAuth": "1.3.6.1.5.5.7.3.1"}


def extended_key_usage(*names):
    return extension("2.5.29.37", sequence(*[oid(PURPOSES.get(n, n)) for n in names]))


DNS, EMAIL, URI, IP = 2, 1, 6, 7


def alternative_names(*names):
    """Names are (kind, bytes or text), kind one of DNS, EMAIL, URI, IP."""
    return extension("2.5.29.17", sequence(*[implicit(kind, value.encode() if isinstance(value, str) else value)
                                             for kind, value in names]))
