"""A CRL of half a million certificates costs 16 bytes an entry, once for all who name it, and is as quick as a small one."""

import pytest

from lib import clients, crl, der, procs
from lib.pki import now
from lib.proxy import sanitized, service
from lib.renewal import wait_renewal

ENTRIES = 500_000
FIRST = 0x10000000
MIB = 1 << 20
SERVICES = ["one", "two", "three", "four"]


@pytest.fixture(scope="module")
def large(pki):
    """The first, a middle and the last serial number of it belong to clients."""
    serials = [FIRST + 3 * number for number in range(ENTRIES)]
    revoked = [pki.leaf(f"crl-large-{index}", pki.dev, serial=serials[index]) for index in (0, ENTRIES // 2, -1)]
    near = pki.leaf("crl-large-near", pki.dev, serial=serials[ENTRIES // 2] + 1)
    return crl.crl(pki.dev, entries=crl.entries_of(serials)), revoked, near


@pytest.mark.parametrize("form", ["der", "pem"])
def test_it_is_taken_while_clients_are_served(own_proxies, pki, echo, tmp_path, large, form):
    content, revoked, near = large
    assert len(content) > 10 * MIB
    file = crl.put(tmp_path / "dev.crl", crl.crl(pki.dev))
    client = {"crl": [file], "revocation_scope": "leaf"}
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service(name, pki, echo, client=client) for name in SERVICES])
    address = proxy.config["listeners"][0]["bind"]

    def verdict(client, name="one"):
        return proxy.event_of(clients.probe(address, f"{name}.example", client).local)["tlscribe"]["class"]

    assert verdict(revoked[0]) == "ok"
    before = procs.rss(proxy.pid)
    crl.put(file, content if form == "der" else crl.pem(content))
    entry = wait_renewal(proxy, 0)
    rows = [row for row in entry["tlscribe"]["audit"]["files"] if row["kind"] == "crl"]
    assert [row["entries"] for row in rows] == [ENTRIES] * len(rows) and rows
    for client in revoked:
        assert verdict(client) == "revoked"
    assert verdict(near) == verdict(pki.client("good")) == "ok"
    for name in SERVICES:
        assert verdict(revoked[1], name) == "revoked"
    if not sanitized():
        grown = procs.rss(proxy.pid) - before
        assert grown < 16 * MIB, f"{grown / MIB:.1f} MiB for {ENTRIES} entries"


def test_what_was_large_is_given_back(own_proxies, pki, echo, tmp_path, large):
    """Taking one large list after the other does not pile up."""
    content, revoked, _ = large
    file = crl.put(tmp_path / "dev.crl", content)
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()],
                        [service("one", pki, echo, client={"crl": [file], "revocation_scope": "leaf"})])
    first = procs.rss(proxy.pid)
    for round_ in range(3):
        crl.put(file, crl.crl(pki.dev, number=round_, entries=crl.entries_of(range(FIRST, FIRST + ENTRIES - round_))))
        wait_renewal(proxy, round_)
    seen = clients.probe(proxy.config["listeners"][0]["bind"], "one.example", revoked[0])
    assert proxy.event_of(seen.local)["tlscribe"]["class"] == "revoked"
    if not sanitized():
        grown = procs.rss(proxy.pid) - first
        assert grown < 12 * MIB, f"{grown / MIB:.1f} MiB more after three lists of the same size"


def test_one_that_is_larger_than_anybody_needs_is_refused(own_proxies, pki, echo, tmp_path):
    """The bound is 256 MiB; the file is sparse, so that it costs nothing here."""
    file = crl.put(tmp_path / "dev.crl", crl.crl(pki.dev))
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()],
                        [service("one", pki, echo, client={"crl": [file], "revocation_scope": "leaf"})])
    before = procs.rss(proxy.pid)
    huge = tmp_path / "huge"
    with open(huge, "wb") as out:
        out.write(der.sequence(der.time(now())))
        out.truncate(257 * MIB)
    huge.rename(file)
    proxy.wait_log(f"{file}: it is too large")
    proxy.wait_log("the ones of before stay in force")
    assert clients.probe(proxy.config["listeners"][0]["bind"], "one.example", pki.client("good")).echo
    assert sanitized() or procs.rss(proxy.pid) - before < 8 * MIB
