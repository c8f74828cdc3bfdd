"""CRL files are followed without a signal; what cannot be read changes nothing; each change is on record before it is in force."""

import hashlib

import pytest

from lib import clients, crl, expect, procs
from lib.proxy import service
from lib.renewal import renewals, wait_renewal


class Place:
    """A proxy whose service `one` is judged by the CRLs in the folder `crls`."""

    def __init__(self, own_proxies, pki, echo, folder, **client):
        self.pki, self.folder = pki, folder / "crls"
        self.folder.mkdir()
        self.good, self.other = pki.client("good"), pki.leaf("crl-again", pki.dev)
        self.file = self.folder / "dev.crl"
        self.write()
        client = {"crl": [self.file], "revocation_scope": "leaf", **client}
        self.proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("one", pki, echo, client=client)])
        self.address = self.proxy.config["listeners"][0]["bind"]

    def write(self, *revoked, **how):
        return crl.put(self.file, crl.pem(crl.crl(self.pki.dev, revoked, **how)))

    def event(self, client=None):
        return self.proxy.event_of(clients.probe(self.address, "one.example", client or self.good).local)

    def verdict(self, client=None):
        return self.event(client)["tlscribe"]["class"]


@pytest.fixture
def place(own_proxies, pki, echo, tmp_path):
    return Place(own_proxies, pki, echo, tmp_path)


def test_one_that_is_renamed_into_place_is_taken(place):
    assert place.verdict() == "ok"
    place.write(place.good)
    wait_renewal(place.proxy, 0)
    expect.check(place.event(), "revoked", decision="deny", denied_by="verify", code=23, depth=0)
    assert place.verdict(place.other) == "ok"
    place.write(place.other)
    wait_renewal(place.proxy, 1)
    assert (place.verdict(), place.verdict(place.other)) == ("ok", "revoked")


def test_one_that_is_written_in_place_is_taken(place):
    place.file.write_bytes(crl.crl(place.pki.dev, [place.good]))
    wait_renewal(place.proxy, 0)
    assert place.verdict() == "revoked"


def test_one_that_is_written_bit_by_bit_is_taken_when_it_is_whole(place):
    """Halves are wrong, and wrong ones change nothing: nobody is judged by less than a whole one."""
    content = crl.pem(crl.crl(place.pki.dev, [place.good]))
    with open(place.file, "wb", buffering=0) as file:
        file.write(content[:200])
        place.proxy.wait_log("the ones of before stay in force")
        assert place.verdict() == "ok" and renewals(place.proxy) == []
        file.write(content[200:])
    wait_renewal(place.proxy, 0)
    assert place.verdict() == "revoked"


def test_a_change_is_on_record_with_an_epoch_of_its_own(place):
    first = place.event()["tlscribe"]["policy"]
    [started] = [e for e in place.proxy.actions("audit.config") if e["tlscribe"]["audit"].get("part", 1) == 1]
    place.write(place.good, place.other, number=2)
    entry = wait_renewal(place.proxy, 0)
    audit, policy = entry["tlscribe"]["audit"], entry["tlscribe"]["policy"]
    assert audit["reason"] == "lists"
    assert policy["epoch"] == started["tlscribe"]["policy"]["epoch"] + 1 == first["epoch"] + 1
    assert policy["sha256"] != first["sha256"]
    [row] = [one for one in audit["files"] if one["kind"] == "crl"]
    assert row["path"] == str(place.file) and row["entries"] == 2
    assert row["sha256"].lower() == hashlib.sha256(place.file.read_bytes()).hexdigest()
    assert row["subject"] == "CN=dev CA,O=Test,C=NL" and row["this_update"] < row["next_update"]
    event = place.event()
    assert event["tlscribe"]["policy"] == policy
    assert entry["event"]["sequence"] < event["event"]["sequence"]
    before = [one for one in started["tlscribe"]["audit"]["files"] if one["kind"] == "crl"]
    assert before[0]["sha256"] != row["sha256"] and before[0]["entries"] == 0


@pytest.mark.parametrize("spoil", ["deleted", "garbage", "empty", "indirect", "unreadable"])
def test_what_cannot_be_read_changes_nothing(place, spoil):
    place.write(place.other)
    wait_renewal(place.proxy, 0)
    size = len(place.proxy.log())
    if spoil == "deleted":
        place.file.unlink()
    elif spoil == "unreadable":
        # A folder that is no CRL: permissions stop nobody who is root.
        place.file.unlink()
        place.file.mkdir()
    else:
        crl.put(place.file, {"garbage": b"\x30\x82garbage", "empty": b"",
                             "indirect": crl.crl(place.pki.dev, extensions=[crl.indirect()])}[spoil])
    place.proxy.wait_log(f"{place.file}.*", size)
    place.proxy.wait_log("the ones of before stay in force", size)
    assert (place.verdict(), place.verdict(place.other)) == ("ok", "revoked")
    assert len(renewals(place.proxy)) == 1
    if spoil == "unreadable":
        place.file.rmdir()
    # What comes then is taken as ever.
    place.write(place.good)
    wait_renewal(place.proxy, 1)
    assert (place.verdict(), place.verdict(place.other)) == ("revoked", "ok")


def test_the_same_content_again_is_no_change(own_proxies, pki, echo, tmp_path):
    """A garbled file of another service is looked at with it: once that is told of, both were."""
    files = [crl.put(tmp_path / name, crl.crl(pki.dev)) for name in ("a.crl", "b.crl")]
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()],
                        [service(name, pki, echo, client={"crl": [file], "revocation_scope": "leaf"})
                         for name, file in zip("ab", files)])
    crl.put(files[1], b"garbled")
    crl.put(files[0], files[0].read_bytes())
    proxy.wait_log("the ones of before stay in force")
    crl.put(files[1], crl.crl(pki.dev, [pki.client("good")]))
    entry = wait_renewal(proxy, 0)
    assert entry["tlscribe"]["policy"]["epoch"] == 2, "there was one in between"
    assert entry["tlscribe"]["audit"]["files"][-1]["entries"] == 1


def test_files_of_a_folder_come_and_go(own_proxies, pki, echo, tmp_path):
    place = Place(own_proxies, pki, echo, tmp_path, crl=[tmp_path / "crls"])
    extra = crl.put(place.folder / "extra.crl", crl.crl(pki.dev, [place.good]))
    wait_renewal(place.proxy, 0)
    assert place.verdict() == "revoked"
    extra.unlink()
    wait_renewal(place.proxy, 1)
    assert place.verdict() == "ok"


def test_another_service_is_not_held_up_by_a_bad_file(own_proxies, pki, echo, tmp_path):
    """Each service has lists of its own: what is wrong with one's keeps nobody else's from being taken."""
    client = pki.client("good")
    files = [tmp_path / "a.crl", tmp_path / "b.crl"]
    for file in files:
        crl.put(file, crl.crl(pki.dev))
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()],
                        [service(name, pki, echo, client={"crl": [file], "revocation_scope": "leaf"})
                         for name, file in zip("ab", files)])
    address = proxy.config["listeners"][0]["bind"]
    files[0].unlink()
    crl.put(files[1], crl.crl(pki.dev, [client]))
    wait_renewal(proxy, 0)
    for name, cls in (("a", "ok"), ("b", "revoked")):
        assert proxy.event_of(clients.probe(address, f"{name}.example", client).local)["tlscribe"]["class"] == cls


def test_who_is_connected_and_revoked_is_out(own_proxies, pki, echo, tmp_path):
    place = Place(own_proxies, pki, echo, tmp_path)
    with clients.Tls(place.address, "one.example", place.good) as live, clients.Tls(place.address, "one.example", place.other) as other:
        assert live.ask() == other.ask() == b"ping\n"
        handshake = place.proxy.event_of(live.local)
        place.write(place.good)
        [event] = place.proxy.wait_action("connection-revoked")
        assert event["tlscribe"]["connection"] == handshake["event"]["id"]
        assert event["tlscribe"]["class"] == "revoked" and event["event"]["code"] == "23"
        assert event["tlscribe"]["policy"]["epoch"] == 2
        with pytest.raises(OSError, match="(?i)revoked"):
            assert live.ask() == b""
            raise OSError("ended without saying that it is revoked")
        assert other.ask() == b"ping\n"
    assert len(place.proxy.actions("connection-revoked")) == 1


def test_a_reload_reads_them_too(place):
    place.write(place.good)
    place.proxy.reload(labels={"again": "yes"})
    procs.wait_for(lambda: place.verdict() == "revoked", "the reload")
    assert "reload" in [e["tlscribe"]["audit"]["reason"] for e in place.proxy.actions("audit.config")]


def test_a_reload_with_a_bad_one_is_refused(place):
    place.file.unlink()
    size = len(place.proxy.log())
    place.proxy.reload(labels={"again": "yes"})
    place.proxy.wait_log(f"{place.proxy.config_file}:\\d+:\\d+: CRL {place.file}", size)
    assert place.verdict() == "ok"
    assert all(e["tlscribe"]["audit"]["reason"] != "reload" for e in place.proxy.actions("audit.config"))
