"""Real TLS back ends on loopback: nginx, gnutls-serv, openssl s_server, and Python's ssl where a test has to look inside."""

import os
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

from lib import backends, der, pki as pkis, procs


def context(server, version=None, ca=None, tickets=True):
    """Of a server with this identity; `ca`: clients need a certificate of it."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(server.chain_file, server.key_file)
    # Debian's Python takes a connection that was cut off for one that ended.
    made.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if version:
        exact = ssl.TLSVersion.TLSv1_2 if version == "1.2" else ssl.TLSVersion.TLSv1_3
        made.minimum_version = made.maximum_version = exact
    if ca:
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(ca)
    if not tickets:
        made.options |= ssl.OP_NO_TICKET
        made.num_tickets = 0
    return made


class TlsServer(backends.Server):
    """A backends.Server behind TLS. `names` are the server names asked for, `refused` what ended handshakes or, with TLS
    1.3, the session right after them. A handler ends with close_notify unless it is `rude`."""

    def __init__(self, handle, made, rude=False, before=None, address=None):
        self.names, self.refused, self.rude, self.before = [], [], rude, before
        self.context = made
        made.sni_callback = lambda one, name, ctx: self.names.append(name)
        self.plain = handle
        super().__init__(self.tls, address)

    def tls(self, peer, _):
        if self.before is not None:
            self.before(peer, self)
        peer.settimeout(procs.PATIENCE)
        try:
            with self.context.wrap_socket(peer, server_side=True, suppress_ragged_eofs=False) as one:
                self.plain(one, self)
                if not self.rude:
                    goodbye(one)
        except ssl.SSLError as e:
            with self.changed:
                self.refused.append(str(e))
                self.changed.notify_all()

    def wait_refused(self, count=1):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.refused) >= count, procs.PATIENCE), \
                f"refused {self.refused}; saw {self.seen}, faults {self.faults}"
            return list(self.refused)


def goodbye(one):
    """close_notify, without waiting for the other side's."""
    one.settimeout(0)
    try:
        one.unwrap()
    except (ssl.SSLWantReadError, ssl.SSLError, OSError):
        pass


def servers_of(pki):
    """One identity for every way in which a server can be wrong; all for backend.example."""
    name = [(der.DNS, "backend.example")]

    def leaf(label, above, **more):
        more.setdefault("names", name)
        return pki.leaf("backend-" + label, above, purposes=["serverAuth"], **more)

    own, subject = pkis.new_key(), pki.name("backend-self-signed")
    own_extensions = [der.extended_key_usage("serverAuth"), der.alternative_names(*name)]
    return {
        "good": leaf("good", pki.edge),
        "expired": leaf("expired", pki.edge, not_before=pkis.now() - 30 * pkis.DAY, not_after=pkis.now() - 3 * pkis.DAY),
        "self_signed": pkis.Identity(pki.folder, "backend-self-signed", own, [pkis.certificate(
            subject=subject, issuer=subject, key=own, signer=own, extensions=own_extensions)], subject),
        "unknown_issuer": leaf("foreign", pki.tst),
        "wrong_name": leaf("wrong-name", pki.edge, names=[(der.DNS, "somebody-else.example")]),
        "wrong_purpose": pki.leaf("backend-client", pki.edge, purposes=["clientAuth"], names=name),
    }


class Program:
    """A server program, until close()."""

    def __init__(self, folder, name, command, address):
        self.address, self.out = address, Path(folder) / (name + ".out")
        self.log = open(self.out, "wb")
        # s_server ends when its input does.
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=self.log, stderr=self.log)
        procs.wait_for(lambda: procs.listening(address), lambda: f"{command[0]}: {self.text()}")

    def text(self):
        return self.out.read_text(errors="replace")

    def close(self):
        procs.end(self.process)
        self.process.stdin.close()
        self.log.close()


def gnutls_serv(folder, server, ca, version=None, *more):
    """Echoes; wants a client certificate of `ca`."""
    port = procs.free_port()
    command = ["gnutls-serv", "--echo", "--port", str(port), "--x509certfile", str(server.chain_file), "--x509keyfile",
               str(server.key_file), "--x509cafile", str(ca), "--require-client-cert"]
    if version:
        command += ["--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}"]
    return Program(folder, f"gnutls-serv-{port}", command + list(more), f"127.0.0.1:{port}")


def s_server(folder, server, ca=None, version=None, *more):
    """Gives every line back in reverse. With `ca` it wants a client certificate of that."""
    port = procs.free_port()
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", str(server.chain_file), "-key",
               str(server.key_file), "-rev"]
    if len(server.chain) > 1:
        command += ["-cert_chain", str(server.issuers_file)]
    if ca:
        command += ["-Verify", "5", "-CAfile", str(ca), "-verify_return_error"]
    if version:
        command += ["-tls" + version.replace(".", "_")]
    return Program(folder, f"s-server-{port}", command + list(more), f"127.0.0.1:{port}")


class NginxTls:
    """nginx that speaks TLS, wants a client certificate of `ca`, and tells at /who what it saw."""

    def __init__(self, folder, server, ca, version=None):
        self.folder = Path(folder)
        self.root = self.folder / "www"
        self.root.mkdir(parents=True)
        os.chmod(self.root, 0o777)
        self.address = f"127.0.0.1:{procs.free_port()}"
        protocols = f"TLSv{version}" if version else "TLSv1.2 TLSv1.3"
        (self.folder / "nginx.conf").write_text(f"""
{"user root;" if os.geteuid() == 0 else ""}
daemon off;
worker_processes 1;
pid {self.folder}/nginx.pid;
error_log {self.folder}/nginx.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {self.folder}/body;
    proxy_temp_path {self.folder}/t1;
    fastcgi_temp_path {self.folder}/t2;
    uwsgi_temp_path {self.folder}/t3;
    scgi_temp_path {self.folder}/t4;
    client_max_body_size 0;
    server {{
        listen {self.address} ssl;
        ssl_certificate {server.chain_file};
        ssl_certificate_key {server.key_file};
        ssl_protocols {protocols};
        ssl_session_cache shared:all:1m;
        ssl_verify_client on;
        ssl_verify_depth 4;
        ssl_client_certificate {ca};
        root {self.root};
        location / {{ dav_methods PUT DELETE; }}
        location = /who {{ return 200 "$ssl_client_verify|$ssl_client_s_dn|$ssl_server_name|$ssl_protocol|$ssl_session_reused\\n"; }}
    }}
}}
""")
        self.log = open(self.folder / "nginx.out", "wb")
        self.process = subprocess.Popen([shutil.which("nginx") or "/usr/sbin/nginx", "-c", str(self.folder / "nginx.conf"),
                                         "-e", str(self.folder / "nginx.log"), "-p", str(self.folder)],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        procs.wait_for(lambda: procs.listening(self.address), self.why)

    def why(self):
        return "nginx: " + (self.folder / "nginx.out").read_text(errors="replace")

    def close(self):
        procs.end(self.process)
        self.log.close()


def upstream_tls(pki, client=None, name="backend.example", verify=None, ca="root"):
    """An upstream's `tls`; verify None: the default, which is required."""
    made = {}
    if verify:
        made["verify"] = verify
    if ca:
        made["ca"] = [str(getattr(pki, ca).chain_file)]
    if client is not None:
        made["certificate"] = {"chain": str(client.chain_file), "key": str(client.key_file)}
    if name:
        made["server_name"] = name
    return made


def egress_now(proxy, connection=None):
    """The egress handshakes on record; of one connection if its id is given."""
    return [e for e in proxy.events() if e["event"]["action"] == "tls-handshake" and e["network"]["direction"] == "egress"
            and (connection is None or e["tlscribe"].get("connection") == connection)]


def egress(proxy, connection=None, count=1):
    """Waits for `count` of them and gives all there are."""
    def found():
        got = egress_now(proxy, connection)
        return got if len(got) >= count else None
    return procs.wait_for(found, lambda: f"{count} egress handshake(s)\n{proxy.report()}")


def silent_listener():
    """Accepts by its backlog, and never says a word."""
    one = socket.socket()
    one.bind(("127.0.0.1", 0))
    one.listen(64)
    return one, "127.0.0.1:%d" % one.getsockname()[1]
