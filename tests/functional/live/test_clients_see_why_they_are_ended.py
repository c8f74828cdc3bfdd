"""A connection that ends because of what its certificate is now ends with the alert of that, whichever library the client is made
with; `alert: generic` tells it nothing, and the record all."""

import json
import subprocess

import pytest

from lib import clients, live, procs
from lib.recorder import Recorder


@pytest.fixture
def stage(own_proxies, pki, echo, tmp_path):
    def make(**more):
        return live.Stage(own_proxies, pki, more.pop("upstream", echo), tmp_path, lists=["deny", "crl"], **more)
    return make


class Client:
    """A program that sends a line, prints what comes, and ends when the connection does."""

    def __init__(self, at, command, line=b"ping\n"):
        mark = at.proxy.mark()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.process.stdin.write(line)
        self.process.stdin.flush()
        self.handshake = at.proxy.since(mark)[0]
        self.id = self.handshake["event"]["id"]
        assert self.handshake["tlscribe"]["decision"] == "allow"

    def output(self):
        """All of it. Its input stays open: gnutls-cli ends with that."""
        try:
            procs.wait_for(lambda: self.process.poll() is not None, "the client's end")
        finally:
            if self.process.poll() is None:
                self.process.kill()
        return self.process.communicate()[0].decode(errors="replace")


def openssl(at, client, version):
    return ["openssl", "s_client", "-connect", at.address, "-servername", "one.example", "-nocommands", "-ign_eof",
            "-tls" + version.replace(".", "_"), "-cert", str(client.chain_file), "-key", str(client.key_file),
            "-cert_chain", str(client.issuers_file)]


def gnutls(at, client, version):
    host, port = at.address.rsplit(":", 1)
    return ["gnutls-cli", "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}", "--insecure", "--port", port, "--sni-hostname",
            "one.example", "--x509certfile", str(client.chain_file), "--x509keyfile", str(client.key_file), host]


def go(at, client, version):
    return clients.probe_command(at.address, "one.example", client, version, payload="ping\n", to_end=True, timeout="60s")


def seen(make, output):
    return json.loads(output)["alert"] if make is go else clients.alert_in(output)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("make", [openssl, gnutls, go])
@pytest.mark.parametrize("change, alert, name", [("write_deny", 49, "denylisted"), ("write_crl", 44, "revoked")],
                         ids=["denied", "revoked"])
def test_by_class(stage, pki, make, version, change, alert, name):
    at = stage()
    one = Client(at, make(at, pki.client("good"), version))
    getattr(at, change)(pki.client("good"))
    output = one.output()
    assert seen(make, output) == alert, output
    at.revoked(one, name, "list")
    assert at.end_of(one) == "revoked"


@pytest.mark.parametrize("make", [openssl, gnutls, go])
def test_generic(stage, pki, make):
    at = stage(client={"alert": "generic"})
    one = Client(at, make(at, pki.client("good"), "1.3"))
    at.write_deny(pki.client("good"))
    output = one.output()
    assert seen(make, output) == 40, output
    at.revoked(one, "denylisted", "list")


def test_curl_does_not_take_half_an_answer_for_all_of_it(stage, pki):
    """It waits for the rest of an answer; what it prints last is that it was denied."""
    back = Recorder(lambda r: b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500)
    at = stage(upstream=back.address, mode="http")
    good = pki.client("good")
    try:
        command = ["curl", "--silent", "--show-error", "--insecure", "--http1.1", "--max-time", "60", "--resolve",
                   f"one.example:{at.address.rsplit(':', 1)[1]}:127.0.0.1", "--cert", str(good.chain_file), "--key",
                   str(good.key_file), f"https://one.example:{at.address.rsplit(':', 1)[1]}/"]
        one = Client(at, command, b"")
        back.wait_request()
        at.write_deny(good)
        output = one.output()
        assert one.process.returncode != 0 and "alert access denied" in output.lower(), output
        at.revoked(one, "denylisted", "list")
    finally:
        back.close()
