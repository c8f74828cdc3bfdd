"""`tlscribe check` of what is asked of clients: pinned certificates, CRLs, OCSP, lists, and what contradicts itself among them."""

import hashlib
import json
import re

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from lib.pki import DAY, now
from lib.proxy import service
from lib.site import Site

BACK_END = "127.0.0.1:9000"


@pytest.fixture
def site(tmp_path, pki):
    return Site(tmp_path, [service("a", pki, BACK_END)])


@pytest.fixture
def client(site):
    return site.config["services"][0]["client"]


def write_crl(path, authority, serials, begin=-1, end=5):
    """A CRL of this authority, current from and until so many days from now."""
    issuer = x509.load_pem_x509_certificate(authority.chain_file.read_bytes())
    made = x509.CertificateRevocationListBuilder().issuer_name(issuer.subject)
    made = made.last_update(now() + begin * DAY).next_update(now() + end * DAY)
    for serial in serials:
        made = made.add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now() - 2 * DAY).build())
    path.write_bytes(made.sign(authority.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return path


def policy(site):
    got = site.check("--json")
    assert (got.returncode, got.stderr) == (0, ""), got
    [name] = json.loads(got.stdout)["listeners"][0]["names"]
    return name


def told(site):
    """The lines about the service on its first name, days left out."""
    got = site.check()
    assert (got.returncode, got.stderr) == (0, ""), got
    text = got.stdout.split("  a.example\n")[1].split("    upstream")[0]
    return re.sub(r"until \d{4}-\d\d-\d\d \(\d+ days left\)", "until DAY", text)


# What a good one means


def test_crls_are_told_with_their_issuer_entries_and_end(site, client, pki, tmp_path):
    file = write_crl(tmp_path / "a.crl", pki.root, [5, 6, 7])
    client["crl"] = [file]
    assert "    revocation hard, of the whole path\n    crl        CN=root CA,O=Test,C=NL, 3 entries, until DAY\n" in told(site)
    [crl] = policy(site)["crl"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", crl.pop("this_update"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", crl.pop("next_update"))
    assert crl == {"file": str(file), "issuer": "CN=root CA,O=Test,C=NL", "entries": 3,
                   "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}


def test_every_crl_of_a_folder_is_told(site, client, pki, tmp_path):
    folder = tmp_path / "crls"
    folder.mkdir()
    write_crl(folder / "a.crl", pki.root, [])
    write_crl(folder / "b.crl", pki.root, [1])
    client.update(crl=[folder], revocation_scope="leaf")
    assert [(crl["file"], crl["entries"]) for crl in policy(site)["crl"]] == [
        (str(folder / "a.crl"), 0), (str(folder / "b.crl"), 1)]
    assert "    revocation hard, of the leaf alone\n" in told(site)


def test_lists_are_told_with_their_entries(site, client, pki, tmp_path):
    allow, deny = tmp_path / "allow", tmp_path / "deny"
    allow.write_text("# partners\n" + "ab" * 32 + "\nspki " + "cd" * 32 + "\n")
    deny.write_text("sha1 " + "12" * 20 + "\n")
    client.update(allow=[allow], deny=[deny])
    assert f"    allow      {allow}, 2 entries\n    deny       {deny}, 1 entry\n" in told(site)
    said = policy(site)
    assert said["allow_list"] == [{"file": str(allow), "entries": 2,
                                   "sha256": hashlib.sha256(allow.read_bytes()).hexdigest()}]
    assert [row["entries"] for row in said["deny_list"]] == [1]


def test_pinned_is_told_without_what_a_ca_needs(site, client, pki, tmp_path):
    pins = tmp_path / "pins"
    pins.write_bytes(pki.client("good").chain_file.read_bytes())
    del client["ca"]
    client.update(trust="pinned", allow=[pins])
    text = told(site)
    assert "    trust      pinned\n" in text and "    ca names   not sent\n" in text
    assert re.search(rf"    allow      {pins}, \d+ entr", text)
    assert "    ca   " not in text and "max depth" not in text
    said = policy(site)
    assert (said["trust"], said["ca"]) == ("pinned", [])


def test_everything_is_told(site, client, pki, tmp_path):
    site.config["services"][0]["tls"] = {"resumption": "on"}
    client.update(issuers=[pki.dev.chain_file], crl_fetch={"urls": ["http://ca.example/a.crl"]}, on_change="log", alert="generic",
                  ocsp={"mode": "hard", "responder": "http://ocsp.example/", "timeout": "900ms", "nonce": True})
    assert told(site) == f"""
    service    a
    verify     required
    ca         CN=root CA,O=Test,C=NL, until DAY
    issuers    {pki.dev.chain_file}
    ca names   sent
    revocation hard, of the whole path
    crl from   http://ca.example/a.crl
    ocsp       hard, waits 900ms at most, with a nonce
    ocsp from  http://ocsp.example/
    tolerate   none
    profile    medium
    purpose    clientAuth
    max depth  4 intermediates
    on change  log
    alert      generic
    resumption on
""".lstrip("\n")
    said = policy(site)
    assert said["crl_fetch"] == ["http://ca.example/a.crl"]
    assert said["ocsp"] == {"mode": "hard", "responder": "http://ocsp.example/", "aia": [], "timeout_ms": 900, "nonce": True}
    assert (said["issuers"], said["on_change"], said["alert"], said["resumption"]) == (
        [str(pki.dev.chain_file)], "log", "generic", True)


def test_those_whom_certificates_may_name_are_told(site, client):
    client["ocsp"] = {"mode": "hard", "aia": ["http://ca.example/", "https://ocsp.example/x"]}
    assert """
    ocsp from  what certificates name below http://ca.example/
    ocsp from  what certificates name below https://ocsp.example/x
""" in told(site)
    assert policy(site)["ocsp"]["aia"] == ["http://ca.example/", "https://ocsp.example/x"]


# What is refused


def test_revocation_off_beside_a_crl_is_refused(site, client, pki, tmp_path):
    client.update(crl=[write_crl(tmp_path / "a.crl", pki.root, [])], revocation="off")
    site.refused("off", r"revocation: off beside crl: nobody would look at it")


@pytest.mark.parametrize("mode", ["soft", "hard"])
def test_revocation_without_a_crl_is_refused(site, client, mode):
    client["revocation"] = mode
    site.refused(mode, rf"revocation: {mode} needs crl or crl_fetch: there is nothing to check by")


def test_pinned_without_allow_is_refused(site, client):
    del client["ca"]
    client["trust"] = "pinned"
    got = site.check()
    assert got.returncode == 1
    assert f"{site.place('pinned')}: trust: pinned needs allow, the lists of who is trusted\n" in got.stderr


@pytest.mark.parametrize("option, content", [("crl", None), ("crl", "no CRL"), ("allow", None), ("allow", "xyz"),
                                             ("deny", None), ("issuers", None), ("issuers", "")])
def test_a_file_that_is_missing_or_wrong_is_refused(site, client, tmp_path, option, content):
    file = tmp_path / "file"
    if content is not None:
        file.write_text(content)
    client[option] = [file]
    got = site.check()
    assert got.returncode == 1
    assert str(file) in got.stderr


@pytest.mark.parametrize("name", ["revoked", "bad_signature", "denylisted", "X509_V_ERR_CERT_REVOKED", "12"])
def test_what_can_never_be_tolerated_is_refused(site, client, name):
    client["tolerate"] = [name]
    site.refused(name, r"tolerate: \w+ can never be tolerated.*")


# What is warned of


def test_soft_revocation_is_warned_of(site, client, pki, tmp_path):
    client.update(crl=[write_crl(tmp_path / "a.crl", pki.root, [])], revocation="soft")
    site.warned("soft", r"revocation: soft lets in revoked clients while no current CRL is to be had")


def test_a_crl_that_is_out_of_date_is_warned_of(site, client, pki, tmp_path):
    file = write_crl(tmp_path / "a.crl", pki.root, [], begin=-9, end=-2)
    client["crl"] = [file]
    got = site.check()
    assert got.returncode == 0
    assert len(got.stderr.splitlines()) == 1 and "nextUpdate" in got.stderr
    assert "(out of date)" in got.stdout
