"""`deny: http`: whoever `verify` refuses reads a status of its class and the id of its handshake, and what it asked for is on record
where the service wants that."""

import json

import pytest

from lib import procs
from lib.httpclient import once
from lib.proxy import service


@pytest.fixture(scope="module")
def proxy(proxies, pki, recorder):
    def one(name, **more):
        return service(name, pki, recorder.address, mode="http", deny="http", **more)
    return proxies(["127.0.0.1:%d" % procs.free_port()], [
        one("none", status={"default": 403, "no_certificate": 401}),
        one("denied", requests="denied"),
        one("all", requests="all", redirect="https://help.example/"),
    ])


def ask(proxy, name, client=None):
    mark = proxy.mark()
    got = once(proxy.config["listeners"][0]["bind"], f"{name}.example", "/secret?token=1", client)
    event, = proxy.since(mark)
    assert event["tlscribe"]["decision"] == "deny" and event["tlscribe"]["denied_by"] == "verify"
    return got, event


def requests_of(proxy, event):
    return [e for e in proxy.events() if e["event"]["action"] in ("request", "request-denied")
            and e["tlscribe"]["connection"] == event["event"]["id"]]


@pytest.mark.parametrize("kind, status", [(None, 401), ("expired", 403), ("self_signed", 403)])
def test_the_class_gives_the_status_and_the_body_the_id_alone(proxy, pki, recorder, kind, status):
    got, event = ask(proxy, "none", pki.client(kind) if kind else None)
    assert got.status == status
    told = json.loads(got.body)
    assert set(told) == {"type", "title", "status", "event_id"}
    assert told["status"] == status and told["event_id"] == event["event"]["id"]
    assert requests_of(proxy, event) == []
    assert recorder.requests == []


@pytest.mark.parametrize("name, status", [("denied", 403), ("all", 302)])
def test_what_was_asked_for_is_on_record(proxy, pki, recorder, name, status):
    got, handshake = ask(proxy, name, pki.client("expired"))
    assert got.status == status
    event, = requests_of(proxy, handshake)
    assert event["event"]["action"] == "request-denied" and event["event"]["outcome"] == "failure"
    assert event["http"]["request"]["method"] == "GET" and event["http"]["response"]["status_code"] == status
    assert event["url"] == {"domain": f"{name}.example", "path": "/secret"}
    assert event["tlscribe"]["denied_by"] == "verify" and event["tlscribe"]["class"] == "expired"
    assert json.loads(got.body)["event_id"] == handshake["event"]["id"]
    assert recorder.requests == []
