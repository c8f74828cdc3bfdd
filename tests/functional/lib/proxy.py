"""The program under test: writes its configuration, runs it, and reads the events it recorded.

$TLSCRIBE names the binary (default: build/tlscribe in the checkout).
"""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

from lib import procs, schema

CHECKOUT = Path(__file__).resolve().parents[3]
PROGRAM = os.environ.get("TLSCRIBE") or str(CHECKOUT / "build" / "tlscribe")


def sanitized():
    """Whether the binary is a sanitizer build: its memory cannot be bounded from outside then."""
    with open(PROGRAM, "rb") as f:
        return re.search(rb"lib(asan|tsan|ubsan)\.so|__asan_init|__tsan_init", f.read()) is not None


def plain(value):
    """A scalar as YAML would be written by hand."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, (int, float)):
        return str(value)
    text = str(value)
    # What could be read as something else than a string is quoted; JSON strings are YAML strings.
    return text if re.fullmatch(r"[A-Za-z/][A-Za-z0-9_./-]*|\d+[a-zA-Z]+", text) and text not in (
        "null", "true", "false", "yes", "no", "on", "off") else json.dumps(text)


def yaml(value, indent=0):
    """Block style, two spaces a level."""
    pad = " " * indent
    out = []
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, (dict, list)) and inner:
                out.append(f"{pad}{key}:\n{yaml(inner, indent + 2)}")
            else:
                out.append(f"{pad}{key}: {'{}' if inner == {} else '[]' if inner == [] else plain(inner)}\n")
        return "".join(out)
    for item in value:
        if isinstance(item, (dict, list)) and item:
            out.append(f"{pad}- {yaml(item, indent + 2).lstrip()}")
        else:
            out.append(f"{pad}- {plain(item)}\n")
    return "".join(out)


def service(name, pki, upstream, verify="required", *, names=None, ca="root", rsa=False, client=None, **more):
    """One service of a configuration: by default its own name under .example, trusting the PKI's root. `upstream` is an address, a
    list of servers, or the whole map."""
    certificates = [{"chain": pki.server.chain_file, "key": pki.server.key_file}]
    if rsa:
        certificates.append({"chain": pki.server_rsa.chain_file, "key": pki.server_rsa.key_file})
    clients = {"verify": verify}
    if ca and verify != "none":
        clients["ca"] = [getattr(pki, ca).chain_file]
    clients.update(client or {})
    if not isinstance(upstream, dict):
        upstream = {"servers": [upstream] if isinstance(upstream, str) else list(upstream)}
    return {"name": name, "server_names": names or [f"{name}.example"], "certificates": certificates,
            "client": clients, "mode": "tcp", "upstream": upstream, **more}


class Proxy:
    """One state directory and the process that runs on it."""

    def __init__(self, folder, listeners, services, **settings):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.state = self.folder / "state"
        self.config_file = self.folder / "tlscribe.yaml"
        self.log_file = self.folder / "log"
        self.process = None
        self.tolerated_exit = 0
        self.config = {"node": "test", "state": str(self.state), "workers": 2,
                       "listeners": [{"bind": one} if isinstance(one, str) else one for one in listeners],
                       "services": services}
        self.config.update(settings)
        self.write()

    def write(self):
        self.config_file.write_text(yaml(self.config))

    # running

    def start(self, wait=True, before=()):
        """`before` is a command that runs another one, as prlimit(1) does."""
        assert self.process is None
        env = dict(os.environ)
        env.setdefault("ASAN_OPTIONS", "detect_leaks=1:quarantine_size_mb=8:malloc_context_size=20")
        env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
        env.setdefault("TSAN_OPTIONS", "halt_on_error=0:second_deadlock_stack=1")
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen([*before, PROGRAM, "run", "-c", str(self.config_file)], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=env)
        if wait:
            procs.wait_for(self.listens, self.why_not)
        return self

    def listens(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the proxy ended with {self.process.returncode} at its start\n{self.report()}")
        return procs.catches(self.pid, signal.SIGTERM) and all(procs.listening(one["bind"]) for one in self.config["listeners"])

    def why_not(self):
        return f"the listeners\n{self.report()}"

    @property
    def pid(self):
        return self.process.pid

    def send_signal(self, number):
        self.process.send_signal(number)

    def reload(self, **settings):
        """Changes the configuration and sends SIGHUP; the caller waits for what it expects."""
        self.config.update(settings)
        self.write()
        self.send_signal(signal.SIGHUP)

    def stop(self, how=signal.SIGTERM, patience=None):
        """Ends the process, gives its exit code, and has its log looked over for reports of sanitizers."""
        if self.process is None:
            return None
        try:
            code = procs.end(self.process, how, patience)
        finally:
            self.process = None
        log = self.log()
        assert not re.search(r"Sanitizer|runtime error:|BUG|stack smashing", log), self.report()
        return code

    def kill(self):
        """As a crash would."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def report(self):
        """For people, after a failure: the log and the last events."""
        lines = ["> " + line for line in self.log().splitlines()[-60:]]
        lines.append("last events:")
        try:
            for event in self.events()[-5:]:
                lines.append("> " + json.dumps(event)[:1500])
        except (AssertionError, ValueError, OSError, subprocess.SubprocessError) as e:
            lines.append(f"> cannot be read: {e}")
        return "\n".join(lines)

    # its record

    def lines(self):
        """Every durable entry as bytes, by `tlscribe query`; works without the daemon, too."""
        got = subprocess.run([PROGRAM, "query", "--state", str(self.state)], capture_output=True,
                             timeout=procs.PATIENCE * 2, check=False)
        assert got.returncode == 0, f"query ended with {got.returncode}: {got.stderr.decode(errors='replace')}"
        return got.stdout.splitlines()

    def events(self):
        return [json.loads(line) for line in self.lines()]

    def handshakes(self):
        return [e for e in self.events() if e["event"]["action"] == "tls-handshake"
                and e["network"]["direction"] == "ingress"]

    def actions(self, action):
        return [e for e in self.events() if e["event"]["action"] == action]

    def mark(self):
        """The number of handshakes until now, to tell the ones that come."""
        return len(self.handshakes())

    def since(self, mark, count=1):
        """Waits for `count` handshakes after `mark` and gives all there are."""
        def found():
            got = self.handshakes()[mark:]
            return got if len(got) >= count else None
        return procs.wait_for(found, lambda: f"{count} handshake event(s) after {mark}\n{self.report()}")

    def event_of(self, local):
        """The handshake event of the connection from this local HOST:PORT."""
        host, port = local.rsplit(":", 1)
        port, host = int(port), host.strip("[]")

        def found():
            return [e for e in self.handshakes() if e["source"].get("port") == port and e["source"].get("ip") == host]
        got = procs.wait_for(found, lambda: f"the event of {local}\n{self.report()}")
        assert len(got) == 1, f"{len(got)} events of {local}: {got}"
        return got[0]

    def wait_action(self, action, count=1, where=lambda e: True):
        def found():
            got = [e for e in self.actions(action) if where(e)]
            return got if len(got) >= count else None
        return procs.wait_for(found, lambda: f"{count} {action}\n{self.report()}")

    def wait_log(self, pattern, after=0):
        return procs.wait_for(lambda: re.search(pattern, self.log()[after:]),
                              lambda: f"{pattern!r} in the log\n{self.report()}")

    def verify_journal(self):
        """What holds for every journal of every test: see schema.check_journal."""
        if self.state.exists():
            schema.check_journal(self.lines())
