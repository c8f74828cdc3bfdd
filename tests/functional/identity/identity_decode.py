"""Readers of identity headers, written from the grammars that docs/headers.md names, with nothing that the program under test knows of."""

import base64
import re
from pathlib import Path
from urllib.parse import unquote_plus, unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

TABLE = Path(__file__).resolve().parents[3] / "src" / "http" / "identity.def"
HEADERS = re.findall(r'^HEADER\((\w+), "([^"]+)",', TABLE.read_text(), re.MULTILINE)
PRESETS = dict(re.findall(r'^PRESET\((\w+), "([^"]+)"', TABLE.read_text(), re.MULTILINE))
NAMES = sorted({name for _, name in HEADERS})


def headers_of(preset):
    return [name for symbol, name in HEADERS if PRESETS[symbol] == preset]


# RFC 8941

def sf_item(text):
    """A bare item with its parameters, from the start of the text: (value, parameters, rest)."""
    if text.startswith(":"):
        end = text.index(":", 1)
        value, rest = base64.b64decode(text[1:end], validate=True), text[end + 1:]
    elif text.startswith("?"):
        value, rest = {"0": False, "1": True}[text[1]], text[2:]
    elif text.startswith('"'):
        found = re.match(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"', text)
        value, rest = re.sub(r"\\(.)", r"\1", found[1]), text[found.end():]
    else:
        found = re.match(r"[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*", text)
        value, rest = found[0], text[found.end():]
    parameters = {}
    while rest.startswith(";"):
        found = re.match(r"; *([a-z*][a-z0-9_.*-]*)(=?)", rest)
        rest = rest[found.end():]
        inner, parameters[found[1]] = None, True
        if found[2]:
            inner, _, rest = sf_bare(rest)
            parameters[found[1]] = inner
    return value, parameters, rest


def sf_bare(text):
    end = text.find(";")
    head, tail = (text, "") if end < 0 or text.startswith('"') else (text[:end], text[end:])
    value, _, rest = sf_item(head)
    return value, {}, rest + tail


def sf_separator(rest):
    if not rest:
        return ""
    found = re.match(r"[ \t]*,[ \t]*(?=.)", rest)
    assert found, f"no comma before {rest!r}"
    return rest[found.end():]


def sf_list(text):
    members = []
    while text:
        value, parameters, text = sf_item(text)
        members.append((value, parameters))
        text = sf_separator(text)
    return members


def sf_dictionary(text):
    members = {}
    while text:
        found = re.match(r"([a-z*][a-z0-9_.*-]*)=", text)
        assert found, f"no key before {text!r}"
        value, parameters, text = sf_item(text[found.end():])
        assert found[1] not in members, f"{found[1]} twice"
        members[found[1]] = value, parameters
        text = sf_separator(text)
    return members


# certificates

def url_pem(text):
    """DER of the one certificate, read by a decoder of forms and by one of RFC 3986, which have to agree."""
    assert re.fullmatch(r"(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})*", text), f"an octet that is not encoded: {text!r}"
    form, strict = unquote_plus(text).encode(), unquote_to_bytes(text)
    assert form == strict and strict.endswith(b"-----\n"), strict[-60:]
    found = re.findall(rb"-----BEGIN CERTIFICATE-----\n.*?-----END CERTIFICATE-----\n", strict, re.DOTALL)
    assert b"".join(found) == strict, "something beside certificates"
    return [x509.load_pem_x509_certificate(one).public_bytes(Encoding.DER) for one in found]


# RFC 4514

def dn(text):
    """[(type, value as bytes)], as the text has them: the last one of the certificate first."""
    if text == "":
        return []
    pairs, at = [], 0
    while True:
        found = re.match(r"([A-Za-z][A-Za-z0-9-]*|[0-9.]+)=", text[at:])
        assert found, f"no attribute at {text[at:]!r}"
        at += found.end()
        value = b""
        while at < len(text) and text[at] not in ",+":
            assert text[at] not in '";<>', f"{text[at]!r} is not escaped in {text!r}"
            if text[at] != "\\":
                value += text[at].encode("ascii")
                at += 1
            elif re.match(r"[0-9a-fA-F]{2}", text[at + 1:]):
                value += bytes.fromhex(text[at + 1:at + 3])
                at += 3
            else:
                assert text[at + 1] in ' "#+,;<=>\\', f"an unknown escape in {text!r}"
                value += text[at + 1].encode("ascii")
                at += 2
        pairs.append((found[1], value))
        if at == len(text):
            return pairs
        at += 1


# Envoy

def xfcc(text):
    """One element's pairs, read twice: by a reader that takes a backslash in quotes for an escape of a quote, as Envoy's
    documentation has it, and by one to which quotes have no escapes. Whoever reads it must come to the same."""
    escaped = xfcc_split(text, True)
    assert escaped == xfcc_split(text, False), "readers disagree"
    return escaped


def xfcc_split(text, escapes):
    pairs, at = [], 0
    while True:
        found = re.match(r"(By|Hash|Cert|Chain|Subject|URI|DNS)=", text[at:])
        assert found, f"no key at {text[at:]!r}"
        at += found.end()
        value = ""
        if text[at:at + 1] == '"':
            at += 1
            while text[at] != '"':
                if escapes and text[at:at + 2] == '\\"':
                    at += 1
                value += text[at]
                at += 1
            at += 1
        else:
            while at < len(text) and text[at] not in ';,="':
                value += text[at]
                at += 1
        pairs.append((found[1], value))
        if at == len(text):
            return pairs
        assert text[at] == ";", f"{text[at]!r} behind {value!r}"
        at += 1


# Traefik

def traefik_certificates(text):
    """A list; each one is base64, percent-encoded."""
    return [base64.b64decode(unquote_to_bytes(one), validate=True) for one in text.split(",")]


def traefik_info(text):
    """{"Subject": [("C", b"NL"), ...], "Issuer": ..., "NB": int, "NA": int, "SAN": [bytes]}"""
    assert "+" not in text
    info = {}
    for part in unquote_plus(text).split(";"):
        found = re.fullmatch(r'(Subject|Issuer|NB|NA|SAN)="([^"]*)"', part)
        assert found, f"{part!r} in {text!r}"
        key, value = found.groups()
        assert key not in info, f"{key} twice"
        if key in ("NB", "NA"):
            info[key] = int(value)
        elif key == "SAN":
            info[key] = [unquote_to_bytes(one) for one in value.split(",")]
        else:
            pairs = [one.split("=") for one in value.split(",")]
            info[key] = [(kind, unquote_to_bytes(one)) for kind, one in pairs]
    return info
