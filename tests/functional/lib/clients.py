"""Real clients: curl, openssl s_client, gnutls-cli, Python's ssl, and the Go programs of clients/, built once a session."""

import json
import os
import re
import selectors
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from pathlib import Path

from lib import procs

SOURCES = Path(__file__).resolve().parents[1] / "clients"
PROGRAMS = ("again", "churn", "probe", "storm")
_built = {}


def go_program(name):
    """The path of one of PROGRAMS. The build cache lives in a folder of its own, so that nothing of the user's is touched."""
    if name not in _built:
        go = shutil.which("go") or "/usr/local/go/bin/go"
        base = Path(os.environ.get("TLSCRIBE_GO_CACHE") or Path(tempfile.gettempdir()) / f"tlscribe-go-{os.getuid()}")
        out = base / f"bin-{os.getpid()}"
        out.mkdir(parents=True, exist_ok=True)
        env = dict(os.environ, GOCACHE=str(base / "cache"), GOPATH=str(base / "path"), GOFLAGS="-mod=mod", GOPROXY="off",
                   GOTOOLCHAIN="local", GO111MODULE="on", GOWORK="off", CGO_ENABLED="0", GOENV="off", GOTELEMETRY="off")
        got = subprocess.run([go, "build", "-o", str(out) + "/", *("./" + one for one in PROGRAMS)], cwd=SOURCES, env=env,
                             capture_output=True, text=True, timeout=600, check=False)
        assert got.returncode == 0, f"go build failed:\n{got.stderr}"
        for program in PROGRAMS:
            _built[program] = str(out / program)
        _built["folder"] = out
    return _built[name]


def remove_programs():
    """The binaries of this test run; the cache stays for the next one."""
    if "folder" in _built:
        shutil.rmtree(_built.pop("folder"), ignore_errors=True)
        _built.clear()


class Result(dict):
    """What probe printed; keys as attributes."""
    __getattr__ = dict.__getitem__


def probe_command(address, sni="", client=None, version=None, *, pem=False, **flags):
    """`client` is an Identity; `version` "1.2" or "1.3" stands for both ends; flags go on with - for _."""
    command = [go_program("probe"), "-addr", address, "-sni", sni]
    if version:
        flags.setdefault("min", version)
        flags.setdefault("max", version)
    if client is not None:
        if pem:
            command += ["-cert-pem", str(client.chain_file)]
        else:
            command += ["-cert-raw", ",".join(str(f) for f in client.der_files)]
        command += ["-key", str(client.key_file)]
    for flag, value in flags.items():
        flag = "-" + flag.replace("_", "-")
        command += [flag + "=" + (str(value).lower() if isinstance(value, bool) else str(value))]
    return command


def probe(address, sni="", client=None, version=None, *, payload="ping\n", **flags):
    """One connection by the Go client, and what it saw."""
    flags.setdefault("source", procs.own_source(address) or "")
    got = subprocess.run(probe_command(address, sni, client, version, payload=payload, **flags), capture_output=True,
                         text=True, timeout=procs.PATIENCE * 3, check=False)
    assert got.returncode == 0, f"probe: {got.stderr}"
    return Result(json.loads(got.stdout))


def curl(address, name, *args, client=None, version=None, scheme="https"):
    """curl to https://NAME/..., its last argument being the path. Gives the finished process; output is bytes."""
    *options, path = args
    command = ["curl", "--silent", "--show-error", "--insecure", "--http1.1", "--max-time", str(int(procs.PATIENCE * 2))]
    if address.startswith("unix:"):
        command += ["--unix-socket", address.removeprefix("unix:")]
        port = 443
    else:
        host, port = address.rsplit(":", 1)
        command += ["--resolve", f"{name}:{port}:{host.strip('[]')}"]
    if client is not None:
        command += ["--cert", str(client.chain_file), "--key", str(client.key_file)]
    if version:
        command += ["--tlsv" + version, "--tls-max", version]
    return subprocess.run(command + options + [f"{scheme}://{name}:{port}{path}"], capture_output=True, check=False,
                          timeout=procs.PATIENCE * 3)


def s_client(address, name, client=None, version=None, text="ping\n", *more):
    """openssl s_client; sends the text and reads until the other side ends or the text has come back."""
    command = ["openssl", "s_client", "-connect", address, "-servername", name, "-nocommands", "-ign_eof"]
    if client is not None:
        # -cert takes the first of the file alone.
        command += ["-cert", str(client.chain_file), "-key", str(client.key_file)]
        if len(client.chain) > 1:
            command += ["-cert_chain", str(client.issuers_file)]
    if version:
        command += ["-tls" + version.replace(".", "_")]
    return talk(command + list(more), text)


def gnutls_cli(address, name, client=None, version=None, text="ping\n", *more):
    host, port = address.rsplit(":", 1)
    command = ["gnutls-cli", "--insecure", "--port", port, "--sni-hostname", name, host.strip("[]")]
    if client is not None:
        command[1:1] = ["--x509certfile", str(client.chain_file), "--x509keyfile", str(client.key_file)]
    if version:
        command[1:1] = ["--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}:%COMPAT"]
    return talk(command + list(more), text)


def talk(command, text):
    """Runs an interactive client: its input stays open until it ends by itself or has printed the text back."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    out = b""
    try:
        process.stdin.write(text.encode())
        process.stdin.flush()
    except BrokenPipeError:
        pass
    deadline = time.monotonic() + procs.PATIENCE
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            if not selector.select(0.2):
                continue
            part = os.read(process.stdout.fileno(), 65536)
            out += part
            if not part or text.encode() in out:
                break
        else:
            process.kill()
            raise AssertionError(f"{command[0]} neither ended nor echoed: {out.decode(errors='replace')}")
    try:
        process.stdin.close()
    except BrokenPipeError:
        pass
    if process.poll() is None and text.encode() in out:
        process.terminate()
    process.stdout.close()
    process.wait()
    return out.decode(errors="replace")


def alert_in(output):
    """The alert number that a client's words mean, -1: none."""
    found = re.search(r"SSL alert number (\d+)", output) or re.search(r"Received alert \[(\d+)\]", output)
    if found:
        return int(found[1])
    # curl and Python give OpenSSL's words.
    for words, number in (("certificate required", 116), ("certificate expired", 45), ("unknown ca", 48),
                          ("handshake failure", 40), ("bad certificate", 42), ("unsupported certificate", 43),
                          ("unrecognized name", 112), ("decrypt error", 51), ("protocol version", 70)):
        if "alert " + words in output.lower():
            return number
    return -1


def client_context(client=None, version=None):
    """Python's; trusts any server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # Debian's Python takes a connection that was cut off for one that ended.
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if version:
        exact = ssl.TLSVersion.TLSv1_2 if version == "1.2" else ssl.TLSVersion.TLSv1_3
        context.minimum_version = context.maximum_version = exact
    if client is not None:
        context.load_cert_chain(client.chain_file, client.key_file)
    return context


class Tls:
    """A client of Python's ssl, in this process: for connections that are held open while something happens."""

    def __init__(self, address, name, client=None, version=None, source=None, patience=None, context=None, session=None):
        """`context` stands for client and version; `session` is one of its own, to be resumed."""
        if context is None:
            context = client_context(client, version)
            self.adjust(context)
        if address.startswith("unix:"):
            raw = socket.socket(socket.AF_UNIX)
            raw.settimeout(patience or procs.PATIENCE)
            raw.connect(address.removeprefix("unix:"))
            self.local = None
        else:
            host, port = address.rsplit(":", 1)
            source = source or procs.own_source(address)
            raw = socket.create_connection((host.strip("[]"), int(port)), patience or procs.PATIENCE,
                                           (source, 0) if source else None)
            self.local = "%s:%d" % raw.getsockname()[:2]
        try:
            self.socket = context.wrap_socket(raw, server_hostname=name, session=session)
        except BaseException:
            raw.close()
            raise

    def adjust(self, context):
        """For whoever wants another context."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """At once, as a client that is ended does: without close_notify."""
        self.socket.close()

    def finish(self):
        """Orderly: close_notify, and the other side's."""
        self.socket.unwrap().close()

    def ask(self, text=b"ping\n"):
        """Sends, and reads as much back."""
        self.socket.sendall(text)
        got = b""
        while len(got) < len(text):
            part = self.socket.recv(65536)
            if not part:
                break
            got += part
        return got


def python_alert(address, name, client=None, version=None):
    """The words of Python's ssl about a refused connection, "" if it was served."""
    try:
        with Tls(address, name, client, version) as one:
            return "" if one.ask() == b"ping\n" else "closed"
    except (ssl.SSLError, ConnectionError) as e:
        return str(e)
