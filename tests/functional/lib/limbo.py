"""The cases of tests/data/limbo: may this chain log in as a client?"""

import json
import re
from datetime import datetime, timezone
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from lib.pki import key_pem

FOLDER = Path(__file__).resolve().parents[3] / "tests" / "data" / "limbo"
DEPTH_MAX = 16  # what max_depth can be at most


def load():
    return [Case(one) for one in json.loads((FOLDER / "limbo-client.json").read_text())["testcases"]]


def deviations():
    """Cases of tier strict that README.md there says come out otherwise."""
    rows = re.findall(r"^\| ([\w-]+(?:::[\w-]+)+) \|", (FOLDER / "README.md").read_text(), re.MULTILINE)
    assert len(rows) == len(set(rows)) > 0
    return set(rows)


class Case:
    def __init__(self, raw):
        self.id, self.tier, self.classes = raw["id"], raw["tier"], raw["classes"]
        self.refuse = raw["expected_result"] != "SUCCESS"
        self.trusted, self.crls = raw["trusted_certs"], raw["crls"]
        self.chain = [raw["peer_certificate"], *raw["untrusted_intermediates"]]
        key = raw["peer_certificate_key"]
        self.private_key = serialization.load_pem_private_key(key.encode(), None) if key else None
        depth = raw["max_chain_depth"]
        self.depth = None if depth is None else min(depth, DEPTH_MAX)
        when = raw["validation_time"]
        self.time = None if when is None else datetime.fromisoformat(when).astimezone(timezone.utc)

    @property
    def second(self):
        """RFC 3339, whole seconds: the judge has no others. None: the present."""
        return None if self.time is None else self.time.strftime("%Y-%m-%dT%H:%M:%SZ")

    def agrees(self, name):
        """`name` is the class that came out; None: files of the case were refused, and a start with them would be."""
        return name in self.classes or "any_failure" in self.classes and name != "ok"

    def write(self, folder):
        """Its files, as an operator and a client would have them."""
        base = Path(folder) / re.sub(r"\W+", "-", self.id)
        self.ca_file = write(base, ".ca.pem", self.trusted)
        self.chain_file = write(base, ".chain.pem", self.chain)
        self.crl_files = [write(base, ".crl.pem", self.crls)] if self.crls else []
        if self.private_key:
            self.key_file = base.with_name(base.name + ".key")
            self.key_file.write_bytes(key_pem(self.private_key))
            self.key_file.chmod(0o600)
            self.der_files = []
            for number, text in enumerate(self.chain):
                one = base.with_name(f"{base.name}.{number}.der")
                one.write_bytes(decode(text))
                self.der_files.append(one)
        return self


def write(base, ending, blocks):
    path = base.with_name(base.name + ending)
    path.write_text("\n".join(blocks) + "\n")
    return path


def decode(text):
    import base64
    return base64.b64decode("".join(line for line in text.splitlines() if not line.startswith("-----")))
