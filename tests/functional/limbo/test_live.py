"""The cases of tests/data/limbo as clients of the running program, in TLS 1.2 and 1.3: each with a service of its own, at its
own time."""

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec

from lib import classify, clients, expect, limbo, procs, site
from lib.clock import Clock
from lib.proxy import service

DEVIATIONS = limbo.deviations()
VERSIONS = ("1.2", "1.3")


def can_sign(case):
    """Is there a key, of a kind that a client can prove with?"""
    key = case.private_key
    return key is not None and not isinstance(key, dsa.DSAPrivateKey) and \
        not (isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size < 256)


CASES = {case.id: case for case in limbo.load() if case.tier in ("must", "strict") and can_sign(case)}
# Anchors or CRLs that cannot be used: there is no start with them, and so nobody to log in to.
REFUSED = {"crl::crlnumber-critical"}
LIVE = [name for name in CASES if name not in REFUSED]
NAMES = {name: f"case{number}.example" for number, name in enumerate(CASES)}


def own_service(case, pki, echo):
    options = {"ca": [case.ca_file], "crl": case.crl_files}
    if not case.crl_files:
        del options["crl"]
    if case.depth is not None:
        options["max_depth"] = case.depth
    name = NAMES[case.id]
    return service(name.removesuffix(".example"), pki, echo, names=[name], client=options)


@pytest.fixture(scope="module")
def written(folder):
    place = folder / "limbo-live"
    place.mkdir()
    return {name: case.write(place) for name, case in CASES.items()}


@pytest.fixture(scope="module")
def events(proxies, pki, echo, written):
    """(case, version) -> event. One process for all the cases of a moment."""
    found = {}
    for moment in sorted({CASES[name].second or "" for name in LIVE}):
        mine = [CASES[name] for name in LIVE if (CASES[name].second or "") == moment]
        found.update(connect(proxies, pki, echo, mine))
    return found


def connect(proxies, pki, echo, cases):
    proxy = proxies(["127.0.0.1:%d" % procs.free_port()], [own_service(case, pki, echo) for case in cases], start=False)
    when = cases[0].time
    proxy.start(before=() if when is None else Clock(proxy.folder, when).before())
    address = proxy.config["listeners"][0]["bind"]
    seen = {(case.id, version): clients.probe(address, NAMES[case.id], case, version)
            for case in cases for version in VERSIONS}
    events = {f"{e['source']['ip']}:{e['source']['port']}": e for e in proxy.since(0, len(seen))}
    proxy.stop()
    return {key: (one, events[one.local]) for key, one in seen.items()}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", LIVE)
def test_the_event_has_a_class_of_the_case(events, name, version):
    seen, event = events[name, version]
    case, found = CASES[name], event["tlscribe"]["class"]
    deviates = case.tier == "strict" and name in DEVIATIONS
    assert case.agrees(found) is not deviates, event
    assert event["tls"]["version"] == version and event["tls"]["client"]["server_name"] == NAMES[name]
    good = found == "ok"
    assert seen.echo is good and event["tlscribe"]["verified"] is good, (seen, event)
    if not good:
        assert event["tlscribe"]["decision"] == "deny" and seen.received == 0
        assert seen.alert == expect.alert(found, version), (seen, event)


@pytest.mark.parametrize("name", LIVE)
def test_live_and_offline_are_one_judge(events, written, name):
    case = CASES[name]
    options = {} if case.depth is None else {"depth": case.depth}
    if case.second:
        options["time"] = case.second
    told = classify.verdict(case.chain_file, [case.ca_file], case.crl_files, **options)
    for version in VERSIONS:
        event = events[name, version][1]
        if event["tlscribe"]["evidence"]["possession"] == "proven":
            assert classify.findings(event["tlscribe"]) == classify.findings(told)
            assert (event["tlscribe"]["class"], event["event"]["code"]) == (told["class"], str(told["code"]))
            assert event["tlscribe"].get("path") == told.get("path")


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_start_with_unusable_files_is_refused(pki, echo, written, folder, name):
    one = site.Site(folder, [own_service(CASES[name], pki, echo)])
    got = one.check()
    assert got.returncode == 1 and "crl" in got.stderr, got


def test_what_was_found(events):
    for tier in ("must", "strict"):
        mine = [key for key in events if CASES[key[0]].tier == tier]
        agreed = sum(CASES[name].agrees(events[name, version][1]["tlscribe"]["class"]) for name, version in mine)
        proven = sum(events[key][1]["tlscribe"]["evidence"]["possession"] == "proven" for key in mine)
        print(f"limbo live, {tier}: {agreed} of {len(mine)} handshakes agree, {proven} of them completed")
        assert proven > len(mine) * 0.8
