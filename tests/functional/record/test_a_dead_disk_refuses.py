"""When the journal cannot be written, nobody gets in; when it can be again, everything goes on, and the gap is on record."""

import ssl

import pytest

from lib import clients, expect, procs
from lib.fault import Injection
from lib.proxy import service


def served(address, pki):
    try:
        with clients.Tls(address, "one.example", pki.client("good")) as one:
            return one.ask() == b"ping\n"
    except (ssl.SSLError, OSError):
        return False


@pytest.mark.parametrize("record", ["before-traffic", "async"])
@pytest.mark.parametrize("fault", ["fdatasync,fsync,pwrite64,pwritev:error=EIO", "fdatasync,fsync:error=EIO",
                                   "pwrite64,pwritev,openat:error=ENOSPC"],
                         ids=["nothing-works", "sync-fails", "disk-full"])
def test_refused_until_it_works_again(own_proxies, pki, echo, tmp_path, fault, record):
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("one", pki, echo)], journal={"record": record},
                        timeouts={"park": "1s"})
    address = proxy.config["listeners"][0]["bind"]
    assert served(address, pki)
    with clients.Tls(address, "one.example", pki.client("good")) as old:
        assert old.ask() == b"ping\n"
        with Injection(proxy.pid, fault, tmp_path):
            # The first ones may be those by which the fault is noticed.
            first = [clients.probe(address, "one.example", pki.client("good")) for _ in range(3)]
            later = [clients.probe(address, "one.example", pki.client("good")) for _ in range(3)]
            if record == "before-traffic":
                assert not any(seen.echo or seen.received for seen in first + later)
            assert not any(seen.handshake or seen.wire_read for seen in later), "refused before any crypto"
            # What was let in and recorded earlier is not cut off.
            assert old.ask(b"still\n") == b"still\n"
        procs.wait_for(lambda: served(address, pki), lambda: f"a served client\n{proxy.report()}", pause=0.2)
    gaps = proxy.wait_action("audit.gap")
    assert gaps
    # Whoever saw an application byte is on record, and the log has no holes (verified at the end of the test, too).
    for seen in first + later:
        if seen.echo:
            expect.check(proxy.event_of(seen.local), "ok", decision="allow", verified=True)


def test_one_bad_sync_costs_nothing(own_proxies, pki, echo, tmp_path):
    """The file is given up, the batch goes to a new one, and the client is served."""
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("one", pki, echo)])
    address = proxy.config["listeners"][0]["bind"]
    with Injection(proxy.pid, "fdatasync:error=EIO:when=1", tmp_path) as fault:
        seen = clients.probe(address, "one.example", pki.client("good"))
        assert seen.echo, proxy.report()
        assert fault.hits() >= 1
        for _ in range(3):
            assert served(address, pki)
    assert len(proxy.handshakes()) == 4
