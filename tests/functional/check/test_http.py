"""`tlscribe check` of services in mode http: what contradicts itself is refused at its place, what is whole is taken."""

import json

import pytest

from lib.proxy import service
from lib.site import Site

BACK_END = "127.0.0.1:9000"


@pytest.fixture
def site(tmp_path, pki):
    return Site(tmp_path, [service("a", pki, BACK_END, "optional", mode="http")])


@pytest.fixture
def full(site, pki):
    """Every part of mode http, together."""
    tls = {"ca": [pki.root.chain_file], "server_name": "backend.example",
           "certificate": {"chain": pki.server.chain_file, "key": pki.server.key_file}}
    site.config["listeners"][0]["proxy_protocol"] = ["127.0.0.0/8"]
    site.config["limits"] = {"request_line": "4KiB", "head": "16KiB", "head_fields": 64}
    site.config["timeouts"] = {"header": "5s", "request": "5s", "upstream": "5s"}
    site.config["services"][0].update({
        "deny": "http", "status": {"default": 403, "no_certificate": 401}, "sni_host": "exact",
        "upstream": {"servers": [{"address": BACK_END, "weight": 2}, {"address": "unix:/run/b.sock", "backup": True}],
                     "balance": "least-connections", "proxy_protocol": "v2", "tls": tls, "host": "b.example",
                     "check": {"path": "/healthz", "expect": "200-299"}},
        "quarantine": {"servers": [BACK_END], "tls": {"verify": "none"}},
        "routes": [{"path": "/admin/", "require": "verified", "upstream": {"servers": [BACK_END], "tls": tls}},
                   {"exact": "/status", "host": "a.example"}],
        "identity_headers": ["rfc9440", {"preset": "x-ssl", "absent": "empty", "only": ["X-SSL-Verify"],
                                         "names": {"X-SSL-Verify": "X-Code"}}],
        "headers": {"X-Partner": "{tls.client.x509.subject.common_name}",
                    "X-Claimed": {"value": "{tls.client.x509.subject.common_name}", "unverified": True}},
        "event_id_header": "X-Id", "forwarded": "rfc7239", "requests": "all", "request_query": True,
        "body_limit": "1GiB"})
    return site


def test_every_part_of_mode_http_is_told_to_people(full):
    got = full.check()
    assert (got.returncode, got.stderr) == (0, "")
    _, told = got.stdout.split("    resumption off\n")
    assert told == """
    upstream   127.0.0.1:9000 (weight 2), unix:/run/b.sock (backup); TLS, verified as backend.example, with our certificate; \
PROXY v2; Host b.example; checked by /healthz
    quarantine 127.0.0.1:9000; TLS, not verified
    route      /admin/..., verified clients alone: 127.0.0.1:9000; TLS, verified as backend.example, with our certificate
    route      a.example/status: the upstream
    headers    rfc9440, x-ssl (only X-SSL-Verify) (X-SSL-Verify is X-Code), X-Partner, X-Claimed (also unverified), X-Id
    sni host   exact
    denials    no_certificate 401, else 403
    requests   all recorded
  any other name, or none: refused
""".lstrip("\n")


def test_every_part_of_mode_http_is_told_to_programs(full):
    got = full.check("--json")
    assert (got.returncode, got.stderr) == (0, "")
    said = json.loads(got.stdout)
    assert said["valid"] is True
    [name] = said["listeners"][0]["names"]
    tls = {"verify": "required", "server_name": "backend.example", "certificate": True}
    assert name["mode"] == "http"
    assert name["upstream"] == {
        "servers": [{"address": BACK_END, "weight": 2, "backup": False},
                    {"address": "unix:/run/b.sock", "weight": 1, "backup": True}],
        "tls": tls, "proxy_protocol": "v2", "host": "b.example", "check": "/healthz"}
    assert name["quarantine"]["tls"] == {"verify": "none", "server_name": None, "certificate": False}
    closed, status = name["routes"]
    assert (closed["path"], closed["require"], closed["upstream"]["tls"]) == ("/admin/", "verified", tls)
    assert status == {"host": "a.example", "path": None, "exact": "/status", "rewrite": None, "require": "nothing",
                      "upstream": None}
    assert name["identity_headers"] == [{"preset": "rfc9440", "only": [], "names": {}},
                                        {"preset": "x-ssl", "only": ["X-SSL-Verify"], "names": {"X-SSL-Verify": "X-Code"}}]
    assert name["headers"]["X-Claimed"] == {"value": "{tls.client.x509.subject.common_name}", "unverified": True}
    assert (name["event_id_header"], name["sni_host"], name["requests"]) == ("X-Id", "exact", "all")
    assert (name["deny"], name["status"], name["redirect"]) == ("http", {"default": 403, "no_certificate": 401}, None)


@pytest.mark.parametrize("option, value", [
    ("status", {"default": 404}), ("redirect", "https://help.example/"), ("sni_host", "exact"),
    ("routes", [{"path": "/x", "require": "verified"}]), ("identity_headers", ["rfc9440"]), ("headers", {"X-A": "b"}),
    ("event_id_header", "X-Id"), ("forwarded", "none"), ("requests", "all"), ("request_query", True),
    ("body_limit", "1MiB"),
])
def test_options_of_mode_http_are_refused_beside_mode_tcp(site, option, value):
    site.config["services"][0]["mode"] = "tcp"
    site.config["services"][0][option] = value
    site.refused(option, rf"{option} needs mode: http, and this is mode: tcp")


def test_a_denial_over_http_is_refused_beside_mode_tcp(site):
    site.config["services"][0].update({"mode": "tcp", "deny": "http"})
    site.refused("http", r"deny: http needs mode: http, and this is mode: tcp")


def test_a_closed_route_that_nobody_could_pass_is_refused(site):
    site.config["services"][0].update({"client": {"verify": "none"},
                                       "routes": [{"path": "/admin/", "require": "verified"}]})
    site.refused("path", r"require: verified beside verify: none: .* nobody could pass")


def test_a_closed_route_that_everybody_passes_is_warned_of(site):
    site.config["services"][0]["client"]["verify"] = "required"
    site.config["services"][0]["routes"] = [{"path": "/admin/", "require": "verified"}]
    site.warned("path", r"require: verified does nothing beside verify: required without tolerate")


def test_tls_to_servers_that_are_not_verified_by_anything_is_refused(site):
    site.config["services"][0]["upstream"]["tls"] = {"verify": "required"}
    site.refused("required", r"verify: required needs a ca to verify servers with")


def test_a_protocol_that_is_not_spoken_is_refused(site):
    site.config["services"][0]["tls"] = {"alpn": ["h2", "http/1.1"]}
    site.refused("h2", r"alpn: mode: http speaks http/1\.1 and http/1\.0, not h2")


def test_a_header_that_messages_depend_on_is_refused(site):
    site.config["services"][0]["headers"] = {"Content_Length": "5"}
    site.refused("Content_Length", r'name: "Content_Length" is a header that the forwarding of messages depends on')


def test_two_headers_that_a_back_end_could_take_for_one_are_refused(site):
    site.config["services"][0]["headers"] = {"X-Partner": "a", "x_partner": "b"}
    site.refused("x_partner", r"the header x_partner is in line \d+ already")


@pytest.mark.parametrize("more", [
    {"client": {"verify": "passthrough"}}, {"client": {"tolerate": ["expired"]}},
    {"quarantine": {"servers": [BACK_END]}}])
@pytest.mark.parametrize("preset, header", [("azure", "X-ARR-ClientCert"), ("x-ssl", "X-SSL-Present")])
def test_a_preset_without_a_status_is_warned_of_where_unverified_clients_get_in(site, more, preset, header):
    one = site.config["services"][0]
    one["identity_headers"] = [{"preset": preset, "only": [header]}]
    assert site.check().stderr == ""
    one["client"].update(more.get("client", {}))
    one.update({key: value for key, value in more.items() if key != "client"})
    got = site.check()
    assert got.returncode == 0
    warning = f"{site.place('preset')}: warning: clients that were not verified get in here, too, and preset {preset} tells " \
              "nothing of them without a header of status"
    assert warning in got.stderr.splitlines(), got.stderr
    del one["identity_headers"][0]["only"]
    assert "header of status" not in site.check().stderr
