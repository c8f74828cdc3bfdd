"""All presets of identity headers in one service: each header of the table arrives once, and together they fit into what servers take."""

import re

import pytest

from lib import der, procs
from lib.httpclient import once
from lib.proxy import CHECKOUT, service

TABLE = (CHECKOUT / "src" / "http" / "identity.def").read_text()
PRESETS = re.findall(r'^PRESET\(\w+, "([^"]+)"', TABLE, re.MULTILINE)
HEADERS = re.findall(r'^HEADER\(\w+, "([^"]+)",', TABLE, re.MULTILINE)


@pytest.fixture(scope="module")
def proxy(proxies, pki, recorder):
    return proxies(["127.0.0.1:%d" % procs.free_port()],
                   [service("all", pki, recorder.address, "passthrough", mode="http", identity_headers=PRESETS)])


def ask(proxy, recorder, client):
    recorder.forget()
    mark = proxy.mark()
    got = once(proxy.config["listeners"][0]["bind"], "all.example", "/", client)
    assert got.status == 200, got.head
    request = recorder.wait_request()
    recorder.check()
    event, = proxy.since(mark)
    return request, event


@pytest.mark.parametrize("kind", ["good", "good_rsa", "expired"])
def test_each_header_arrives_once(proxy, recorder, pki, kind):
    request, event = ask(proxy, recorder, pki.client(kind))
    for name in HEADERS:
        assert len(request.values(name)) == 1, f"{name}: {request.values(name)}"
        assert request.value(name) != ""
    assert "headers" not in event["tlscribe"]
    # What Node.js and a haproxy with its defaults take of a head.
    assert len(request.head) < 16 * 1024 - 1024


def test_what_does_not_fit_is_told_by_name(proxy, recorder, pki):
    long = pki.leaf("side-by-side-long", pki.dev, subject=der.name((der.COUNTRY, "NL"), (der.CN, "n" * 9000)))
    request, event = ask(proxy, recorder, long)
    missing = [name for name in HEADERS if name not in request]
    assert len(missing) > 8
    omitted = event["tlscribe"]["headers"]["omitted"]
    assert set(missing) <= set(omitted)
    # Of the others a part can be missing, and only one that the certificate has.
    assert {one.partition(": ")[0] for one in omitted} <= set(HEADERS)
    assert "X-Forwarded-Client-Cert: URI" not in omitted and "X-Forwarded-Client-Cert: DNS" not in omitted
    assert request.value("X-SSL-Verified") == "1" and request.value("azion-ssl-client-verify") == "SUCCESS"
