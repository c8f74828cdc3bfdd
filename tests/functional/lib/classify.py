"""`tlscribe classify`: the judge offline, and what it printed."""

import json
import subprocess

from lib import procs, schema
from lib.proxy import PROGRAM

GOOD, BAD, UNUSABLE = 0, 1, 2


def run(*arguments):
    """The finished process; output is bytes."""
    return subprocess.run([PROGRAM, "classify", *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=procs.PATIENCE * 2, check=False)


def arguments(chain, ca, crl=(), **options):
    """`ca` and `crl` are lists of files; options go with - for _ and a value each."""
    out = []
    for name, files in (("--ca", ca), ("--crl", crl)):
        for one in files:
            out += [name, one]
    for name, value in options.items():
        out += ["--" + name.replace("_", "-"), value]
    return [*out, chain]


def verdict(chain, ca, crl=(), **options):
    """The one JSON object that has to be all of its output; the exit code has to say the same."""
    got = run(*arguments(chain, ca, crl, **options))
    assert got.returncode in (GOOD, BAD), got
    line = got.stdout
    assert line.endswith(b"}\n") and line.count(b"\n") == 1, got
    assert all(0x20 <= byte < 0x7F for byte in line[:-1]), f"not printable ASCII: {line[:400]!r}"
    found = json.loads(line, object_pairs_hook=schema.unique)
    assert got.returncode == (GOOD if found["class"] == "ok" else BAD), got
    return found


def findings(told):
    """Of an event or a verdict: what stands in both of them."""
    return [{key: one[key] for key in ("class", "depth", "detail") if key in one} for one in told.get("findings", [])]
