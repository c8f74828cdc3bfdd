"""tls.resumption: on. A client that comes back resumes its session with the certificate of the first handshake, and that is judged again
each time, by what is in force then."""

import pytest

from lib import backends, clients, expect, live, procs, proxy_protocol as pp, sessions
from lib.httpclient import Http
from lib.proxy import service
from lib.recorder import Recorder

ON = {"tls": {"resumption": "on"}}


@pytest.fixture
def stage(own_proxies, pki, echo, tmp_path):
    def make(*args, **more):
        return live.Stage(own_proxies, pki, more.pop("upstream", echo), tmp_path, *args, **{**ON, **more})
    return make


SAME = ("subject", "issuer", "hash", "x509", "not_before", "not_after")


def resumed(at, local, first, name="ok", decision="allow", denied_by=None, possession="proven"):
    """The event of a resumed handshake: of the same client as the first one, and by a verdict of its own."""
    event = at.proxy.event_of(local)
    expect.check(event, name, decision=decision, denied_by=denied_by, version="1.3", mode=at.verify, service="one",
                 possession=possession, chain_length=len(at.pki.client("good").chain), verified=name == "ok")
    assert event["tls"]["resumed"] is True and first["tls"]["resumed"] is False
    for key in SAME:
        assert event["tls"]["client"][key] == first["tls"]["client"][key], key
    for key in ("chain_sha256", "chain_length", "presented", "possession"):
        assert event["tlscribe"]["evidence"][key] == first["tlscribe"]["evidence"][key], key
    assert event["tlscribe"]["spki_sha256"] == first["tlscribe"]["spki_sha256"]
    assert event["event"]["id"] != first["event"]["id"]
    return event


def test_python(stage, pki):
    at = stage()
    client = sessions.Python(at.address, pki.client("good"))
    first = client.visit()
    event = at.proxy.event_of(first.local)
    assert first.echo and first.session.has_ticket and not first.resumed
    again = client.visit(session=first.session)
    assert again.echo and again.resumed
    found = resumed(at, again.local, event)
    assert found["tlscribe"]["path"] == event["tlscribe"]["path"] and found["user"] == event["user"]
    assert again.session is None, "what a ticket proves gets no better: a resumed session has no other"
    assert 0 < first.session.ticket_lifetime_hint <= 7200


def test_openssl(stage, pki, tmp_path):
    at = stage()
    client = sessions.Openssl(at.address, tmp_path, pki.client("good"))
    mark = at.proxy.mark()
    assert int(clients.re.search(r"ticket lifetime hint: (\d+)", client.full())[1]) <= 7200
    said = client.again()
    assert "Reused, TLSv1.3" in said and "ping" in said
    first, second = at.proxy.since(mark, 2)
    resumed(at, f"{second['source']['ip']}:{second['source']['port']}", first)


def test_go(stage, pki):
    at = stage()
    with sessions.Go(at.address, pki.client("good")) as client:
        first, second, third = client.visit(), client.visit(), client.visit()
    assert [one.resumed for one in (first, second, third)] == [False, True, True]
    assert [one.tickets for one in (first, second, third)] == [1, 0, 0]
    event = at.proxy.event_of(first.local)
    for one in (second, third):
        assert one.echo
        resumed(at, one.local, event)


def test_gnutls(stage, pki):
    """--resume: connects, comes back, and then talks."""
    at = stage()
    mark = at.proxy.mark()
    said = clients.gnutls_cli(at.address, "one.example", pki.client("good"), "1.3", "ping\n", "--resume", "--waitresumption")
    assert "This is a resumed session" in said and "ping" in said, said
    events = at.proxy.since(mark, 2)
    assert [e["tls"]["resumed"] for e in events] == [False, True]
    resumed(at, f"{events[1]['source']['ip']}:{events[1]['source']['port']}", events[0])


def test_a_session_is_resumed_again_and_again(stage, pki):
    """A ticket is used once by clients that care (RFC 8446 C.4); whoever does not is judged each time."""
    at = stage(lists=["deny"])
    client = sessions.Python(at.address, pki.client("good"))
    first = client.visit()
    event = at.proxy.event_of(first.local)
    for _ in range(5):
        again = client.visit(session=first.session)
        assert again.resumed and again.echo
        resumed(at, again.local, event)


def test_back_ends_are_told_the_same_in_headers(stage, pki):
    back = Recorder()
    at = stage(upstream=back.address, mode="http", identity_headers=["rfc9440", "x-ssl", "xfcc"],
               headers={"X-Partner": "{tls.client.x509.subject.common_name}"})
    try:
        client = sessions.Python(at.address, pki.client("good"))
        local, session = [], None
        for _ in range(2):
            with Http(at.address, "one.example", context=client.context, session=session) as one:
                assert one.socket.session_reused is (session is not None)
                assert one.ask().status == 200
                session = one.socket.session
                local.append(one.local)
                one.end_side(wait=True)
        first, second = ({name.lower(): value for name, value in request.fields} for request in back.requests)
        told = [name for name in first if name.startswith(("client-cert", "x-ssl", "x-forwarded-client", "x-partner"))]
        assert len(told) > 5
        assert {name: first[name] for name in told} == {name: second[name] for name in told}
        events = [at.proxy.event_of(one) for one in local]
        assert [e["event"]["id"] for e in events] == [one["x-tls-event-id"] for one in (first, second)]
        resumed(at, local[1], events[0])
    finally:
        back.close()


def test_back_ends_are_told_the_same_in_a_proxy_header(stage, pki):
    """2.2.6 of proxy-protocol.txt: the certificate is of the session, and was not shown on this connection."""
    back = backends.Server(lambda peer, server: (server.note(pp.receive(peer)), backends.echo(peer, server)))
    at = stage(upstream={"servers": [back.address], "proxy_protocol": "v2"})
    try:
        client = sessions.Python(at.address, pki.client("good"))
        assert client.visit(session=client.session()).resumed
        first, second = back.wait_note(2)
        assert first.client == pp.CLIENT_SSL | pp.CLIENT_CERT_CONN | pp.CLIENT_CERT_SESS
        assert second.client == pp.CLIENT_SSL | pp.CLIENT_CERT_SESS
        assert first.verify == second.verify == 0
        ours = {pp.SSL_SIG_ALG, pp.SSL_KEY_ALG}  # of the certificate that we showed, and in a resumed handshake we show none
        assert set(first.tls) - set(second.tls) == ours
        assert {kind: value for kind, value in first.tls.items() if kind not in ours} == second.tls
        assert second.tls[pp.SSL_CLIENT_CERT] == pki.client("good").chain[0]
    finally:
        back.close()


CHANGES = {"write_deny": (49, "denylisted"), "write_crl": (44, "revoked"), "write_allow": (49, "not_allowlisted")}


@pytest.mark.parametrize("change", CHANGES)
def test_lists_are_asked_again(stage, pki, change):
    """They change beside the policy, so the ticket is still good; its client is not."""
    at = stage(lists=["deny", "crl", "allow"])
    client = sessions.Python(at.address, pki.client("good"))
    first = client.visit()
    event = at.proxy.event_of(first.local)
    getattr(at, change)(*([pki.client("good_rsa")] if change == "write_allow" else [pki.client("good")]))
    live.wait_lists(at.proxy, 0)
    again = client.visit(session=first.session)
    alert, name = CHANGES[change]
    assert again.resumed and not again.echo and again.alert == alert
    found = resumed(at, again.local, event, name, "deny", "verify")
    assert found["tlscribe"]["alert"]["sent"] == alert
    assert found["tlscribe"]["policy"]["epoch"] == 2


def test_dates_are_looked_at_again(stage, pki):
    at = stage()
    over = live.now() + live.timedelta(seconds=5)
    client = sessions.Python(at.address, live.short_lived(pki, "resumed-brief", 4))
    first = client.visit()
    event = at.proxy.event_of(first.local)
    assert event["tlscribe"]["class"] == "ok"
    procs.wait_for(lambda: live.now() >= over, "the end of the certificate")
    again = client.visit(session=first.session)
    assert again.resumed and again.alert == 45 and not again.echo
    resumed(at, again.local, event, "expired", "deny", "verify")


def test_a_resumed_connection_is_judged_on_while_it_lives(stage, pki):
    at = stage(lists=["deny"])
    client = sessions.Python(at.address, pki.client("good"))
    session = client.session()
    with live.Held(at.address, "one.example", context=client.context, session=session) as one:
        assert one.socket.session_reused and one.ask() == b"ping\n"
        one.handshake = at.proxy.event_of(one.local)
        one.id = one.handshake["event"]["id"]
        at.write_deny(pki.client("good"))
        one.ended(49)
        at.revoked(one, "denylisted", "list")


def test_who_is_tolerated_is_tolerated_again_and_no_longer(stage, pki):
    """A ticket of somebody who was let in with a fault says no more than that."""
    until = (live.now() + live.timedelta(seconds=5)).replace(microsecond=0)
    at = stage(client={"tolerate": [{"class": "expired", "until": until.strftime("%Y-%m-%dT%H:%M:%SZ")}]})
    client = sessions.Python(at.address, pki.client("expired"))
    session = client.session()
    again = client.visit(session=session)
    assert again.resumed and again.echo
    assert at.proxy.event_of(again.local)["tlscribe"]["decision"] == "allow_tolerated"
    procs.wait_for(lambda: live.now() >= until, "the end of the tolerance")
    late = client.visit(session=session)
    assert late.resumed and late.alert == 45
    expect.check(at.proxy.event_of(late.local), "expired", decision="deny", denied_by="verify", version="1.3", verified=False)


@pytest.mark.parametrize("verify", ["optional", "none", "passthrough"])
def test_the_anonymous_come_back_anonymous(stage, pki, verify):
    """With the certificate of a verified client at hand: it is neither asked for in a resumed handshake nor ever believed."""
    at = stage(verify)
    anonymous, named = sessions.Python(at.address), sessions.Python(at.address, pki.client("good"))
    session = anonymous.session()
    named.visit()
    for client in (anonymous, anonymous):
        again = client.visit(session=session)
        event = at.proxy.event_of(again.local)
        assert again.resumed and again.echo
        name = "not_requested" if verify == "none" else "no_certificate"
        expect.check(event, name, decision="allow_anonymous", version="1.3", chain_length=0)
        assert "user" not in event and "subject" not in event["tls"]["client"]


def test_an_anonymous_session_gains_no_identity(stage, pki, tmp_path):
    """openssl comes back with the session of somebody who showed nothing, and with a certificate to show: nobody asks for it."""
    at = stage("optional")
    sessions.Openssl(at.address, tmp_path).full()
    mark = at.proxy.mark()
    assert "Reused, TLSv1.3" in sessions.Openssl(at.address, tmp_path, pki.client("good")).again()
    event = at.proxy.since(mark)[0]
    expect.check(event, "no_certificate", decision="allow_anonymous", version="1.3", chain_length=0)


def test_an_identity_is_not_left_behind(stage, pki, tmp_path):
    """The other way round: who comes back without its certificate is who it was, for that is whose session it is."""
    at = stage("optional")
    sessions.Openssl(at.address, tmp_path, pki.client("good")).full()
    first = at.proxy.since(0)[0]
    mark = at.proxy.mark()
    assert "Reused, TLSv1.3" in sessions.Openssl(at.address, tmp_path).again()
    event = at.proxy.since(mark)[0]
    resumed(at, f"{event['source']['ip']}:{event['source']['port']}", first)


def test_names_of_one_service_share_sessions(own_proxies, pki, echo):
    """They share all rules. Another service has rules of its own, and so its own key of tickets."""
    both = service("one", pki, echo, names=["one.example", "also.example"], **ON)
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [both, service("two", pki, echo, **ON)])
    with sessions.Go(proxy.config["listeners"][0]["bind"], pki.client("good"), by_name=False) as client:
        seen = [client.visit(name) for name in ("one", "also", "one", "two")]
    assert [one.resumed for one in seen] == [False, True, True, False] and all(one.echo for one in seen)
    assert [one.offered for one in seen] == [False, True, True, True]
    events = [proxy.event_of(one.local) for one in seen]
    assert [e["service"]["name"] for e in events] == ["one", "one", "one", "two"]
    assert [e["tls"]["client"]["server_name"] for e in events] == [f"{n}.example" for n in ("one", "also", "one", "two")]
    for event in events:
        expect.check(event, "ok", decision="allow", verified=True, possession="proven", version="1.3")
