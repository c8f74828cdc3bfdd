"""What cannot be judged by is refused when the program starts, at the place of the option; what is merely suspicious is warned of."""

import os
import re
import subprocess

import pytest

from lib import crl, der, procs
from lib.pki import DAY, now
from lib.proxy import PROGRAM, service
from lib.site import Site

UNKNOWN = der.extension("1.3.6.1.4.1.55555.1", der.octets(b"?"), critical=True)
HARMLESS = der.extension("1.3.6.1.4.1.55555.1", der.octets(b"?"))
ENTRY = 0x1234


@pytest.fixture
def site(tmp_path, pki, echo):
    site = Site(tmp_path, [service("a", pki, echo, client={"crl": [str(tmp_path / "a.crl")]})])
    site.config["listeners"] = [{"bind": "127.0.0.1:%d" % procs.free_port()}]
    return site


def refused(site, sentence):
    """`check` and `run` say it alike."""
    file = str(site.file.parent / "a.crl")
    site.write()
    sentence = f"CRL {re.escape(file)}{sentence}"
    site.refused(file, sentence)
    got = subprocess.run([PROGRAM, "run", "-c", str(site.file)], capture_output=True, text=True, timeout=procs.PATIENCE, check=False)
    assert got.returncode != 0
    assert re.search(f"{re.escape(site.place(file))}: {sentence}", got.stderr), got.stderr


def broken(content, at):
    content = bytearray(content)
    content[at] ^= 0xFF
    return bytes(content)


CASES = {
    # RFC 5280 5.2.5, 5.3.3
    "indirect": (lambda ca: crl.crl(ca, extensions=[crl.indirect()]), "it is an indirect CRL, which is not supported"),
    "entry-of-another-issuer": (
        lambda ca: crl.crl(ca, [crl.entry(ENTRY, der.extension(crl.ENTRY_ISSUER, der.sequence(der.explicit(4, ca.subject)),
                                                               critical=True))]),
        "it is an indirect CRL, which is not supported"),
    # RFC 5280 5.2.4
    "delta": (lambda ca: crl.crl(ca, extensions=[crl.delta()]), "it is a delta CRL, which is not supported"),
    # RFC 5280 5.2, 5.3
    "critical": (lambda ca: crl.crl(ca, extensions=[UNKNOWN]), "it has a critical extension that is not understood"),
    "critical-entry": (lambda ca: crl.crl(ca, [crl.entry(ENTRY, UNKNOWN)]), "an entry has a critical extension that is not understood"),
    "backwards": (lambda ca: crl.crl(ca, since=now() + DAY, until=now()), "its nextUpdate comes before its thisUpdate"),
    "cut": (lambda ca: crl.crl(ca, [ENTRY])[:-1], "it is no DER, or not whole"),
    "longer": (lambda ca: crl.crl(ca, [ENTRY]) + b"\0", ".*"),
    "twice": (lambda ca: crl.crl(ca) * 2, "something stands behind its end"),
    "garbage": (lambda ca: os.urandom(300).replace(b"-", b"+").replace(b"\x30", b"\x31"), ".*"),
    "empty": (lambda ca: b"", ".*"),
    "certificate": (lambda ca: ca.chain[0], ".*"),
    "certificate-pem": (lambda ca: ca.chain_file.read_bytes(), r"it has no CRL, neither PEM \(X509 CRL\) nor DER"),
    "pem-without-end": (lambda ca: crl.pem(crl.crl(ca))[:-10], ".*"),
    "good-and-bad": (lambda ca: crl.pem(crl.crl(ca), crl.crl(ca, extensions=[crl.indirect()])),
                     "it is an indirect CRL, which is not supported"),
}


@pytest.mark.parametrize("kind", CASES)
def test_it_is_refused_at_its_place(site, pki, tmp_path, kind):
    make, sentence = CASES[kind]
    (tmp_path / "a.crl").write_bytes(make(pki.dev))
    refused(site, f": {sentence}")


def test_a_missing_one_is_refused(site):
    refused(site, ": not found")


def test_a_folder_with_a_bad_one_is_refused(site, pki, tmp_path):
    folder = tmp_path / "a.crl"
    folder.mkdir()
    crl.put(folder / "good", crl.crl(pki.dev))
    crl.put(folder / "worse", crl.crl(pki.dev, extensions=[crl.delta()]))
    refused(site, "/worse: it is a delta CRL, which is not supported")


def test_an_empty_folder_is_refused(site, tmp_path):
    (tmp_path / "a.crl").mkdir()
    (tmp_path / "a.crl" / ".hidden").write_bytes(b"")
    file = str(tmp_path / "a.crl")
    site.write()
    site.refused(file, f"CRL folder {re.escape(file)}: has no file in it")


def test_what_is_merely_unknown_is_taken(site, pki, tmp_path):
    crl.put(tmp_path / "a.crl", crl.pem(crl.crl(pki.root), crl.crl(pki.dev, [crl.entry(ENTRY, HARMLESS)], extensions=[HARMLESS])))
    got = site.check()
    assert (got.returncode, got.stderr) == (0, ""), got


@pytest.mark.parametrize("how, words", [
    ({"since": now() - DAY, "until": now() - DAY / 2}, "is past its nextUpdate"),
    ({"since": now() + DAY}, "is not current before its thisUpdate"),
    ({"signer": "tst"}, "has the name of the CA .*, but that one's key did not sign it")], ids=["expired", "early", "foreign"])
def test_what_will_help_nobody_is_warned_of(site, pki, tmp_path, how, words):
    how = {key: getattr(pki, one) if isinstance(one, str) else one for key, one in how.items()}
    crl.put(tmp_path / "a.crl", crl.pem(crl.crl(pki.root, **how)))
    file = str(tmp_path / "a.crl")
    site.write()
    site.warned(file, f"CRL {re.escape(file)}: .*{words}.*")
