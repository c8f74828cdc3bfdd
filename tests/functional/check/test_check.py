"""`tlscribe check` says with its place what is wrong with a configuration, and what a good one means."""

import json
import os
import pwd
import re

import pytest

from lib import der
from lib.pki import DAY, Identity, certificate, new_key, now
from lib.proxy import service
from lib.site import Site, run

BACK_END = "127.0.0.1:9000"


@pytest.fixture
def site(tmp_path, pki):
    return Site(tmp_path, [service("a", pki, BACK_END)])


# What a good one means


def test_a_good_one_prints_the_policy_of_each_name_on_each_listener(tmp_path, pki):
    site = Site(tmp_path, [
        service("strict", pki, [BACK_END, "unix:/run/back.sock"], names=["Api.example", "*.api.example"],
                client={"profile": "high", "max_depth": 1, "ca_names": False, "purpose": "any",
                        "tolerate": ["unknown_issuer", {"class": "expired", "depth": 0, "for": "7d"}]}),
        service("open", pki, BACK_END, "none", names=["api.example"], default=True),
    ], listeners=[{"bind": "127.0.0.1:8443", "services": ["strict"]}, {"bind": "[::1]:8443", "services": ["open"]}])
    got = site.check()
    assert (got.returncode, got.stderr) == (0, "")
    out = re.sub(r"until \d{4}-\d\d-\d\d \(\d+ days left\)", "until DAY (N days left)", got.stdout)

    strict = """
    service    strict
    verify     required
    ca         SUBJECT, until DAY (N days left)
    ca names   not sent
    revocation off
    tolerate   unknown_issuer, expired (depth 0, for 7d)
    profile    high
    purpose    any
    max depth  1 intermediates
    on change  close
    resumption off
    upstream   127.0.0.1:9000, unix:/run/back.sock
""".lstrip("\n")
    loose = """
    service    open
    verify     none
    resumption off
    upstream   127.0.0.1:9000
""".lstrip("\n")
    assert out.replace("CN=root CA,O=Test,C=NL", "SUBJECT") == (
        f"listener 127.0.0.1:8443\n  *.api.example\n{strict}  api.example\n{strict}"
        f"  any other name, or none: refused\n\n"
        f"listener [::1]:8443\n  api.example\n{loose}  any other name, or none\n{loose}")


def test_json_says_the_same_for_programs(site, pki):
    site.config["services"][0]["default"] = True
    got = site.check("--json")
    assert (got.returncode, got.stderr) == (0, "")
    said = json.loads(got.stdout)
    assert said["valid"] is True
    assert said["complaints"] == []
    [listener] = said["listeners"]
    assert listener["bind"] == "127.0.0.1:8443"
    [name] = listener["names"]
    [ca] = name.pop("ca")
    assert ca["subject"] == "CN=root CA,O=Test,C=NL"
    assert ca["file"] == str(pki.root.chain_file)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", ca["not_after"])
    assert 890 <= ca["days_left"] <= 900
    assert name == {"server_name": "a.example", "service": "a", "mode": "tcp", "verify": "required", "ca_names": True,
                    "trust": "ca", "issuers": [], "revocation": "off", "revocation_scope": "path", "crl": [],
                    "crl_fetch": [], "allow_list": [], "deny_list": [], "on_change": "close", "alert": "class",
                    "ocsp": {"mode": "off", "responder": None, "aia": [], "timeout_ms": 2000, "nonce": False},
                    "resumption": False,
                    "tolerate": "none", "profile": "medium", "purpose": "clientAuth", "max_depth": 4,
                    "upstream": {"servers": [{"address": BACK_END, "weight": 1, "backup": False}], "tls": None,
                                 "proxy_protocol": "none", "host": "keep", "check": None}}
    listener["default"].pop("ca")
    assert listener["default"] == {**name, "server_name": None}


def test_json_of_a_bad_one_has_the_complaints(site):
    site.config["services"][0]["server_names"] = ["a_b.example"]
    got = site.check("--json")
    assert got.returncode == 1
    said = json.loads(got.stdout)
    assert (said["valid"], said["listeners"]) == (False, [])
    [complaint] = said["complaints"]
    place = f'{complaint["file"]}:{complaint["line"]}:{complaint["column"]}'
    assert complaint["level"] == "error"
    assert got.stderr == f'{place}: {complaint["text"]}\n'
    assert place == site.place("a_b.example")


def test_every_ca_of_a_file_is_named(site, pki, tmp_path):
    both = tmp_path / "both.pem"
    both.write_bytes(pki.root.chain_file.read_bytes() + pki.other.chain_file.read_bytes())
    site.config["services"][0]["client"]["ca"] = [str(both)]
    [name] = json.loads(site.check("--json").stdout)["listeners"][0]["names"]
    assert [ca["subject"] for ca in name["ca"]] == ["CN=root CA,O=Test,C=NL", "CN=other-root CA,O=Test,C=NL"]


def test_relative_paths_count_from_the_folder_of_the_file(site, pki, tmp_path):
    for source, name in ((pki.server.chain_file, "c.pem"), (pki.server.key_file, "k.pem"),
                         (pki.root.chain_file, "ca.pem")):
        (tmp_path / name).write_bytes(source.read_bytes())
    (tmp_path / "k.pem").chmod(0o600)
    site.config["services"][0]["certificates"] = [{"chain": "c.pem", "key": "k.pem"}]
    site.config["services"][0]["client"]["ca"] = ["ca.pem"]
    got = site.check()
    assert (got.returncode, got.stderr) == (0, "")


# What is refused


def test_an_unknown_key_is_refused_with_the_nearest_known_one(site):
    site.config["limits"] = {"conections": 5}
    site.refused("conections", r'unknown option "conections": did you mean connections\?')


def test_a_wrong_type_is_refused(site):
    site.config["workers"] = "many"
    site.refused("many", r'workers: "many" is not a whole number or auto')


def test_a_wrong_range_is_refused(site):
    site.config["limits"] = {"handshake_time": "1h"}
    site.refused("1h", r'handshake_time: "1h" is not from 10ms to 10m')


def test_a_syntax_error_has_its_place(site):
    site.write()
    site.file.write_text(site.file.read_text() + 'labels: {a: "b}\n')
    got = run("-c", site.file)
    assert got.returncode == 1
    assert re.fullmatch(re.escape(str(site.file)) + r":\d+:\d+: \S.*\n", got.stderr), got.stderr


@pytest.mark.parametrize("content, sentence", [
    (None, r"CA file .*/ca\.pem: not found"),
    (b"", r"CA file .*/ca\.pem: .*empty.*"),
    (b"# nothing\n", r"CA file .*/ca\.pem: has no PEM CERTIFICATE block"),
    (b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", r"CA file .*/ca\.pem: .*certificate.*"),
])
def test_a_ca_file_that_is_missing_empty_or_unparsable_is_refused(site, tmp_path, content, sentence):
    ca = tmp_path / "ca.pem"
    if content is not None:
        ca.write_bytes(content)
    site.config["services"][0]["client"]["ca"] = [str(ca)]
    site.refused(str(ca), sentence)


def test_a_key_that_does_not_match_is_refused(site, pki):
    site.config["services"][0]["certificates"] = [{"chain": pki.server.chain_file, "key": pki.server_rsa.key_file}]
    site.refused(str(pki.server_rsa.key_file),
                 r"the key .*/server-rsa\.key does not belong to the certificate .*/server\.pem")


def test_a_name_with_an_underscore_is_refused(site):
    site.config["services"][0]["server_names"] = ["my_api.example"]
    site.refused("my_api.example", r'.*"my_api\.example" has an underscore.*')


def test_two_services_for_one_name_on_one_listener_are_refused(tmp_path, pki):
    site = Site(tmp_path, [service("a", pki, BACK_END, names=["x.example"]),
                           service("b", pki, BACK_END, names=["X.example"])])
    site.refused("X.example", r"the server name x\.example is taken on listener 127\.0\.0\.1:8443 already, "
                              r"by service a in line \d+")


def test_an_unknown_class_in_tolerate_is_refused(site):
    site.config["services"][0]["client"]["tolerate"] = ["expierd"]
    site.refused("expierd", r".*expierd.*expired.*")


@pytest.mark.parametrize("client, needle", [
    ({"tolerate": "all"}, "all"),
    ({"tolerate": ["expired"]}, "- expired"),
    ({"verify": "passthrough"}, "passthrough"),
])
def test_zero_tolerance_refuses_every_tolerate_and_passthrough(site, client, needle):
    site.config["zero_tolerance"] = True
    site.config["services"][0]["client"].update(client)
    site.refused(needle, r".* is refused: the file says zero_tolerance: true")


def test_all_that_is_wrong_is_said_at_once(site):
    site.config["workers"] = 0
    site.config["services"][0]["mode"] = "udp"
    site.config["services"][0]["server_names"] = ["a_.example"]
    got = site.check()
    assert got.returncode == 1
    assert [re.sub(r".*:\d+:\d+: (\w+).*", r"\1", line) for line in got.stderr.splitlines()] == [
        "server_names", "mode", "workers"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the user")
def test_keys_that_the_user_cannot_read_are_refused(site, pki):
    # The PKI's folder is open to everybody, and its keys to their owner alone.
    site.config["user"] = "nobody"
    site.refused(str(pki.server.key_file),
                 r"key: .*/server\.key cannot be read by user nobody: Permission denied")
    try:
        os.chown(pki.server.key_file, pwd.getpwnam("nobody").pw_uid, -1)
        got = site.check()
        assert (got.returncode, got.stderr) == (0, "")
    finally:
        os.chown(pki.server.key_file, 0, -1)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    got = run("-c", tmp_path / "none.yaml")
    assert (got.returncode, got.stdout) == (1, "")
    assert got.stderr == f"{tmp_path}/none.yaml: cannot be opened: No such file or directory\n"


# What is warned of


def test_a_key_that_others_can_read_is_warned_of(site, pki, tmp_path):
    key = tmp_path / "k.pem"
    key.write_bytes(pki.server.key_file.read_bytes())
    key.chmod(0o644)
    site.config["services"][0]["certificates"][0]["key"] = key
    site.warned(str(key), r"the private key .*/k\.pem can be read by every user of this machine")


def test_passthrough_is_warned_of(site):
    site.config["services"][0]["client"]["verify"] = "passthrough"
    site.warned("passthrough", r"verify: passthrough, and nothing else denies: .*")


def test_tolerate_all_is_warned_of(site):
    site.config["services"][0]["client"]["tolerate"] = "all"
    site.warned("all", r"tolerate: all lets in whoever holds any certificate at all: .*")


@pytest.mark.parametrize("label, begin, end, sentence", [
    ("over", -30, -3, r"CA file .*: CN=over CA,O=Test,C=NL expired on \S+"),
    ("ending", -30, 5, r"CA file .*: CN=ending CA,O=Test,C=NL expires on \S+"),
])
def test_a_ca_that_is_expired_or_about_to_is_warned_of(site, pki, label, begin, end, sentence):
    key, subject = new_key(), pki.name(f"{label} CA")
    one = certificate(subject=subject, issuer=subject, key=key, signer=key, not_before=now() + begin * DAY,
                      not_after=now() + end * DAY,
                      extensions=[der.basic_constraints(True), der.key_usage("keyCertSign")])
    ca = Identity(pki.folder, f"check-{label}-ca", key, [one], subject)
    site.config["services"][0]["client"]["ca"] = [ca.chain_file]
    site.warned(str(ca.chain_file), sentence)


@pytest.mark.parametrize("label, begin, end, sentence", [
    ("over", -30, -3, r"the server certificate in \S+ has expired"),
    ("ending", -30, 5, r"the server certificate in \S+ expires in [45] days"),
])
def test_a_certificate_that_is_expired_or_about_to_is_warned_of(site, pki, label, begin, end, sentence):
    leaf = pki.leaf(f"check-{label}", pki.edge, purposes=["serverAuth"], not_before=now() + begin * DAY,
                    not_after=now() + end * DAY)
    site.config["services"][0]["certificates"] = [{"chain": leaf.chain_file, "key": leaf.key_file}]
    site.warned(str(leaf.chain_file), sentence)


# The command


def test_help_goes_to_standard_output():
    got = run("--help")
    assert (got.returncode, got.stderr) == (0, "")
    assert got.stdout.startswith("usage: tlscribe check -c FILE")


@pytest.mark.parametrize("arguments", [[], ["--config"], ["--no-such"], ["-c", "x", "y"]])
def test_wrong_usage_is_told_apart_from_a_wrong_file(arguments):
    got = run(*arguments)
    assert (got.returncode, got.stdout) == (2, "")
    assert "usage: tlscribe check -c FILE" in got.stderr
