"""Identity headers of clients: every name of every preset, every new and custom name of any service and the event id's, in every
shape in which one could be smuggled, on every kind of listener, with and without verification. None may reach the back end."""

import socket

import pytest

import identity_decode as decode
from lib import procs, proxy_protocol
from lib.httpclient import Http, chunks
from lib.proxy import service

EVIL = "forged-by-the-client"
# Of the configuration below: renamed, custom, and ids.
OTHERS = ["X-Cert", "X-Partner", "X-Trace", "X-TLS-Event-Id"]
NAMES = decode.NAMES + OTHERS


@pytest.fixture(scope="module")
def binds(folder):
    return {"ipv4": "127.0.0.1:%d" % procs.free_port(), "ipv6": "[::1]:%d" % procs.free_port(socket.AF_INET6),
            "unix": f"unix:{folder}/spoof.sock", "announced": "127.0.0.1:%d" % procs.free_port()}


@pytest.fixture(scope="module")
def proxy(proxies, pki, recorder, binds):
    def one(name, verify, **more):
        return service(name, pki, recorder.address, verify, mode="http", **more)
    services = [
        one("open", "none"),
        one("open-all", "none", identity_headers=["rfc9440", "x-ssl", "xfcc", "nginx", "azure", "akamai", "traefik"]),
        one("asked", "optional", identity_headers=["x-ssl", "nginx"]),
        one("strict", "required", identity_headers=["rfc9440", "x-ssl", "xfcc", "nginx", "azure", "akamai", "traefik"]),
        one("renamed", "passthrough", identity_headers=[{"preset": "azure", "names": {"X-ARR-ClientCert": "X-Cert"}}, "azion"],
            headers={"X-Partner": "{tls.client.x509.subject.common_name}"}, event_id_header="X-Trace"),
    ]
    listeners = {kind: {"bind": bind} for kind, bind in binds.items()}
    listeners["announced"]["proxy_protocol"] = ["127.0.0.0/8"]
    return proxies(list(listeners.values()), services)


class AnnouncedHttp(Http):
    """A client of a balancer that sends a PROXY header first."""

    def __init__(self, address, name, client=None):
        raw = proxy_protocol.Announced(address, proxy_protocol.v2(("192.0.2.9", 4711), ("198.51.100.1", 443)))
        raw.tls(name, client)
        self.socket, self.local = raw.socket, None
        self.begin()


def cgi(name):
    return name.upper().replace("-", "_")


def mixed(name):
    return "".join(c.upper() if i % 2 else c.lower() for i, c in enumerate(name)).replace("-", "_", 1)


def lines(names, text="{name}: {value}\r\n"):
    return "".join(text.format(name=name, value=EVIL) for name in names)


def get(host, fields="", target="/", rest=""):
    return f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n{rest}"


def bodied(host, fields, trailer):
    return f"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n{fields}\r\n" + \
        chunks(b"body", trailer=trailer).decode()


SHAPES = {
    "as it is": lambda host, names: get(host, lines(names)),
    "lower case": lambda host, names: get(host, lines(map(str.lower, names))),
    "upper case": lambda host, names: get(host, lines(map(str.upper, names))),
    "underscores": lambda host, names: get(host, lines(map(cgi, names))),
    "mixed": lambda host, names: get(host, lines(map(mixed, names))),
    "twice": lambda host, names: get(host, lines(names) + lines(map(cgi, names))),
    "white space": lambda host, names: get(host, lines(names, "{name}: \t {value} \t \r\n")),
    "no white space": lambda host, names: get(host, lines(names, "{name}:{value}\r\n")),
    "empty, and again": lambda host, names: get(host, lines(names, "{name}:\r\n{name}: {value}\r\n")),
    "named by Connection": lambda host, names: get(host, f"Connection: {', '.join(names)}\r\n" + lines(names)),
    "named by Connection, folded": lambda host, names: get(host, f"Connection: {','.join(map(cgi, names))}\r\n" + lines(names)),
    "named by Connection alone": lambda host, names: get(host, f"Connection: keep-alive, {', '.join(names)}\r\n"),
    "absolute-form": lambda host, names: get(host, lines(names), target=f"https://{host}/"),
    "in trailers": lambda host, names: bodied(host, "", lines(names)),
    "in trailers, announced": lambda host, names: bodied(host, f"Trailer: {', '.join(names)}\r\n", lines(map(mixed, names))),
    "pipelined": lambda host, names: get(host) + get(host, lines(names)),
    "behind a body": lambda host, names:
        f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 4\r\n\r\nbody" + get(host, lines(map(cgi, names))),
}
REFUSED = {
    "space before the colon": lambda host, names: get(host, lines(names, "{name} : {value}\r\n")),
    "folded": lambda host, names: get(host, lines(names, "X-Innocent: a\r\n {name}: {value}\r\n")),
    "behind a bare CR": lambda host, names: get(host, lines(names, "X-Innocent: a\r{name}: {value}\r\n")),
    "behind a bare LF": lambda host, names: get(host, lines(names, "X-Innocent: a\n{name}: {value}\r\n")),
    "behind NUL": lambda host, names: get(host, lines(names, "X-Innocent: a\0{name}: {value}\r\n")),
}
SERVICES = {"open": None, "open-all": None, "asked": None, "strict": "good", "renamed": "good"}
# Both lists of names fit into the 100 fields of a request in two parts.
PARTS = [NAMES[::2], NAMES[1::2]]


def genuine(name, recorder, event_id):
    """What our own headers of this service look like, for every request that arrived."""
    for request in recorder.requests:
        for field, _ in request.fields:
            assert len(request.values(field)) == 1 or field.lower() == "via", f"{field} stands there twice: {request.head!r}"
        assert request.value("X-Trace" if name == "renamed" else "X-TLS-Event-Id") == event_id
        if name in ("open-all", "asked"):
            assert request.value("X-SSL-Verified") == "0" and request.value("X-SSL-Client-DN") == ""
            assert request.value("ssl-client-verify") == "NONE" and "ssl-client-cert" not in request
        if name == "strict":
            assert request.value("X-SSL-Verified") == "1" and request.value("ssl-client-verify") == "SUCCESS"
            assert request.value("Client-Cert-Verified") == "?1;class=ok"
        if name == "renamed":
            assert request.value("X-Client-Certificate-Verified") == "SUCCESS"
            assert request.value("X-Partner") == "good" and request.value("X-Cert")
        if name == "open":
            assert [f for f, _ in request.fields if f in NAMES and f != "X-TLS-Event-Id"] == []


def send(proxy, recorder, pki, binds, listener, name, raw, answers):
    recorder.forget()
    mark = proxy.mark()
    kind = SERVICES[name]
    make = AnnouncedHttp if listener == "announced" else Http
    with make(binds[listener], f"{name}.example", pki.client(kind) if kind else None) as one:
        one.send_what_is_taken(raw.encode())
        got = [one.response().status for _ in range(answers)]
    event, = proxy.since(mark)
    assert EVIL.encode() not in recorder.raw(), recorder.raw().decode("latin-1")
    recorder.check()
    return got, event["event"]["id"]


@pytest.mark.parametrize("kind", ["ipv4", "ipv6", "unix", "announced"])
@pytest.mark.parametrize("name", SERVICES)
def test_no_shape_of_any_name_reaches_the_back_end(proxy, recorder, pki, binds, name, kind):
    faults = []
    for shape, make in SHAPES.items():
        for part in PARTS:
            raw = make(f"{name}.example", part)
            answers = 2 if shape in ("pipelined", "behind a body") else 1
            try:
                got, event_id = send(proxy, recorder, pki, binds, kind, name, raw, answers)
                assert got == [200] * answers, f"answered {got}"
                assert len(recorder.requests) == answers
                genuine(name, recorder, event_id)
                for request in recorder.requests:
                    assert not request.trailers, request.trailers
            except AssertionError as e:
                faults.append(f"{shape}: {e}")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("shape", REFUSED)
def test_shapes_that_no_message_may_have_are_refused(proxy, recorder, pki, binds, name, shape):
    for part in PARTS:
        got, _ = send(proxy, recorder, pki, binds, "ipv4", name, REFUSED[shape](f"{name}.example", part), 1)
        assert got == [400], got
        assert recorder.requests == []


def test_innocent_headers_arrive(proxy, recorder, binds):
    """Names that only look like ours are nobody's: deleting them would break back ends."""
    innocent = ["X-SSL-Verif", "X-SSL-Verifyy", "Client-Certs", "X-SSL", "ssl-client", "X-Partners", "X_Innocent", "Client-Cer"]
    recorder.forget()
    with Http(binds["ipv4"], "open.example") as one:
        one.send(get("open.example", lines(innocent)))
        assert one.response().status == 200
    request = recorder.wait_request()
    for name in innocent:
        assert request.value(name) == EVIL, request.head


def test_trailers_that_are_innocent_do_not_bring_others_along(proxy, recorder, binds):
    recorder.forget()
    with Http(binds["ipv4"], "open.example") as one:
        one.send(bodied("open.example", "Trailer: X-Checksum\r\n", "X-Checksum: 1\r\nX_SSL_Verified: " + EVIL + "\r\n"))
        assert one.response().status == 200
    request = recorder.wait_request()
    assert request.body == b"body" and EVIL.encode() not in recorder.raw()
    assert [f for f, _ in request.trailers if f != "X-Checksum"] == []
