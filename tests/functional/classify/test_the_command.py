"""`tlscribe classify`: arguments, files that can and cannot be used, and what it prints."""

import json
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from lib import classify, der, limbo, specimens
from lib.pki import DAY, now, pem, key_pem
from lib.proxy import CHECKOUT, PROGRAM

GOLDEN = Path(__file__).with_name("golden.jsonl")
GOLDEN_CASES = ("rfc5280::nc::permitted-dn-match-subject-san-mismatch", "rfc5280::validity::expired-intermediate",
                "crl::revoked-certificate-with-crl")


@pytest.fixture(scope="module")
def place(folder):
    path = folder / "classify"
    path.mkdir()
    return path


@pytest.fixture(scope="module")
def line(pki):
    return specimens.Line(pki, "ecdsa", 1, tag="classify")


@pytest.fixture(scope="module")
def root(line):
    return line.root.chain_file


@pytest.fixture(scope="module")
def good(line):
    return line.specimen("good")


def usage_error(*arguments, says):
    got = classify.run(*arguments)
    assert got.returncode == classify.UNUSABLE and got.stdout == b"", got
    assert says in got.stderr.decode(), got
    return got


# arguments

def test_help_is_on_standard_output():
    for flag in ("--help", "-h"):
        got = classify.run(flag)
        assert got.returncode == 0 and got.stderr == b""
        text = got.stdout.decode()
        assert text.startswith("usage: tlscribe classify --ca FILE")
        for option in ("--ca", "--crl", "--time", "--depth", "--purpose", "--profile", "--help"):
            assert option in text


def test_the_manual_has_every_option_of_the_help():
    manual = (CHECKOUT / "docs" / "tlscribe.1").read_text().replace("\\-", "-")
    section = manual[manual.index(".SS classify"):manual.index(".SS query")]
    options = set(re.findall(r"--[a-z]+", classify.run("--help").stdout.decode())) - {"--help"}
    assert options and options == set(re.findall(r"^\.BI (--[a-z]+)", section, re.MULTILINE))


def test_an_anchor_and_one_chain_are_needed(root, good):
    usage_error(says="--ca is needed")
    usage_error(good.chain_file, says="--ca is needed")
    usage_error("--ca", root, says="exactly one CHAIN is needed")
    usage_error("--ca", root, good.chain_file, good.chain_file, says="exactly one CHAIN is needed")
    usage_error("--ca", says="requires an argument")
    usage_error("--ca", root, "--bogus", good.chain_file, says="unrecognized option")
    usage_error("--ca", root, "-x", good.chain_file, says="invalid option")


@pytest.mark.parametrize("option, value, says", [
    *[("--depth", value, "--depth wants a number from 0 to 16") for value in
      ("-1", "17", "x", "", "1x", " 1", "1.0", "0x1", "99999999999999999999")],
    *[("--profile", value, "--profile wants legacy, medium or high") for value in ("", "low", "HIGH", "medium ")],
    *[("--purpose", value, "purpose is clientAuth, any or an OID") for value in
      ("serverAuth", "", "1", "1.", ".1", "1..2", "9.1", "1.40.1", "1.3.x")],
    *[("--time", value, "--time wants") for value in
      ("", "now", "@0", "2026", "2026-11", "2026-02-30", "2026-13-01", "2026-11-21T", "2026-11-21T25:00:00Z",
       "2026-11-21 08:30:00", "2026-11-21T08:30:00", "2026-11-21T08:30:00.Z", "2026-11-21T08:30:00+1:00",
       "2026-11-21T08:30:00+24:00", "2026-11-21T08:30:00+01:60", "2026-11-21T08:30:00ZZ", "1969-12-31", "-2026-11-21")],
])
def test_what_an_option_cannot_be_is_refused(root, good, option, value, says):
    got = usage_error("--ca", root, f"{option}={value}", good.chain_file, says=says)
    assert f'"{value}"' in got.stderr.decode()


def test_too_many_files_are_refused(root, good):
    usage_error(*["--ca", root] * 65, good.chain_file, says="more than 64 files")
    usage_error("--ca", root, *["--crl", root] * 65, good.chain_file, says="more than 64 files")


# files

def test_an_anchor_that_cannot_be_used_is_an_error(place, good):
    for name, content in (("empty", b""), ("garbage", b"nothing of this is PEM\n"),
                          ("torn", b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"),
                          ("key", key_pem(good.key))):
        path = place / f"{name}.ca"
        path.write_bytes(content)
        usage_error("--ca", path, good.chain_file, says=str(path))
    usage_error("--ca", place / "missing.ca", good.chain_file, says="not found")
    usage_error("--ca", place, good.chain_file, says=str(place))


def test_a_crl_that_cannot_be_used_is_an_error(place, root, good):
    for name, content in (("empty", b""), ("garbage", b"\x30\x03\x02\x01\x00"), ("certificate", good.chain_file.read_bytes())):
        path = place / f"{name}.crl"
        path.write_bytes(content)
        usage_error("--ca", root, "--crl", path, good.chain_file, says=str(path))
    usage_error("--ca", root, "--crl", place / "missing.crl", good.chain_file, says="not found")
    (place / "no-crls").mkdir()
    usage_error("--ca", root, "--crl", place / "no-crls", good.chain_file, says="no file in it")


def test_a_chain_that_cannot_be_read_is_an_error(place, root, good):
    usage_error("--ca", root, place / "missing", says="not found")
    usage_error("--ca", root, place, says=str(place))
    path = place / "large"
    path.write_bytes(bytes((1 << 20) + 1))
    usage_error("--ca", root, path, says=str(path))
    path.write_bytes(good.chain_file.read_bytes() * 129)
    usage_error("--ca", root, path, says=str(path))


def damaged(good):
    text = good.chain_file.read_bytes()
    leaf = good.chain[0]
    return {
        "nothing": b"",
        "words": b"this is no certificate\n",
        "zeros": bytes(5000),
        "a-key": key_pem(good.key),
        "der-and-more": leaf + b"\0",
        "der-cut-off": leaf[:-1],
        "no-end": text[:200],
        "no-base64": b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
        "empty-block": b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        "other-der": pem(der.sequence(der.integer(0))),
        "a-length-beyond-everything": pem(b"\x30\x84\xff\xff\xff\xff"),
    }


def test_a_file_without_a_certificate_is_malformed(place, root, good):
    for name, content in damaged(good).items():
        path = place / f"{name}.chain"
        path.write_bytes(content)
        told = classify.verdict(path, [root])
        assert (told["class"], told["code"], told["depth"], told["chain_length"]) == ("malformed_certificate", 1001, 0, 1), name
        assert told["findings"] == [{"class": "malformed_certificate", "code": 1001, "depth": 0}], name
        assert set(told["identity"]) == {"hash"} and "path" not in told, name


def test_a_damaged_issuer_is_found_where_it_stands(place, root, good):
    for name, content in damaged(good).items():
        if b"BEGIN CERTIFICATE" not in content:
            continue
        path = place / f"{name}.issuer"
        path.write_bytes(good.chain_file.read_bytes() + content)
        told = classify.verdict(path, [root])
        assert (told["class"], told["depth"], told["chain_length"]) == ("malformed_certificate", 2, 3), name


def test_der_and_pem_with_words_around_are_read(place, line, root, good):
    direct = line.leaf("direct", line.root)
    told = classify.verdict(direct.der_files[0], [root])
    assert told["class"] == "ok" and told["chain_length"] == 1
    chatty = place / "chatty.pem"
    chatty.write_bytes(b"subject=good\n" + pem(good.chain[0]).replace(b"\n", b"\r\n") + key_pem(good.key)
                       + b"and its issuer\n" + pem(good.chain[1]) + b"the end")
    when = f"{now():%Y-%m-%d}"
    assert classify.verdict(chatty, [root], time=when) == classify.verdict(good.chain_file, [root], time=when)


def test_what_cannot_be_written_is_no_verdict(root, good):
    with open("/dev/full", "wb") as full:
        got = subprocess.run([PROGRAM, "classify", "--ca", str(root), str(good.chain_file)], stdout=full,
                             stderr=subprocess.PIPE, timeout=60, check=False)
    assert got.returncode == classify.UNUSABLE and b"standard output" in got.stderr


# options

def test_anchors_and_crls_may_be_several(place, pki, line, root, good):
    other = specimens.Line(pki, "ecdsa", 1, tag="classify-other")
    unknown = classify.verdict(other.specimen("good").chain_file, [root])
    assert (unknown["class"], unknown["code"]) == ("unknown_issuer", 20)
    for chain in (good, other.specimen("good")):
        told = classify.verdict(chain.chain_file, [root, other.root.chain_file])
        assert told["class"] == "ok"
    assert told["anchor_file"] == str(other.root.chain_file)
    crls = line.crls()
    told = classify.verdict(line.specimen("revoked").chain_file, [root], crls)
    assert told["class"] == "revoked" and told["revocation"]["status"] == "revoked"
    assert classify.verdict(good.chain_file, [root], crls)["class"] == "ok"
    # Without any of them nothing is revoked; with some of them, the ones that are missing are.
    assert classify.verdict(line.specimen("revoked").chain_file, [root])["class"] == "ok"
    assert classify.verdict(good.chain_file, [root], crls[:1])["class"] == "revocation_unknown"
    whole = place / "crls"
    whole.mkdir()
    for number, one in enumerate(crls):
        shutil.copy(one, whole / f"{number}.crl")
    assert classify.verdict(line.specimen("revoked").chain_file, [root], [whole])["class"] == "revoked"


def test_a_crl_may_be_der(place, line, root):
    made = place / "der.crl"
    issuer = line.above("good", 1)
    text = specimens.write_crl(place / "pem.crl", issuer, [specimens.serial_of(line.specimen("good").chain[0])])
    made.write_bytes(limbo.decode(text.read_text()))
    top = specimens.write_crl(place / "top.crl", line.root)
    assert classify.verdict(line.specimen("good").chain_file, [root], [made, top])["class"] == "revoked"


@pytest.mark.parametrize("purpose, client, server", [
    (None, "ok", "wrong_purpose"), ("clientAuth", "ok", "wrong_purpose"), ("any", "ok", "ok"),
    ("1.3.6.1.5.5.7.3.2", "ok", "wrong_purpose"), ("1.3.6.1.5.5.7.3.1", "wrong_purpose", "ok"),
    ("1.3.6.1.4.1.32473.9", "wrong_purpose", "wrong_purpose")])
def test_purpose(line, root, purpose, client, server):
    options = {"purpose": purpose} if purpose else {}
    assert classify.verdict(line.specimen("good").chain_file, [root], **options)["class"] == client
    assert classify.verdict(line.specimen("wrong_purpose").chain_file, [root], **options)["class"] == server


@pytest.mark.parametrize("profile, short, sha1, usual", [
    ("legacy", "ok", "ok", "ok"), (None, "weak_algorithm", "weak_algorithm", "ok"),
    ("medium", "weak_algorithm", "weak_algorithm", "ok"), ("high", "weak_algorithm", "weak_algorithm", "weak_algorithm")])
def test_profile(pki, line, root, profile, short, sha1, usual):
    options = {"profile": profile} if profile else {}
    clients = {"weak_algorithm": short, "weak_issuer": sha1, "good": "ok"}
    for name, wanted in clients.items():
        assert classify.verdict(line.specimen(name).chain_file, [root], **options)["class"] == wanted, name
    rsa = line.leaf("rsa", key=pki.client("good_rsa").key)
    assert classify.verdict(rsa.chain_file, [root], **options)["class"] == usual


def test_depth(line, root):
    long = line.specimen("chain_too_long")
    for depth, wanted in ((0, "chain_too_long"), (3, "chain_too_long"), (4, "chain_too_long"), (5, "ok"), (16, "ok")):
        told = classify.verdict(long.chain_file, [root], depth=depth)
        assert told["class"] == wanted
        if wanted != "ok":
            assert (told["code"], told["depth"]) == (22, depth + 1)
    assert classify.verdict(line.leaf("direct-0", line.root).chain_file, [root], depth=0)["class"] == "ok"


def test_time(line):
    begin = (now() - 10 * DAY).replace(microsecond=0)
    end = begin + 5 * DAY
    old = line.ca("old-root", None, not_before=begin - 30 * DAY)
    one, root = line.leaf("five-days", old, not_before=begin, not_after=end, chain=[]).chain_file, old.chain_file
    second = timedelta(seconds=1)
    for moment, wanted in ((begin - second, "not_yet_valid"), (begin, "ok"), (end, "ok"), (end + second, "expired"),
                           (now(), "expired")):
        # RFC 5280 4.1.2.5: both ends belong to it.
        text = f"{moment:%Y-%m-%dT%H:%M:%S}"
        ahead = moment + timedelta(hours=5, minutes=30)
        behind = moment - timedelta(hours=8)
        for form in (f"{text}Z", f"{text}.999z", f"{text.lower()}+00:00", f"{ahead:%Y-%m-%dT%H:%M:%S}+05:30",
                     f"{behind:%Y-%m-%dT%H:%M:%S}.5-08:00"):
            told = classify.verdict(one, [root], time=form)
            assert (told["class"], told["time"]) == (wanted, f"{text}.000000Z"), form
    told = classify.verdict(one, [root], time=f"{end:%Y-%m-%d}")
    assert told["time"] == f"{end:%Y-%m-%dT00:00:00.000000Z}" and told["class"] == "ok"
    assert classify.verdict(one, [root], time="9999-12-31T23:59:59Z")["class"] == "expired"
    assert classify.verdict(one, [root], time="1970-01-01")["class"] == "not_yet_valid"


def test_the_default_time_is_now(line, root):
    told = classify.verdict(line.specimen("expired").chain_file, [root])
    assert told["class"] == "expired" and f"{now():%Y-%m-%d}" >= told["time"][:10] >= f"{now() - DAY:%Y-%m-%d}"


# what it prints

def test_the_output_is_one_line_and_the_exit_code_follows_the_class(line, root):
    """classify.verdict() looks at both, for every verdict of these tests; here once by hand."""
    for name, code, wanted in (("good", 0, "ok"), ("expired", 1, "expired")):
        got = classify.run("--ca", root, line.specimen(name).chain_file)
        assert (got.returncode, got.stderr) == (code, b"")
        assert got.stdout.endswith(b"\n") and got.stdout.count(b"\n") == 1
        assert json.loads(got.stdout)["class"] == wanted


def test_warnings_are_on_standard_error(line):
    old = line.ca("old", None, not_before=now() - 30 * DAY, not_after=now() - 3 * DAY)
    one = line.leaf("of-the-old", old, chain=[])
    got = classify.run("--ca", old.chain_file, one.chain_file)
    assert got.returncode == classify.BAD and json.loads(got.stdout)["class"] == "expired"
    assert str(old.chain_file) in got.stderr.decode()


def golden(place, name):
    case, = [one for one in limbo.load() if one.id == name]
    case.write(place)
    shutil.copy(case.ca_file, place / "anchor.pem")
    crls = [argument for file in case.crl_files for argument in ("--crl", file)]
    return subprocess.run([PROGRAM, "classify", "--ca", "anchor.pem", *crls, "--time", "2026-11-21T08:30:00Z", case.chain_file],
                          cwd=place, stdout=subprocess.PIPE, timeout=60, check=False).stdout


@pytest.mark.parametrize("number, name", enumerate(GOLDEN_CASES))
def test_the_output_of_a_fixed_case_is_this(place, number, name):
    """Byte by byte: order of the members, spelling, escapes."""
    assert golden(place, name) == GOLDEN.read_bytes().splitlines(keepends=True)[number]
