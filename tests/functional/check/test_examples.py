"""Every example of conf/ passes `tlscribe check`, once its files are there."""

import os
import pwd
import re
import subprocess

import pytest

from lib import crl
from lib.proxy import CHECKOUT, PROGRAM

EXAMPLES = sorted((CHECKOUT / "conf" / "examples").glob("*.yaml"))
WARNINGS = {"permissive-rollout.yaml": r"verify: passthrough, and nothing else denies: .*"}


def at_home(text, folder, pki):
    """The example with files, a user and host names of this machine."""
    def file(match):
        name = match.group(1)
        if name.endswith("-ca.pem"):
            return str((pki.dev if name == "acme-clients-ca.pem" else pki.root).chain_file)
        identity = pki.server_rsa if name.endswith(("-rsa.pem", "-rsa.key")) else pki.server
        return str(identity.key_file if name.endswith(".key") else identity.chain_file)
    text = re.sub(r"/etc/tlscribe/([a-z0-9-]+\.(?:pem|key))", file, text)
    lists = folder / "lists"
    (lists / "crl").mkdir(parents=True)
    (lists / "crl" / "root.crl").write_bytes(crl.crl(pki.root))
    (lists / "stolen.txt").write_text("# nobody yet\n")
    text = text.replace("/etc/tlscribe/crl/", f"{lists}/crl/").replace("/etc/tlscribe/stolen.txt", f"{lists}/stolen.txt")
    text = re.sub(r"\b[a-z0-9.-]+\.internal:(\d+)", r"localhost:\1", text)
    text = text.replace("state: /var/lib/tlscribe", f"state: {folder}/state")
    return text.replace("user: tlscribe\n", f"user: {pwd.getpwuid(os.geteuid()).pw_name}\n")


def test_there_are_examples():
    assert len(EXAMPLES) >= 7


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_passes(example, tmp_path, pki):
    file = tmp_path / example.name
    file.write_text(at_home(example.read_text(), tmp_path, pki))
    assert "/etc/tlscribe" not in file.read_text()
    got = subprocess.run([PROGRAM, "check", "-c", file], capture_output=True, text=True, timeout=60, check=False)
    assert got.returncode == 0, got.stderr
    warnings = [line.split(": warning: ", 1)[1] for line in got.stderr.splitlines()]
    expected = [WARNINGS[example.name]] if example.name in WARNINGS else []
    assert len(warnings) == len(expected), got.stderr
    for warning, pattern in zip(warnings, expected):
        assert re.fullmatch(pattern, warning), warning
