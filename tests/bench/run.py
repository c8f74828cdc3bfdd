#!/usr/bin/python3
"""Measures tlscribe side by side with Debian's haproxy and nginx. README.md says what and how.

  tests/bench/run.py [--rounds N] [--seconds S] [--in-flight N] [--hold N] [--certificates N] [--write] [--peers-only]

TLSCRIBE names the binary (default build/bench/tlscribe); TMPDIR is where keys and the journal go (default /var/tmp).
"""

import argparse
import datetime
import json
import os
import platform
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
NAME = "bench.test"
STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"
KINDS = {"p256": "P-256", "rsa": "RSA-2048"}
TARGETS = {"p256": 0.6, "rsa": 1.2, "idle_kib": 20.0, "recording": 0.05}
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"


def fail(sentence):
    sys.exit(f"bench: {sentence}")


def say(sentence):
    print(sentence, file=sys.stderr, flush=True)


# --- certificates -----------------------------------------------------------------------------------------------------


def openssl(*args, text=None):
    done = subprocess.run(["openssl", *map(str, args)], input=text, capture_output=True, text=True)
    if done.returncode != 0:
        fail(f"openssl {args[0]} failed: {done.stderr.strip()}")
    return done.stdout


def new_key(path, kind):
    how = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
    if kind == "p256":
        how = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
    openssl("genpkey", *how, "-out", path)


def issue(folder, kind, name, subject, issuer, extensions):
    """NAME.key and NAME.crt, signed by ISSUER (by itself without one)."""
    key, crt, csr = (folder / f"{name}.{suffix}" for suffix in ("key", "crt", "csr"))
    new_key(key, kind)
    openssl("req", "-new", "-key", key, "-subj", subject, "-out", csr)
    ext = folder / f"{name}.ext"
    ext.write_text("\n".join(extensions) + "\n")
    sign = ["-signkey", key]
    if issuer:
        sign = ["-CA", folder / f"{issuer}.crt", "-CAkey", folder / f"{issuer}.key"]
    serial = int.from_bytes(os.urandom(15), "big") + 1
    openssl("x509", "-req", "-in", csr, *sign, "-set_serial", serial, "-days", 30, "-sha256", "-extfile", ext, "-out", crt)


def make_pki(folder, clients):
    """Root, intermediate, server and client leaves of each kind; chains are leaf and intermediate."""
    ca = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign", "subjectKeyIdentifier=hash"]
    leaf = ["basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature", f"subjectAltName=DNS:{NAME}"]
    for kind in KINDS:
        issue(folder, kind, f"ca-{kind}", f"/O=Bench/CN=Root {kind}", None, ca)
        shutil.copy(folder / f"ca-{kind}.crt", folder / f"ca-{kind}.pem")
        issue(folder, kind, f"int-{kind}", f"/O=Bench/CN=Intermediate {kind}", f"ca-{kind}", ca)
        names = [("server", f"server-{kind}")] + [("client", f"client-{kind}-{i}") for i in range(clients)]
        for role, name in names:
            subject = f"/C=NL/O=Partner {kind}/OU=Payments/CN={name}.{NAME}"
            issue(folder, kind, name, subject, f"int-{kind}", leaf + [f"extendedKeyUsage={role}Auth"])
            chain = (folder / f"{name}.crt").read_text() + (folder / f"int-{kind}.crt").read_text()
            (folder / f"{name}.pem").write_text(chain)
            (folder / f"{name}.all").write_text(chain + (folder / f"{name}.key").read_text())


# --- processes --------------------------------------------------------------------------------------------------------


def free_ports(count):
    held = [socket.socket() for _ in range(count)]
    for s in held:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


def pinned(core):
    def before_exec():
        os.sched_setaffinity(0, {core})
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    return before_exec


def cpu_seconds(pid):
    """User and system time of a process, all its threads, and its children, dead or alive."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK") + sum(map(cpu_seconds, map(int, children)))


def rss_kib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


class Server:
    def __init__(self, name, folder, argv, template, values, core):
        self.name, self.folder, self.argv, self.core = name, folder, argv, core
        ports = free_ports(2)
        self.process = None
        values = values | {"PORT_P256": ports[0], "PORT_RSA": ports[1], "DIR": folder, "STATE": folder / f"state-{name}"}
        text = (HERE / template).read_text()
        self.ports = {kind: port for kind, port in zip(KINDS, ports) if f"$PORT_{kind.upper()}$" in text}
        for key, value in values.items():
            text = text.replace(f"${key}$", str(value))
        self.config = folder / f"{name}-{template}"
        self.config.write_text(text)

    def start(self):
        argv = [str(a).replace("@CONFIG@", str(self.config)) for a in self.argv]
        self.log = open(self.folder / f"{self.name}.log", "ab")
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        preexec_fn=pinned(self.core))
        for port in self.ports.values():
            self.await_port(port)

    def await_port(self, port):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)
        log = (self.folder / f"{self.name}.log").read_text(errors="replace")
        fail(f"{self.name} does not answer on port {port}\n{log}")

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
        self.log.close()


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            fail("two cores are needed: one for the server, one for the load and the back end")
        self.core, self.load_core = cores[0], cores[1]
        self.build("load", "-lssl", "-lcrypto")
        self.build("backend")
        say("making certificates")
        make_pki(folder, options.certificates)
        tcp, udp = free_ports(2)
        self.backend = subprocess.Popen([folder / "backend", str(tcp), str(udp)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, preexec_fn=pinned(self.load_core))
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self.values = {"BACKEND": tcp, "SYSLOG": udp, "STREAM_MODULE": STREAM_MODULE, "FILES": hard}
        self.servers = self.make_servers()

    def build(self, name, *libraries):
        compiler = os.environ.get("CC", "cc")
        subprocess.run([compiler, "-O2", "-D_GNU_SOURCE", "-o", self.folder / name, HERE / f"{name}.c", *libraries], check=True)

    def make_servers(self):
        def server(name, argv, template):
            return Server(name, self.folder, argv, template, self.values, self.core)

        servers = [
            server("haproxy", ["haproxy", "-db", "-f", "@CONFIG@"], "haproxy.cfg"),
            server("nginx", ["nginx", "-c", "@CONFIG@"], "nginx.conf"),
        ]
        if not self.options.peers_only:
            program = self.options.tlscribe
            null = program.parent / "tests/bench/tlscribe-null"
            servers.append(server("tlscribe", [program, "run", "-c", "@CONFIG@"], "tlscribe.yaml"))
            servers.append(server("tlscribe-null", [null, "run", "-c", "@CONFIG@"], "tlscribe.yaml"))
        return servers

    def pairs(self, kind):
        names = [self.folder / f"client-{kind}-{i}" for i in range(self.options.certificates)]
        return [f"{name}.pem:{name}.key" for name in names]

    def counts(self):
        self.backend.stdin.write("\n")
        self.backend.stdin.flush()
        return json.loads(self.backend.stdout.readline())

    def rate(self, server, kind, seconds):
        before, counted = cpu_seconds(server.process.pid), self.counts()
        done = subprocess.run(
            [self.folder / "load", "rate", str(server.ports[kind]), NAME, str(seconds), str(self.options.in_flight),
             *self.pairs(kind)], stdout=subprocess.PIPE, check=True, text=True, preexec_fn=pinned(self.load_core))
        figures = json.loads(done.stdout)
        if server.name == "haproxy" or server.name == "nginx":
            time.sleep(0.2)  # the last log lines leave after the last byte
        cpu, after = cpu_seconds(server.process.pid) - before, self.counts()
        if figures["done"] == 0 or figures["failed"] * 100 > figures["done"]:
            fail(f"{server.name}, {KINDS[kind]}: {figures['done']} exchanges done, {figures['failed']} failed")
        figures["logged"] = after["datagrams"] - counted["datagrams"]
        figures["cpu_us"] = cpu * 1e6 / figures["done"]
        figures["per_s"] = figures["done"] / figures["seconds"]
        figures["busy"] = cpu / figures["seconds"]
        return figures

    def rates(self):
        """{(server, kind): [figures, ...]}: the servers alternate within each round."""
        found = {}
        for server in self.servers:
            server.start()
        for kind in KINDS:
            for server in self.servers:
                self.rate(server, kind, 0.5)  # warm: caches, lazy set-up, prepared files
            for number in range(self.options.rounds):
                # Each round starts with another one, so that nobody always follows the same neighbour.
                turn = number % len(self.servers)
                for server in self.servers[turn:] + self.servers[:turn]:
                    figures = self.rate(server, kind, self.options.seconds)
                    found.setdefault((server.name, kind), []).append(figures)
                    say(f"{KINDS[kind]:9} round {number + 1}  {server.name:14} {figures['cpu_us']:7.0f} us CPU  "
                        f"{figures['per_s']:6.0f} /s  busy {figures['busy']:4.0%}  p50 {figures['p50_us']:6} us  "
                        f"p99 {figures['p99_us']:6} us")
        for server in self.servers:
            server.stop()
        self.check_logs(found)
        return found

    def check_logs(self, found):
        """A peer that lost its log lines would have been measured without them."""
        for (name, kind), rounds in found.items():
            if name in ("haproxy", "nginx"):
                logged, done = sum(r["logged"] for r in rounds), sum(r["done"] for r in rounds)
                if logged < 0.98 * done:
                    say(f"warning: {name}, {KINDS[kind]}: {done} exchanges, {logged} log lines arrived")

    def idle(self, server):
        """KiB of RSS an idle TLS connection takes, its connection to the back end included, in a fresh process."""
        server.start()
        subprocess.run([self.folder / "load", "rate", str(server.ports["p256"]), NAME, "0", "1", *self.pairs("p256")],
                       stdout=subprocess.DEVNULL, check=True, preexec_fn=pinned(self.load_core))
        before = rss_kib(server.process.pid)
        load = subprocess.Popen([self.folder / "load", "hold", str(server.ports["p256"]), NAME, str(self.options.hold),
                                 *self.pairs("p256")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                preexec_fn=pinned(self.load_core))
        line = json.loads(load.stdout.readline() or '{"held": 0, "failed": 0}')
        after = rss_kib(server.process.pid)
        load.stdin.close()
        load.wait()
        server.stop()
        if line["held"] != self.options.hold:
            fail(f"{server.name}: {line['held']} of {self.options.hold} connections could be held")
        kib = (after - before) / line["held"]
        say(f"idle      {server.name:14} {kib:5.1f} KiB a connection ({before} to {after} KiB RSS)")
        return kib

    def close(self):
        for server in self.servers:
            server.stop()
        self.backend.stdin.close()
        self.backend.wait()


# --- the table --------------------------------------------------------------------------------------------------------


def median(rounds, key):
    return statistics.median(r[key] for r in rounds)


def verdict(value, limit):
    return "target met" if value <= limit else "target missed"


def table(rates, idle):
    names = ["haproxy", "nginx"] + (["tlscribe"] if "tlscribe" in idle else [])
    lines = ["| | " + " | ".join(names) + " | tlscribe to the better peer | target | |",
             "|---|" + "---|" * (len(names) + 3)]

    def row(title, values, form, limit=None):
        ratio = goal = met = ""
        if "tlscribe" in values:
            better = min(values[n] for n in ("haproxy", "nginx"))
            ratio = f"{values['tlscribe'] / better:.2f}x"
            if limit is not None:
                goal, met = f"<= {limit}x", verdict(values["tlscribe"] / better, limit)
        lines.append(f"| {title} | " + " | ".join(form.format(values[n]) for n in names) + f" | {ratio} | {goal} | {met} |")

    def figures(kind, key):
        return {n: median(rates[n, kind], key) for n in names}

    for kind, label in KINDS.items():
        row(f"{label}: CPU us a handshake and exchange", figures(kind, "cpu_us"), "{:.0f}", TARGETS[kind])
        per_s, busy = figures(kind, "per_s"), figures(kind, "busy")
        cells = " | ".join(f"{per_s[n]:.0f} ({busy[n]:.0%} busy)" for n in names)
        better = max(per_s[n] for n in ("haproxy", "nginx"))
        ratio = f"{per_s['tlscribe'] / better:.2f}x" if "tlscribe" in per_s else ""
        lines.append(f"| {label}: handshakes/s, one worker | {cells} | {ratio} | | |")
        row(f"{label}: latency p50, us", figures(kind, "p50_us"), "{:.0f}")
        row(f"{label}: latency p99, us", figures(kind, "p99_us"), "{:.0f}")
    row("idle connection, KiB RSS", idle, "{:.1f}")
    if "tlscribe" in idle:
        goal, met = f"<= {TARGETS['idle_kib']:.0f} KiB", verdict(idle["tlscribe"], TARGETS["idle_kib"])
        lines[-1] = lines[-1].removesuffix("|  |  |") + f"| {goal} | {met} |"
        for kind, label in KINDS.items():
            # Pairs of one round are neighbours in time: the median of their differences is steadier than that of medians.
            pairs = zip(rates["tlscribe", kind], rates["tlscribe-null", kind])
            cost = statistics.median(a["cpu_us"] / b["cpu_us"] - 1 for a, b in pairs)
            null = median(rates["tlscribe-null", kind], "cpu_us")
            goal = met = ""
            if kind == "p256":
                goal, met = f"<= {TARGETS['recording']:.0%}", verdict(cost, TARGETS["recording"])
            lines.append(f"| {label}: recording, of CPU | | | {cost:+.1%} (without: {null:.0f} us) | | {goal} | {met} |")
    return lines


def version_of(argv):
    done = subprocess.run(argv, capture_output=True, text=True)
    return (done.stdout + done.stderr).splitlines()[0].strip()


def machine():
    cpu = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())
    return f"{datetime.date.today().isoformat()}, {os.cpu_count()} cores of {cpu}, Linux {platform.release()}"


def disturbed(load, consequence="rates and latencies are too low and too high"):
    return [] if load < 0.5 else [f"Other programs were running (load average {load:.1f} at the start): {consequence}."]


def context(options):
    versions = [version_of(["haproxy", "-v"]), version_of(["nginx", "-v"])]
    if not options.peers_only:
        versions.append(version_of([str(options.tlscribe), "--version"]))
    return [
        f"{machine()}; {'; '.join(versions)}.",
        f"{options.rounds} alternating rounds of {options.seconds:g} s, {options.in_flight} connections in flight, "
        f"{options.certificates} client certificate(s), {options.hold} idle connections; medians of the rounds.",
    ] + disturbed(options.load)


def write(lines):
    path = HERE / "README.md"
    before, rest = path.read_text().split(BEGIN)
    after = rest.split(END)[1]
    path.write_text(before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + after)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--in-flight", type=int, default=32)
    parser.add_argument("--hold", type=int, default=5000, help="idle connections for the memory figure")
    parser.add_argument("--certificates", type=int, default=1, help="different client certificates, used in turn")
    parser.add_argument("--write", action="store_true", help="put the table into tests/bench/README.md")
    parser.add_argument("--peers-only", action="store_true", help="without tlscribe")
    options = parser.parse_args()
    options.load = os.getloadavg()[0]
    options.tlscribe = Path(os.environ.get("TLSCRIBE", ROOT / "build/bench/tlscribe")).resolve()
    return options


def require(options):
    for program in ("haproxy", "nginx", "openssl", os.environ.get("CC", "cc")):
        if shutil.which(program) is None:
            fail(f"{program} is not installed")
    if not os.path.exists(STREAM_MODULE):
        fail("nginx cannot proxy plain TCP without Debian's libnginx-mod-stream")
    if options.peers_only:
        return
    if not options.tlscribe.exists():
        fail(f"{options.tlscribe} is not built (./dev bench does everything)")
    null = "tests/bench/tlscribe-null"
    if subprocess.run(["make", "-s", "-C", options.tlscribe.parent, null], stdout=sys.stderr).returncode != 0:
        fail(f"{null} cannot be built")


def main():
    options = parse()
    require(options)
    folder = Path(tempfile.mkdtemp(prefix="tlscribe-bench-", dir=os.environ.get("TMPDIR", "/var/tmp")))
    bench = None
    try:
        bench = Bench(options, folder)
        rates = bench.rates()
        idle = {server.name: bench.idle(server) for server in bench.servers if server.name != "tlscribe-null"}
        lines = context(options) + [""] + table(rates, idle)
        print("\n".join(lines))
        if options.write:
            write(lines)
    finally:
        if bench is not None:
            bench.close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
