"""A ticket that is not good here leads to a full handshake, in which the client proves its key anew; and many never get one."""

import pytest

from lib import backends, clients, expect, hello, live, procs, sessions
from lib.fault import Injection
from lib.proxy import service

ON = {"tls": {"resumption": "on"}}


@pytest.fixture
def stage(own_proxies, pki, echo, tmp_path):
    def make(*args, **more):
        return live.Stage(own_proxies, pki, echo, tmp_path, *args, **{**ON, **more})
    return make


def is_full(at, seen, name="ok", decision="allow"):
    """Its event is that of any full handshake."""
    event = at.proxy.event_of(seen.local)
    assert seen.resumed is False and event["tls"]["resumed"] is False
    denied = decision == "deny"
    expect.check(event, name, decision=decision, denied_by="verify" if denied else None, verified=name == "ok",
                 possession="proven", version="1.3")
    assert seen.echo is not denied
    return event


# who gets none

def test_nobody_without_the_option(own_proxies, pki, echo, tmp_path):
    at = live.Stage(own_proxies, pki, echo, tmp_path)
    client = sessions.Python(at.address, pki.client("good"))
    seen = client.visit()
    assert seen.echo and seen.session is None
    with sessions.Go(at.address, pki.client("good")) as other:
        assert [other.visit().tickets for _ in range(2)] == [0, 0]
    assert "Reuse" not in sessions.Openssl(at.address, tmp_path, pki.client("good")).visit()


def test_no_client_of_tls12(stage, pki, tmp_path):
    at = stage()
    seen = sessions.Python(at.address, pki.client("good"), "1.2").visit()
    assert seen.echo and seen.session is None
    with sessions.Go(at.address, pki.client("good"), max="1.2") as client:
        first, second = client.visit(), client.visit()
    assert (first.version, first.tickets, second.offered, second.resumed) == ("1.2", 0, False, False)
    # By the id of its session neither.
    said = sessions.Openssl(at.address, tmp_path, pki.client("good"), "1.2").visit("one", "-sess_out", str(tmp_path / "12"))
    assert "TLS session ticket:" not in said
    said = sessions.Openssl(at.address, tmp_path, pki.client("good"), "1.2").visit("one", "-sess_in", str(tmp_path / "12"))
    assert "New, TLSv1.2" in said and "ping" in said, said


@pytest.mark.parametrize("kind", ["expired", "self_signed", "unknown_issuer", None], ids=str)
def test_nobody_who_is_denied(stage, pki, kind):
    at = stage()
    with sessions.Go(at.address, pki.client(kind) if kind else None) as client:
        first, second = client.visit(), client.visit()
    for seen in (first, second):
        assert (seen.tickets, seen.offered, seen.resumed, seen.echo) == (0, False, False, False)
        assert at.proxy.event_of(seen.local)["tlscribe"]["decision"] == "deny"


def test_nobody_who_is_told_so_over_http(own_proxies, pki, echo, tmp_path):
    at = live.Stage(own_proxies, pki, echo, tmp_path, mode="http", deny="http", **ON)
    client = sessions.Python(at.address, pki.client("expired"))
    with live.HeldHttp(at.address, "one.example", context=client.context) as one:
        assert one.ask().status == 403
        assert not one.socket.session.has_ticket
    good = sessions.Python(at.address, pki.client("good"))
    with live.HeldHttp(at.address, "one.example", context=good.context) as one:
        assert one.ask().status != 403
        assert one.socket.session.has_ticket


def test_nobody_in_the_quarantine(stage, pki):
    ward = backends.Server(backends.echo)
    at = stage(quarantine={"servers": [ward.address]})
    try:
        with sessions.Go(at.address, pki.client("expired")) as client:
            first, second = client.visit(), client.visit()
        assert (first.echo, first.tickets, second.resumed) == (True, 0, False)
        assert at.proxy.event_of(second.local)["tlscribe"]["decision"] == "quarantine"
        with sessions.Go(at.address, pki.client("good")) as client:
            assert client.visit().tickets == 1
    finally:
        ward.close()


def test_no_ticket_before_its_handshake_is_on_record(stage, pki, tmp_path):
    """It is given to those who were let in, and nobody is before that."""
    at = stage()
    with Injection(at.proxy.pid, "fdatasync:delay_enter=1500000", tmp_path):
        with clients.Tls(at.address, "one.example", pki.client("good")) as one:
            one.socket.settimeout(0.05)
            while at.proxy.mark() == 0:
                assert not one.socket.session or not one.socket.session.has_ticket
                with pytest.raises(TimeoutError):
                    one.socket.recv(1)
            one.socket.settimeout(procs.PATIENCE)
            assert one.ask() == b"ping\n"
            assert one.socket.session.has_ticket


# which are not good

def test_one_of_another_service(own_proxies, pki, echo, tmp_path):
    """Its client is good there, and nobody here. The ticket does not say who it is; the full handshake does."""
    theirs = service("two", pki, echo, ca="other", **ON)
    at = live.Stage(own_proxies, pki, echo, tmp_path, more=[theirs], **ON)
    with sessions.Go(at.address, pki.client("good"), by_name=False) as client:
        first, second = client.visit("one"), client.visit("two")
    is_full(at, first)
    event = is_full(at, second, "unknown_issuer", "deny")
    assert second.offered and second.alert == 48 and event["service"]["name"] == "two"
    with sessions.Go(at.address, pki.client("unknown_issuer"), by_name=False) as client:
        first, second = client.visit("two"), client.visit("one")
    is_full(at, first)
    is_full(at, second, "unknown_issuer", "deny")


def test_one_of_a_service_on_another_listener(own_proxies, pki, echo):
    """The same name, strict here and open there (optional): an anonymous ticket opens nothing."""
    here, there = ("127.0.0.1:%d" % procs.free_port() for _ in range(2))
    strict, open_ = service("strict", pki, echo, names=["one.example"], **ON), \
        service("open", pki, echo, "optional", names=["one.example"], **ON)
    proxy = own_proxies([{"bind": here, "services": ["strict"]}, {"bind": there, "services": ["open"]}], [strict, open_])
    client = sessions.Python(there)
    session = client.session()
    client.address = here
    seen = client.visit(session=session)
    assert seen.resumed is False and seen.alert == 116
    expect.check(proxy.event_of(seen.local), "no_certificate", decision="deny", denied_by="verify", version="1.3")


@pytest.mark.parametrize("what", ["nothing", "ca", "ca and back", "tolerate"])
def test_one_from_before_a_reload(stage, pki, what):
    at = stage()
    client = sessions.Python(at.address, pki.client("good"))
    session = client.session()
    if what.startswith("ca"):
        at.reload(at.service(ca=[pki.other.chain_file]))
    elif what == "tolerate":
        at.reload(at.service(tolerate=["expired"]))
    if what != "ca" and what != "tolerate":
        at.reload(at.service())
    seen = client.visit(session=session)
    if what == "ca":
        is_full(at, seen, "unknown_issuer", "deny")
        assert seen.alert == 48
    else:
        event = is_full(at, seen)
        assert client.visit(session=seen.session).resumed, "its new one is good"
        assert event["tlscribe"]["policy"]["epoch"] == (3 if what == "ca and back" else 2)


def test_one_from_before_a_restart(stage, pki):
    at = stage()
    client = sessions.Python(at.address, pki.client("good"))
    session = client.session()
    assert at.proxy.stop() == 0
    at.proxy.start()
    is_full(at, client.visit(session=session))


def test_one_of_another_process(own_proxies, pki, echo, tmp_path):
    """The same configuration twice: keys are made anew, and are nowhere to be read."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = (live.Stage(own_proxies, pki, echo, tmp_path / name, **ON) for name in "ab")
    client = sessions.Python(first.address, pki.client("good"))
    session = client.session()
    client.address = second.address
    is_full(second, client.visit(session=session))


def test_one_that_was_tampered_with(stage, pki, tmp_path):
    """Any byte of it: name of the key, nonce, what is sealed, and the seal."""
    at = stage()
    client = sessions.Openssl(at.address, tmp_path, pki.client("good"))
    client.full()
    text = client.file.read_text()
    ticket = sessions.Stored(text).ticket
    assert len(ticket) > 100
    places = sorted({0, 15, 16, 31, 32, 33, len(ticket) // 2, len(ticket) - 33, len(ticket) - 32, len(ticket) - 1})
    for place in places:
        mark = at.proxy.mark()
        changed = sessions.Stored(text)
        changed.put_ticket(ticket[:place] + bytes([ticket[place] ^ 1]) + ticket[place + 1:])
        client.file.write_text(changed.pem())
        said = client.again()
        assert "New, TLSv1.3" in said and "ping" in said, f"byte {place} of {len(ticket)}: {said}"
        event = at.proxy.since(mark)[0]
        assert event["tls"]["resumed"] is False
        expect.check(event, "ok", decision="allow", verified=True, possession="proven", version="1.3")
    client.file.write_text(text)
    assert "Reused, TLSv1.3" in client.again(), "the one that was not"


@pytest.mark.parametrize("ticket", [b"", b"\0", b"x" * 79, bytes(300), b"\xff" * 30000], ids=lambda t: str(len(t)))
def test_what_was_never_one(stage, pki, tmp_path, ticket):
    at = stage()
    client = sessions.Openssl(at.address, tmp_path, pki.client("good"))
    client.full()
    changed = sessions.Stored(client.file.read_text())
    changed.put_ticket(ticket)
    client.file.write_text(changed.pem())
    mark = at.proxy.mark()
    said = client.again()
    event = at.proxy.since(mark)[0]
    assert "ping" in said and event["tls"]["resumed"] is False
    expect.check(event, "ok", decision="allow", verified=True, possession="proven", version="1.3")


def test_a_ticket_without_its_secret(stage, pki, tmp_path):
    """Whoever saw a ticket on its way has not seen the secret that goes with it: RFC 8446 4.2.11.2, the binder is wrong."""
    at = stage()
    client = sessions.Openssl(at.address, tmp_path, pki.client("good"))
    client.full()
    stolen = sessions.Stored(client.file.read_text())
    # Version, protocol, cipher, session id, and then the master key.
    tag, start, end = sessions.read_tlv(stolen.parts[4], 0)
    assert tag == 4 and end - start == 32
    stolen.parts[4] = stolen.parts[4][:start] + bytes(32)
    client.file.write_text(stolen.pem())
    mark = at.proxy.mark()
    said = client.again()
    assert "ping" not in said and clients.alert_in(said) in (47, 51), said
    event = at.proxy.since(mark)[0]
    assert event["tlscribe"]["decision"] == "deny" and event["tls"].get("resumed") is not True
    assert "subject" not in event["tls"]["client"], "nothing of the one whose ticket it was"
    expect.check(event, "protocol_error", decision="deny", denied_by="handshake", sent=event["tlscribe"]["alert"]["sent"])


def test_early_data_is_not_taken(stage, pki, tmp_path):
    """RFC 8446 2.3: it could be sent again by anybody. No ticket allows it, and who sends it all the same is not heard."""
    at = stage()
    def handle(peer, server):
        while got := peer.recv(65536):
            server.note(got)
            peer.sendall(got)
    heard = backends.Server(handle)
    at.upstream = heard.address
    at.reload(at.service())
    try:
        client = sessions.Openssl(at.address, tmp_path, pki.client("good"))
        client.full()
        assert sessions.Stored(client.file.read_text()).find(sessions.Stored.MAX_EARLY_DATA) is None
        (tmp_path / "early").write_bytes(b"EARLY\n" * 10)
        mark = at.proxy.mark()
        said = client.again("one", "-early_data", str(tmp_path / "early"))
        assert "Early data was not sent" in said and "Reused" in said, said
        forged = sessions.Stored(client.file.read_text())
        forged.put(sessions.Stored.MAX_EARLY_DATA, sessions.der.integer(16384))
        client.file.write_text(forged.pem())
        said = client.again("one", "-early_data", str(tmp_path / "early"))
        assert "Early data was rejected" in said and "ping" in said, said
        assert len(at.proxy.since(mark, 2)) == 2
        assert b"".join(heard.seen) == b"ping\nping\nping\n"
    finally:
        heard.close()


def test_a_ticket_is_not_taken_with_a_psk_mode_that_has_no_key_exchange(stage, pki):
    """RFC 8446 4.2.9: with psk_ke alone there is no forward secrecy. GnuTLS itself offers it where it is told to."""
    at = stage()
    host, port = at.address.rsplit(":", 1)
    good = pki.client("good")
    mark = at.proxy.mark()
    said = clients.talk(["gnutls-cli", "--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-X25519", "--insecure",
                         "--resume", "--port", port, "--sni-hostname", "one.example", "--x509certfile", str(good.chain_file),
                         "--x509keyfile", str(good.key_file), host], "ping\n")
    assert "This is a resumed session" in said
    assert at.proxy.since(mark, 2)[1]["tls"]["curve"] == "x25519", "a key exchange of its own"
    with hello.Wire(at.address) as wire:
        psk = hello.extension(41, hello.vector(2, hello.vector(2, b"t" * 100) + bytes(4)) + hello.vector(2, hello.vector(1, bytes(32))))
        plain = hello.client_hello("one.example")
        modes = hello.extension(45, b"\x01\x01")
        assert plain.count(modes) == 1
        body = plain[4:].replace(modes, hello.extension(45, b"\x01\x00"))
        at_extensions = 2 + 32 + 33 + 2 + len(hello.words(hello.SUITES_13 + hello.SUITES_12)) + 2
        extensions = body[at_extensions + 2:] + psk
        message = body[:at_extensions] + hello.vector(2, extensions)
        wire.send(hello.record(b"\x01" + hello.vector(3, message)))
        kind, content = wire.record()
        # Either way no session is resumed: a ServerHello without pre_shared_key, or an alert.
        if kind == hello.HANDSHAKE:
            assert content[0] == 2 and b"\x00\x29\x00\x02" not in content
        else:
            assert kind == hello.ALERT
    event = at.proxy.event_of(wire.local)
    assert event["tls"].get("resumed") is not True and event["tls"]["established"] is False


def test_a_client_that_had_to_try_again_gets_none(stage, pki, tmp_path):
    """Its first group was not one of ours; RFC 8446 4.1.4. It is served all the same, each time in full."""
    at = stage()
    client = sessions.Openssl(at.address, tmp_path, pki.client("good"))
    said = client.visit("one", "-groups", "P-521:X25519", "-msg", "-sess_out", str(client.file))
    assert said.count(", ClientHello") == 2 and "ping" in said
    assert not client.file.exists()
    said = client.visit("one", "-groups", "X25519", "-msg", "-sess_out", str(client.file))
    assert said.count(", ClientHello") == 1 and "ping" in said
    assert client.file.exists()
