"""A responder that is slow, silent or down costs one handshake its patience, and nobody else anything."""

import json
import signal
import socket
import subprocess

import pytest

from lib import backends, clients, expect, ocsp, procs
from lib.proxy import service
from lib.web import Web

PATH = "/ocsp"


class Place:
    """One worker with the services `hard`, `soft` and `quick` (like `hard`, without patience), who ask the same responder, and
    `plain`, who asks nobody."""

    def __init__(self, own_proxies, pki, echo, folder, url=None, timeout="9s", start=True):
        self.pki, self.web = pki, Web()
        self.responder = ocsp.Responder(folder / "ocsp", pki.dev)
        self.good, self.other = pki.client("good"), pki.client_cached("trouble-other")
        self.responder.good(self.good, self.other)
        self.web.pages[PATH] = self.responder.page
        url = url or self.web.url(PATH)

        def asks(mode, patience):
            return {"ocsp": {"mode": mode, "responder": url, "timeout": patience}}
        self.proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [
            service("hard", pki, echo, client=asks("hard", timeout)), service("soft", pki, echo, client=asks("soft", timeout)),
            service("quick", pki, echo, client=asks("hard", "50ms")), service("plain", pki, echo)], workers=1)
        self.address = self.proxy.config["listeners"][0]["bind"]

    def event(self, name="hard", client=None, version="1.3"):
        seen = clients.probe(self.address, f"{name}.example", client or self.good, version)
        event = self.proxy.event_of(seen.local)
        assert seen.echo is (event["tlscribe"]["decision"] == "allow")
        return event

    def verdict(self, name="hard", client=None):
        return self.event(name, client)["tlscribe"]["class"]

    def begin(self, name="hard", client=None):
        """A client that may have to wait."""
        command = clients.probe_command(self.address, f"{name}.example", client or self.good, payload="ping\n",
                                        source=procs.own_source(self.address))
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def finish(self, waiting):
        seen = json.loads(waiting.communicate(timeout=procs.PATIENCE)[0])
        return seen, self.proxy.event_of(seen["local"])


@pytest.fixture
def place(own_proxies, pki, echo, tmp_path):
    one = Place(own_proxies, pki, echo, tmp_path)
    yield one
    one.web.close()


def unknown(event, detail):
    expect.check(event, "revocation_unknown", decision="deny", denied_by="verify", code=3, depth=0)
    assert event["tlscribe"]["findings"] == [{"class": "revocation_unknown", "depth": 0, "detail": detail}]
    assert event["tlscribe"]["revocation"] == {"status": "unknown"}


def test_while_one_waits_the_others_are_served(place):
    """All on one worker: nothing waits but the handshake itself, and it gets in when the answer comes."""
    place.web.hold()
    waiting = place.begin()
    place.web.wait(PATH)
    for version in ("1.2", "1.3"):
        expect.check(place.event("plain", version=version), "ok", decision="allow", verified=True)
    assert place.verdict("hard", place.pki.client("expired")) == "expired"
    assert waiting.poll() is None
    assert {e["service"]["name"] for e in place.proxy.handshakes() if e["tlscribe"]["class"] == "ok"} == {"plain"}
    place.web.release()
    seen, event = place.finish(waiting)
    assert seen["echo"]
    expect.check(event, "ok", decision="allow", verified=True)


def test_many_who_wait_for_the_same_word_ask_once(place):
    place.web.hold()
    waiting = [place.begin(name) for name in ("hard", "soft") * 4]
    place.web.wait(PATH)
    # The eighth has said all it can when eight connections are open and nothing else is to come.
    procs.wait_for(lambda: established(place.address) >= 8, "eight connections")
    place.web.release()
    for one in waiting:
        assert place.finish(one)[0]["echo"]
    assert place.web.count(PATH) == 1


def established(address):
    """Connections of clients to this address."""
    port = "%04X" % int(address.rsplit(":", 1)[1])
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return sum(1 for row in rows if row[1].endswith(":" + port) and row[3] == "01")


def test_a_handshake_waits_its_time_and_no_longer(place):
    """The responder is silent until the end of the test: what ends here was ended by the timeout."""
    place.web.hold()
    unknown(place.event("quick"), "the OCSP responder did not answer in time")
    # Nobody else waits for what one has waited for in vain.
    unknown(place.event("hard"), "the OCSP responder did not answer in time")
    event = place.event("soft")
    expect.check(event, "ok", decision="allow", verified=True)
    assert event["tlscribe"]["revocation"] == {"status": "unknown"}
    assert place.web.count(PATH) == 1


def test_an_answer_that_comes_too_late_is_there_for_the_next(place):
    place.web.hold()
    assert place.verdict("quick") == "revocation_unknown"
    place.web.release()
    procs.wait_for(lambda: place.verdict() == "ok", place.proxy.report)
    assert place.web.count(PATH) == 1


def test_a_responder_that_is_down_is_asked_again_when_it_is_up(place):
    place.web.stop()
    event = place.event()
    expect.check(event, "revocation_unknown", decision="deny", denied_by="verify", code=3, depth=0)
    assert event["tlscribe"]["revocation"] == {"status": "unknown"}
    expect.check(place.event("soft"), "ok", decision="allow", verified=True)
    place.web.start()
    procs.wait_for(lambda: place.verdict() == "ok", place.proxy.report, pause=0.25)
    assert place.event()["tlscribe"]["revocation"]["source"] == "ocsp"
    assert place.web.count(PATH) == 1


def test_one_that_fails_often_is_left_alone_for_a_while(place):
    """Then handshakes cost no patience at all, until it answers."""
    strangers = [place.pki.client_cached(f"trouble-{number}") for number in range(4)]
    place.web.stop()
    for one in strangers[:3]:
        assert place.verdict("hard", one) == "revocation_unknown"
    place.proxy.wait_log(f"OCSP responder {place.web.url(PATH)} failed 3 times in a row")
    unknown(place.event("hard", strangers[3]), "the OCSP responder failed several times in a row")
    place.web.start()
    procs.wait_for(lambda: place.verdict() == "ok", place.proxy.report, pause=0.25)
    place.proxy.wait_log(f"OCSP responder {place.web.url(PATH)} answers again")


@pytest.mark.parametrize("how", ["silent", "closes", "resets", "drips"])
def test_a_broken_server_is_no_answer(own_proxies, pki, echo, tmp_path, how):
    def behave(peer, server):
        server.note(peer.recv(65536))
        if how == "silent":
            while peer.recv(65536):
                pass
        elif how == "resets":
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        elif how == "drips":
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n\x30")
            while peer.recv(65536):
                pass
    server = backends.Server(behave)
    place = Place(own_proxies, pki, echo, tmp_path, url=f"http://{server.address}/", timeout="200ms")
    try:
        assert place.verdict() == "revocation_unknown"
        assert place.verdict("soft") == "ok"
        assert len(server.wait_note()) == 1
        assert place.verdict("plain") == "ok"
    finally:
        server.close()
        place.web.close()


def test_a_client_that_goes_while_it_waits_leaves_one_event(place):
    place.web.hold()
    waiting = place.begin()
    place.web.wait(PATH)
    waiting.kill()
    waiting.communicate()
    place.web.release()
    # Its answer is known by now, or will be: nobody is asked again.
    procs.wait_for(lambda: place.verdict() == "ok", place.proxy.report)
    events = [e for e in place.proxy.handshakes() if e["service"]["name"] == "hard"]
    assert len([e for e in events if e["event"]["outcome"] == "success"]) >= 1
    assert len({e["event"]["id"] for e in events}) == len(events)
    procs.wait_for(lambda: established(place.address) == 0, "the end of all connections")
    assert place.web.count(PATH) == 1


def test_a_stop_does_not_wait_for_a_responder(place):
    """The second signal ends at once who waits; the responder is silent for as long as the test runs."""
    place.web.hold()
    with clients.Tls(place.address, "hard.example", place.good, "1.3"):
        place.web.wait(PATH)
        place.proxy.send_signal(signal.SIGTERM)
        procs.wait_for(lambda: not procs.listening(place.address), place.proxy.report)
        assert place.proxy.handshakes() == []
        place.proxy.send_signal(signal.SIGTERM)
        assert place.proxy.process.wait(procs.PATIENCE) == 0
        place.proxy.process = None
    [event] = place.proxy.handshakes()
    expect.check(event, "shutdown", decision="deny", denied_by="shutdown", sent=event["tlscribe"].get("alert", {}).get("sent"))


def test_who_is_denied_while_the_answer_is_on_its_way_is_out(place):
    """By a reload, when the handshake has been judged but for the answer."""
    denied = place.proxy.folder / "denied"
    denied.write_text(place.good.sha256 + "\n")
    place.web.hold()
    with clients.Tls(place.address, "hard.example", place.good, "1.3") as client:
        place.web.wait(PATH)
        services = place.proxy.config["services"]
        for one in services:
            one["client"]["deny"] = [denied]
        place.proxy.reload(services=services)
        # A class and no more: a connection that came just before may be ended before it was served.
        procs.wait_for(lambda: place.proxy.event_of(clients.probe(place.address, "plain.example", place.good).local)
                       ["tlscribe"]["class"] == "denylisted", place.proxy.report)
        place.web.release()
        event = handshake = place.proxy.event_of(client.local)
        if event["tlscribe"]["class"] == "ok":
            # Judged by the policy it came in with, and by the new one right after.
            event, = place.proxy.wait_action("connection-revoked",
                                             where=lambda e: e["tlscribe"]["connection"] == handshake["event"]["id"])
        assert event["tlscribe"]["class"] == "denylisted"
        with pytest.raises(OSError):
            while client.ask():
                pass
            raise OSError("ended without a word")
