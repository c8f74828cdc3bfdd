#!/usr/bin/python3
"""Measures requests on kept-alive connections, tlscribe in mode http side by side with haproxy and nginx. README.md says what and how.

  tests/bench/requests.py [--rounds N] [--seconds S] [--in-flight N] [--hold N] [--stream GIB] [--write] [--peers-only]

TLSCRIBE names the binary (default build/bench/tlscribe); TMPDIR is where keys and the journal go (default /var/tmp).
"""

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import run

SIZES = {1024: "1 KiB", 102400: "100 KiB"}
IDLE_KIB = 24.0
BEGIN, END = "<!-- requests -->", "<!-- /requests -->"


class Bench(run.Bench):
    def make_servers(self):
        def server(name, argv, template):
            return run.Server(name, self.folder, argv, template, self.values, self.core)

        servers = [
            server("haproxy", ["haproxy", "-db", "-f", "@CONFIG@"], "haproxy-http.cfg"),
            server("nginx", ["nginx", "-c", "@CONFIG@"], "nginx-http.conf"),
        ]
        if not self.options.peers_only:
            servers.append(server("tlscribe", [self.options.tlscribe, "run", "-c", "@CONFIG@"], "tlscribe-http.yaml"))
        return servers

    def one(self, server, size, seconds):
        before = run.cpu_seconds(server.process.pid)
        done = subprocess.run(
            [self.folder / "load", "requests", str(server.ports["p256"]), run.NAME, str(seconds),
             str(self.options.in_flight), str(size), *self.pairs("p256")],
            stdout=subprocess.PIPE, check=True, text=True, preexec_fn=run.pinned(self.load_core))
        figures = json.loads(done.stdout)
        cpu = run.cpu_seconds(server.process.pid) - before
        if figures["done"] == 0 or figures["failed"] > 0:
            run.fail(f"{server.name}, {SIZES[size]}: {figures['done']} requests done, {figures['failed']} failed")
        figures["cpu_us"] = cpu * 1e6 / figures["done"]
        figures["per_s"] = figures["done"] / figures["seconds"]
        figures["busy"] = cpu / figures["seconds"]
        return figures

    def all(self):
        """{(server, size): [figures, ...]}: the servers alternate within each round."""
        found = {}
        for server in self.servers:
            server.start()
        for size in SIZES:
            for server in self.servers:
                self.one(server, size, 0.5)
            for number in range(self.options.rounds):
                turn = number % len(self.servers)
                for server in self.servers[turn:] + self.servers[:turn]:
                    figures = self.one(server, size, self.options.seconds)
                    found.setdefault((server.name, size), []).append(figures)
                    run.say(f"{SIZES[size]:8} round {number + 1}  {server.name:9} {figures['cpu_us']:7.1f} us CPU  "
                            f"{figures['per_s']:7.0f} /s  busy {figures['busy']:4.0%}  p50 {figures['p50_us']:6} us  "
                            f"p99 {figures['p99_us']:6} us")
        for server in self.servers:
            server.stop()
        return found

    def stream(self, server, gib):
        """KiB of RSS before, and the most while a body of so many GiB passes."""
        server.start()
        self.one(server, 102400, 0.5)
        before = most = run.rss_kib(server.process.pid)
        size = gib << 30
        client = subprocess.Popen(
            ["curl", "-sS", "-k", "--http1.1", "--cert", self.folder / "client-p256-0.pem",
             "--key", self.folder / "client-p256-0.key", "--resolve", f"{run.NAME}:{server.ports['p256']}:127.0.0.1",
             "-o", "/dev/null", "-w", "%{size_download}", f"https://{run.NAME}:{server.ports['p256']}/{size}"],
            stdout=subprocess.PIPE, text=True, preexec_fn=run.pinned(self.load_core))
        while True:
            try:
                out, _ = client.communicate(timeout=0.1)
                break
            except subprocess.TimeoutExpired:
                most = max(most, run.rss_kib(server.process.pid))
        server.stop()
        if client.returncode != 0 or out != str(size):
            run.fail(f"{server.name}: {out} of {size} bytes arrived, curl ended with {client.returncode}")
        run.say(f"{gib} GiB    {server.name:9} {before} KiB RSS before, {most} KiB at most")
        return before, most


def table(found, idle, streams, gib):
    names = ["haproxy", "nginx"] + (["tlscribe"] if "tlscribe" in idle else [])
    lines = ["| | " + " | ".join(names) + " | tlscribe to the better peer | target | |",
             "|---|" + "---|" * (len(names) + 3)]

    def row(title, values, form, more_is_better=False, limit=None):
        ratio = goal = met = ""
        if "tlscribe" in values:
            peers = [values[n] for n in ("haproxy", "nginx")]
            quotient = values["tlscribe"] / (max(peers) if more_is_better else min(peers))
            ratio = f"{quotient:.2f}x"
            if limit is not None:
                goal = f"{'>=' if more_is_better else '<='} {limit}x"
                met = "target met" if (quotient >= limit if more_is_better else quotient <= limit) else "target missed"
        lines.append(f"| {title} | " + " | ".join(form.format(values[n]) for n in names) + f" | {ratio} | {goal} | {met} |")

    def figures(size, key):
        return {n: run.median(found[n, size], key) for n in names}

    for size, label in SIZES.items():
        row(f"{label}: requests/s, one worker", figures(size, "per_s"), "{:.0f}", True, 1.0)
        row(f"{label}: CPU us a request", figures(size, "cpu_us"), "{:.1f}", False, 1.0)
        busy = figures(size, "busy")
        lines.append(f"| {label}: of its core | " + " | ".join(f"{busy[n]:.0%}" for n in names) + " | | | |")
        row(f"{label}: latency p50, us", figures(size, "p50_us"), "{:.0f}")
        row(f"{label}: latency p99, us", figures(size, "p99_us"), "{:.0f}", False, 1.0)
    row("idle kept-alive connection, KiB RSS", idle, "{:.1f}")
    if "tlscribe" in idle:
        lines[-1] = lines[-1].removesuffix("|  |  |") + f"| <= {IDLE_KIB:.0f} KiB | {run.verdict(idle['tlscribe'], IDLE_KIB)} |"
    cells = " | ".join(f"{streams[n][1] - streams[n][0]:+d}" for n in names)
    met = ""
    if "tlscribe" in streams:
        met = "target met" if streams["tlscribe"][1] - streams["tlscribe"][0] < 1024 else "target missed"
    lines.append(f"| a body of {gib} GiB, KiB RSS more | {cells} | | flat | {met} |")
    return lines


def write(lines):
    path = run.HERE / "README.md"
    before, rest = path.read_text().split(BEGIN)
    after = rest.split(END)[1]
    path.write_text(before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + after)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--in-flight", type=int, default=32)
    parser.add_argument("--hold", type=int, default=5000, help="idle connections for the memory figure")
    parser.add_argument("--stream", type=int, default=10, metavar="GIB", help="size of the large body")
    parser.add_argument("--write", action="store_true", help="put the table into tests/bench/README.md")
    parser.add_argument("--peers-only", action="store_true", help="without tlscribe")
    options = parser.parse_args()
    options.certificates = 1
    options.load = os.getloadavg()[0]
    options.tlscribe = Path(os.environ.get("TLSCRIBE", run.ROOT / "build/bench/tlscribe")).resolve()
    return options


def main():
    options = parse()
    if not options.peers_only and not options.tlscribe.exists():
        run.fail(f"{options.tlscribe} is not built (./dev bench does everything)")
    folder = Path(tempfile.mkdtemp(prefix="tlscribe-bench-", dir=os.environ.get("TMPDIR", "/var/tmp")))
    bench = None
    try:
        bench = Bench(options, folder)
        found = bench.all()
        idle = {server.name: bench.idle(server) for server in bench.servers}
        streams = {server.name: bench.stream(server, options.stream) for server in bench.servers}
        lines = run.context(options) + [""] + table(found, idle, streams, options.stream)
        print("\n".join(lines))
        if options.write:
            write(lines)
    finally:
        if bench is not None:
            bench.close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
