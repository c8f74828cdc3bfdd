"""A refused client sees the alert of its class, whichever library it is made with; a served one sees its bytes."""

import pytest

from lib import clients, expect, procs
from lib.proxy import service

VERSIONS = ["1.2", "1.3"]
REFUSED = {"expired": "expired", "self_signed": "self_signed", "wrong_purpose": "wrong_purpose",
           "unknown_issuer": "unknown_issuer", "possession_failed": "possession_failed", None: "no_certificate"}


@pytest.fixture(scope="module")
def proxy(proxies, pki, echo, nginx):
    return proxies(["127.0.0.1:%d" % procs.free_port()], [service("strict", pki, echo),
                                                         service("web", pki, nginx.address)])


@pytest.fixture
def address(proxy):
    return proxy.config["listeners"][0]["bind"]


def refused(proxy, mark, name, version):
    events = proxy.since(mark)
    assert len(events) == 1, events
    expect.check(events[0], name, decision="deny", denied_by="verify", version=version)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", [k for k in REFUSED if k != "possession_failed"], ids=str)
def test_openssl(proxy, pki, address, kind, version):
    mark = proxy.mark()
    said = clients.s_client(address, "strict.example", pki.client(kind) if kind else None, version)
    refused(proxy, mark, REFUSED[kind], version)
    assert clients.alert_in(said) == expect.alert(REFUSED[kind], version), said


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", [k for k in REFUSED if k != "possession_failed"], ids=str)
def test_gnutls(proxy, pki, address, kind, version):
    mark = proxy.mark()
    said = clients.gnutls_cli(address, "strict.example", pki.client(kind) if kind else None, version)
    refused(proxy, mark, REFUSED[kind], version)
    assert clients.alert_in(said) == expect.alert(REFUSED[kind], version), said


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", [k for k in REFUSED if k != "possession_failed"], ids=str)
def test_curl(proxy, pki, address, kind, version):
    mark = proxy.mark()
    got = clients.curl(address, "web.example", "/who", client=pki.client(kind) if kind else None, version=version)
    refused(proxy, mark, REFUSED[kind], version)
    said = got.stderr.decode()
    assert got.returncode != 0 and got.stdout == b""
    assert clients.alert_in(said) == expect.alert(REFUSED[kind], version), said


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", [k for k in REFUSED if k != "possession_failed"], ids=str)
def test_python(proxy, pki, address, kind, version):
    mark = proxy.mark()
    said = clients.python_alert(address, "strict.example", pki.client(kind) if kind else None, version)
    refused(proxy, mark, REFUSED[kind], version)
    assert clients.alert_in(said.replace("_", " ")) == expect.alert(REFUSED[kind], version), said


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", REFUSED, ids=str)
def test_go(proxy, pki, address, kind, version):
    seen = clients.probe(address, "strict.example", pki.client(kind) if kind else None, version)
    expect.check(proxy.event_of(seen.local), REFUSED[kind], decision="deny", denied_by="verify", version=version)
    assert seen.alert == expect.alert(REFUSED[kind], version), seen


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["good", "good_rsa"])
def test_all_of_them_are_served(proxy, pki, address, kind, version):
    client = pki.client(kind)
    mark = proxy.mark()
    assert "ping" in clients.s_client(address, "strict.example", client, version)
    assert clients.gnutls_cli(address, "strict.example", client, version).count("ping") == 1
    assert clients.curl(address, "web.example", "/who", client=client, version=version).stdout == b"http web.example\n"
    assert clients.python_alert(address, "strict.example", client, version) == ""
    assert clients.probe(address, "strict.example", client, version).echo
    events = proxy.since(mark, 5)
    assert len(events) == 5
    for event in events:
        expect.check(event, "ok", decision="allow", version=version, verified=True, possession="proven", chain_length=2)
        assert event["user"]["name"]
