#!/usr/bin/python3
"""Measures what verification costs, against its signature checks alone and fixed bounds. README.md says what and how.

  tests/bench/verify.py [--rounds N] [--write]

TLSCRIBE names the binary (default build/bench/tlscribe), beside which tests/bench/verify is built. Exits with 1 when a target is missed.
"""

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

import run

BEGIN, END = "<!-- verify -->", "<!-- /verify -->"
LIMBO = run.ROOT / "tests/data/limbo/limbo-client.json"
HELLOS = run.ROOT / "tests/data/ja/vectors.txt"
MIB = 1 << 20


def one(program, core):
    """{name: value} of one round."""
    done = subprocess.run([program, LIMBO, HELLOS], stdout=subprocess.PIPE, text=True, preexec_fn=run.pinned(core))
    if done.returncode != 0:
        run.fail(f"{program.name} ended with {done.returncode}")
    figures = {name: float(value) for name, value in map(str.split, done.stdout.splitlines())}
    if figures["crl_entry_bytes"] <= 0:
        run.fail("the heap was not counted (a build with sanitizers?)")
    one_check = figures["signatures_us"] / 2
    figures["ocsp_issuer_ratio"] = figures["ocsp_issuer_us"] / one_check
    figures["ocsp_delegate_ratio"] = figures["ocsp_delegate_us"] / 2 / one_check
    return figures


class Table:
    """Rows of least, median and greatest; a target is held to the median, or to the worst round."""

    def __init__(self, rounds):
        self.rounds = rounds
        self.missed = []
        self.lines = ["| | least | median | greatest | target | |", "|---|---|---|---|---|---|"]

    def row(self, title, name, form="{:.1f}", scale=1.0, limit=None, goal=None, worst=False):
        values = [figures[name] * scale for figures in self.rounds]
        shown = [min(values), statistics.median(values), max(values)]
        met = ""
        if limit is not None:
            met = run.verdict(shown[2] if worst else shown[1], limit)
            if met != "target met":
                self.missed.append(title)
        cells = " | ".join(form.format(value) for value in shown)
        self.lines.append(f"| {title} | {cells} | {goal or ''} | {met} |")


def table(rounds):
    t = Table(rounds)
    last = rounds[-1]
    t.row("two signature checks alone, us", "signatures_us")
    t.row("a chain of two judged anew, us", "fresh_us")
    t.row("the same by its signature checks", "fresh_ratio", "{:.2f}x", limit=1.3, goal="<= 1.3x")
    t.row("of it parsing, us", "parse_us")
    t.row("a remembered verdict, us", "cached_us", "{:.2f}", limit=5, goal="<= 5 us")
    for name in sorted(name.partition(":")[2] for name in last if name.startswith("dos_us:")):
        t.row(f"{name}, ms", f"dos_us:{name}", scale=1e-3, limit=100, goal="<= 100 ms", worst=True)
        t.row(f"{name}, MiB", f"dos_bytes:{name}", scale=1 / MIB, limit=16, goal="<= 16 MiB", worst=True)
    t.row(f"a CRL of 500,000 entries ({last['crl_bytes'] / MIB:.1f} MiB) read, ms", "crl_parse_us", "{:.0f}", 1e-3)
    t.row("most memory meanwhile besides the file, MiB", "crl_peak_bytes", scale=1 / MIB)
    # The 500,000 are one block of memory, which ends with a page: 0.01 bytes an entry.
    t.row("memory of an entry, bytes", "crl_entry_bytes", "{:.2f}", limit=16.01, goal="<= 16 bytes")
    t.row("a serial number found, us", "crl_found_us", "{:.2f}", limit=1, goal="< 1 us")
    t.row("one that is not on it, us", "crl_absent_us", "{:.2f}", limit=1, goal="< 1 us")
    t.row("an OCSP answer by the issuer, us", "ocsp_issuer_us")
    t.row("the same by its signature check", "ocsp_issuer_ratio", "{:.2f}x")
    t.row("an OCSP answer by a delegate, us", "ocsp_delegate_us")
    t.row("the same by its two signature checks", "ocsp_delegate_ratio", "{:.2f}x")
    t.row(f"a ClientHello of {last['hello_bytes']:.0f} bytes on average read, us", "hello_us", "{:.2f}")
    t.row("of it JA3, us", "ja3_us", "{:.2f}")
    t.row("of it JA4, us", "ja4_us", "{:.2f}")
    return t


def write(lines):
    path = run.HERE / "README.md"
    before, rest = path.read_text().split(BEGIN)
    after = rest.split(END)[1]
    path.write_text(before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + after)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", action="store_true", help="put the table into tests/bench/README.md")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("one round at least")
    options.load = os.getloadavg()[0]
    options.tlscribe = Path(os.environ.get("TLSCRIBE", run.ROOT / "build/bench/tlscribe")).resolve()
    return options


def context(options):
    versions = [f"GnuTLS {run.version_of(['pkg-config', '--modversion', 'gnutls'])}",
                run.version_of([str(options.tlscribe), "--version"])]
    return [f"{run.machine()}; {'; '.join(versions)}.",
            f"{options.rounds} rounds; times are CPU time."] + run.disturbed(options.load, "times and ratios are too high")


def main():
    options = parse()
    if not options.tlscribe.exists():
        run.fail(f"{options.tlscribe} is not built (./dev bench does everything)")
    folder = options.tlscribe.parent
    program = folder / "tests/bench/verify"
    if subprocess.run(["make", "-s", "-C", folder, "tests/bench/verify"], stdout=sys.stderr).returncode != 0:
        run.fail("tests/bench/verify cannot be built")
    core = min(os.sched_getaffinity(0))
    rounds = []
    for number in range(options.rounds):
        rounds.append(one(program, core))
        run.say(f"round {number + 1}  judged anew {rounds[-1]['fresh_us']:.1f} us, {rounds[-1]['fresh_ratio']:.2f}x of its "
                f"signature checks; remembered {rounds[-1]['cached_us']:.2f} us")
    t = table(rounds)
    lines = context(options) + [""] + t.lines
    print("\n".join(lines))
    if options.write:
        write(lines)
    for title in t.missed:
        run.say(f"target missed: {title}")
    sys.exit(1 if t.missed else 0)


if __name__ == "__main__":
    main()
