"""Upgrade to WebSocket (RFC 6455): a tunnel only behind a 101 that answers this very request; any other upgrade is not passed on."""

import asyncio
import base64
import hashlib
import ssl
import threading

import pytest
import websockets

from lib import procs
from lib.httpclient import Http, request
from lib.proxy import service
from lib.recorder import answer

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": KEY}


def accept(key):
    return base64.b64encode(hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()


def switching(key=KEY, **changes):
    fields = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Accept": accept(key), **changes}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
    return f"HTTP/1.1 101 Switching Protocols\r\n{lines}\r\n".encode()


class Echo:
    """The library's own server in a thread, with its own loop."""

    def __init__(self):
        self.ready = threading.Event()
        self.headers = []
        self.thread = threading.Thread(target=lambda: asyncio.run(self.run()), daemon=True)
        self.thread.start()
        assert self.ready.wait(procs.PATIENCE)

    async def run(self):
        self.loop, self.over = asyncio.get_running_loop(), asyncio.Event()

        async def serve(socket, *_):
            self.headers.append(socket.request_headers)
            async for text in socket:
                await socket.send(text)
        async with websockets.serve(serve, "127.0.0.1", 0, max_size=None) as server:
            self.address = "127.0.0.1:%d" % server.sockets[0].getsockname()[1]
            self.ready.set()
            await self.over.wait()

    def close(self):
        self.loop.call_soon_threadsafe(self.over.set)
        self.thread.join(procs.PATIENCE)


@pytest.fixture(scope="module")
def echo_server():
    one = Echo()
    yield one
    one.close()


@pytest.fixture(scope="module")
def proxy(proxies, pki, recorder, echo_server):
    back = {"servers": [recorder.address], "failures": 1000}
    return proxies(["127.0.0.1:%d" % procs.free_port()],
                   [service("socket", pki, echo_server.address, mode="http", connection_end=True, requests="all"),
                    service("raw", pki, back, "none", mode="http"),
                    service("quick", pki, recorder.address, "none", mode="http")], workers=1)


@pytest.fixture
def address(proxy):
    return proxy.config["listeners"][0]["bind"]


@pytest.fixture
def fresh(recorder):
    recorder.forget()
    yield recorder
    recorder.check()


def test_a_library_s_client_and_server_talk_through_the_proxy(proxy, address, pki, echo_server):
    good = pki.client("good")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(good.chain_file, good.key_file)
    host, port = address.rsplit(":", 1)
    texts = ["hello", "", "x" * 100_000, "y" * 3_000_000]

    async def talk():
        async with websockets.connect("wss://socket.example/chat?room=1", host=host, port=int(port), ssl=context, max_size=None,
                                      compression=None, server_hostname="socket.example",
                                      extra_headers={"X-Forwarded-For": "192.0.2.66"}) as one:
            for text in texts:
                await one.send(text)
                assert await one.recv() == text
            await one.send(b"\0\xff")
            assert await one.recv() == b"\0\xff"
            await (await one.ping())
            for i in range(200):
                await one.send(str(i))
            for i in range(200):
                assert await one.recv() == str(i)
        assert one.close_code == 1000
    asyncio.run(asyncio.wait_for(talk(), procs.PATIENCE * 2))
    seen = echo_server.headers[-1]
    assert seen["X-Forwarded-For"] != "192.0.2.66" and seen["X-TLS-Event-Id"]
    end = proxy.wait_action("connection-end")[-1]
    assert end["tlscribe"]["connection"] == seen["X-TLS-Event-Id"]
    assert end["source"]["bytes"] > 3_100_000 and end["destination"]["bytes"] > 3_100_000
    asked = proxy.wait_action("request")[-1]
    assert asked["http"]["response"]["status_code"] == 101 and asked["url"]["path"] == "/chat"


def test_what_either_side_sends_with_its_head_is_not_lost(address, fresh):
    def script(r):
        r.connection.send(switching() + b"at once")
        got = r.rest
        while len(got) < 8:
            got += r.connection.receive()
        r.connection.send(b"; you said " + got)
        r.connection.peer.shutdown(1)
    fresh.script = script
    with Http(address, "raw.example") as one:
        one.send(request("/", "raw.example", fields=UPGRADE) + b"\x81\x00early!")
        got = one.one()
        assert got.status == 101 and got.value("Connection") == "Upgrade" and got.value("Upgrade") == "websocket"
        assert one.wait_end() == b"at once; you said \x81\x00early!"
        assert one.end == "closed"


def test_a_tunnel_is_held_to_no_timeout_of_requests_and_ends_when_idle(own_proxies, pki, fresh):
    def script(r):
        r.connection.send(switching())
        while True:
            got = r.connection.receive()
            if not got:
                return
            r.connection.send(got)
    fresh.script = script
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()],
                        [service("raw", pki, fresh.address, "none", mode="http", connection_end=True)],
                        timeouts={"header": "1s", "request": "1s", "upstream": "1s", "idle": "3s"})
    with Http(proxy.config["listeners"][0]["bind"], "raw.example") as one:
        one.send(request("/", "raw.example", fields=UPGRADE))
        assert one.one().status == 101
        for i in range(20):
            one.send(b"%04d" % i)
            got = b""
            while len(got) < 4:
                got += one.receive()
            assert got == b"%04d" % i
        assert one.wait_end() == b""
    assert proxy.wait_action("connection-end")[0]["tlscribe"]["close_reason"] == "idle_timeout"


def test_a_101_that_nobody_asked_for_is_no_answer(address, fresh):
    fresh.script = lambda r: switching() + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
    for fields in ({}, {"Upgrade": "websocket"}, {"Connection": "Upgrade"}, {**UPGRADE, "Sec-WebSocket-Version": "8"},
                   {**UPGRADE, "Sec-WebSocket-Key": "short"}, {**UPGRADE, "Upgrade": "websocket, h2c"}, {**UPGRADE, "Upgrade": "h2c"}):
        with Http(address, "raw.example") as one:
            got = one.ask("/", fields=fields)
            assert got.status == 502, fields
            assert b"forged" not in one.raw


@pytest.mark.parametrize("changes", [
    {"Sec-WebSocket-Accept": accept("AAAAAAAAAAAAAAAAAAAAAA==")}, {"Sec-WebSocket-Accept": None},
    {"Sec-WebSocket-Accept": accept(KEY).lower()}, {"Upgrade": None}, {"Upgrade": "h2c"}, {"Connection": None}, {"Connection": "close"}])
def test_a_101_that_does_not_answer_this_request_is_no_answer(address, fresh, changes):
    fresh.script = lambda r: switching(**changes) + b"tunnel"
    with Http(address, "raw.example") as one:
        got = one.ask("/", fields=UPGRADE)
        assert got.status == 502 and b"tunnel" not in one.raw
    # CVE-2021-39293 and its kin: what the client took for a tunnel must not be one to another request.
    fresh.script = lambda r: answer("served")
    with Http(address, "raw.example") as one:
        assert one.ask("/").body == b"served"
    assert fresh.requests[0].connection is not fresh.requests[-1].connection


def test_a_refused_upgrade_leaves_a_connection_of_requests(address, fresh):
    fresh.script = lambda r: answer("not here", "400 Bad Request") if "Upgrade" in r else answer(r.target)
    with Http(address, "raw.example") as one:
        one.send(request("/", "raw.example", fields=UPGRADE) + request("/next", "raw.example"))
        assert one.one().status == 400
        assert one.one().body == b"/next"


@pytest.mark.parametrize("fields,method,body", [
    ({"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"}, "GET", None),
    ({"Connection": "Upgrade", "Upgrade": "TLS/1.0"}, "OPTIONS", None),
    ({"Connection": "Upgrade", "Upgrade": "h2c, websocket"}, "GET", None),
    (UPGRADE, "POST", b"body"), (UPGRADE, "POST", None), (UPGRADE, "GET", b"body"),
    ({**UPGRADE, "Sec-WebSocket-Key": ""}, "GET", None), ({**UPGRADE, "Sec-WebSocket-Version": "12"}, "GET", None)])
def test_any_other_upgrade_is_a_request_without_one(address, fresh, fields, method, body):
    """h2c behind a proxy that passes it on is a way around every rule of the proxy."""
    fresh.script = lambda r: answer(r.target)
    with Http(address, "raw.example") as one:
        assert one.ask("/", method=method, body=body, fields=fields).body == b"/"
    got = fresh.requests[-1]
    assert "Upgrade" not in got and "Connection" not in got and "HTTP2-Settings" not in got
    assert got.body == (body or b"")


def test_the_upgrade_of_an_http_1_0_client_is_ignored(address, fresh):
    fresh.script = lambda r: answer(r.target)
    with Http(address, "raw.example") as one:
        one.send(request("/", "raw.example", fields=UPGRADE, version="1.0"))
        assert one.response().status == 200
    assert "Upgrade" not in fresh.requests[-1]
