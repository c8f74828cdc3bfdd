"""`tolerate`, item by item: what is named is forgiven and nothing else, at the depth, for the time and until the day that is
named."""

from datetime import timedelta

import pytest

from lib import clients, expect, procs, site, specimens
from lib.clock import Clock
from lib.pki import DAY, now
from lib.proxy import service

TOLERABLE = [name for name, row in expect.CLASSES.items() if row.tolerable]
# A specimen of each, and the depth of its fault under one intermediate.
SPECIMENS = {"self_signed": ("self_signed", 0), "unknown_issuer": ("unknown_issuer", 1), "issuer_not_ca": ("issuer_not_ca", 1),
             "path_length_exceeded": ("path_length_exceeded", 2), "chain_too_long": ("chain_too_long", 5),
             "unknown_critical_extension": ("unknown_critical_extension", 0), "name_not_permitted": ("name_not_permitted", 0),
             "wrong_purpose": ("wrong_purpose", 0), "weak_algorithm": ("weak_issuer", 1), "not_yet_valid": ("not_yet_valid", 0),
             "expired": ("expired_issuer", 1)}
# What is never forgiven: by which service it is found, of those that tolerate `all`.
NEVER = {"malformed_leaf": "all", "malformed_issuer": "all", "unsupported_key": "all", "possession_failed": "all",
         "bad_signature": "all", "bad_signature_of_issuer": "all", "identity_malformed": "all", "revoked": "all-crl",
         "revoked_issuer": "all-crl", "revocation_unknown": "all-crl", "revocation_stale": "all-crl", "denylisted": "all-lists",
         "denylisted_issuer": "all-lists", "not_allowlisted": "all-lists", "issuer_not_allowed": "all-issuers"}


def label(text):
    return text.replace("_", "-")


@pytest.fixture(scope="module")
def line(pki):
    return specimens.Line(pki, "ecdsa", 1, tag="tolerance")


@pytest.fixture(scope="module")
def address(proxies, pki, echo, line, folder):
    """Gives (proxy, address). Services: one for each tolerable class, ones with a depth, and `all` in several surroundings."""
    def one(name, tolerate, **options):
        return service(name, pki, echo, client={"ca": [line.root.chain_file], "tolerate": tolerate, **options})

    def listed(name, certificates):
        path = folder / f"tolerance.{name}"
        path.write_text("".join(specimens.fingerprint(entry) + "\n" for entry in certificates))
        return {name: [path]}
    denied = [line.specimen("denylisted").chain[0], line.specimen("denylisted_issuer").chain[1]]
    allowed = [line.specimen(name).chain[0] for name in ("good", "denylisted", "denylisted_issuer")]
    services = [one("none", "none"), one("all", "all"), one("all-crl", "all", crl=line.crls()),
                one("all-lists", "all", **listed("deny", denied), **listed("allow", allowed)),
                one("all-issuers", "all", issuers=[pki.dev.chain_file])]
    services += [one(label(name), [name]) for name in TOLERABLE]
    services += [one(f"{label(name)}-here", [{"class": name, "depth": depth}]) for name, (_, depth) in SPECIMENS.items()]
    services += [one(f"{label(name)}-there", [{"class": name, "depth": depth + 1}]) for name, (_, depth) in SPECIMENS.items()]
    proxy = proxies(["127.0.0.1:%d" % procs.free_port()], services)
    return proxy, proxy.config["listeners"][0]["bind"]


def ask(address, name, client, version="1.3"):
    proxy, where = address
    seen = clients.probe(where, f"{name}.example", client, version)
    return seen, proxy.event_of(seen.local)


def forgiven(event):
    """class -> whether all of its findings are."""
    out = {}
    for one in event["tlscribe"].get("findings", []):
        out[one["class"]] = out.get(one["class"], True) and one.get("tolerated", False)
    return out


def lets_in(address, name, client, found):
    for version in ("1.2", "1.3"):
        seen, event = ask(address, name, client, version)
        expect.check(event, found, decision="allow_tolerated", verified=False, code=event["event"]["code"])
        assert all(one.get("tolerated") is True for one in event["tlscribe"]["findings"]), event
        assert seen.echo and seen.alert == -1


def refuses(address, name, client, found):
    for version in ("1.2", "1.3"):
        seen, event = ask(address, name, client, version)
        expect.check(event, found, decision="deny", denied_by="verify", code=event["event"]["code"])
        assert not seen.echo and seen.alert == expect.alert(found, version)
    return event


def test_every_tolerable_class_has_a_specimen():
    assert set(SPECIMENS) == set(TOLERABLE)


@pytest.mark.parametrize("found", SPECIMENS)
@pytest.mark.parametrize("tolerated", ["none", *TOLERABLE])
def test_one_class_is_forgiven_by_its_own_name_alone(address, line, tolerated, found):
    client = line.specimen(SPECIMENS[found][0])
    if tolerated == found:
        lets_in(address, label(tolerated), client, found)
    else:
        event = refuses(address, label(tolerated), client, found)
        assert not any(forgiven(event).values()), event


@pytest.mark.parametrize("found", SPECIMENS)
def test_a_depth_is_that_depth_alone(address, line, found):
    client = line.specimen(SPECIMENS[found][0])
    lets_in(address, f"{label(found)}-here", client, found)
    refuses(address, f"{label(found)}-there", client, found)


@pytest.mark.parametrize("found", SPECIMENS)
def test_all_forgives_every_tolerable_class(address, line, found):
    lets_in(address, "all", line.specimen(SPECIMENS[found][0]), found)


@pytest.mark.parametrize("kind", NEVER)
def test_all_never_forgives_what_the_table_says_is_not_tolerable(address, line, kind):
    seen, event = ask(address, NEVER[kind], line.specimen(kind))
    found = event["tlscribe"]["class"]
    assert not expect.CLASSES[found].tolerable
    expect.check(event, found, decision="deny", denied_by="verify", code=event["event"]["code"])
    assert not seen.echo and not any(forgiven(event).values())


def test_the_never_forgiven_are_all_there_are(address, line):
    found = {ask(address, at, line.specimen(kind))[1]["tlscribe"]["class"] for kind, at in NEVER.items()}
    names = list(expect.CLASSES)
    judged = {name for name in names[:names.index("no_certificate")] if not expect.CLASSES[name].tolerable}
    assert found == judged - {"wrong_name"}


def test_the_good_need_no_tolerance(address, line):
    for name in ("none", "all", "all-crl", "all-lists", "expired"):
        seen, event = ask(address, name, line.specimen("good"))
        expect.check(event, "ok", decision="allow", verified=True)
        assert seen.echo


def test_of_two_faults_both_have_to_be_forgiven(own_proxies, pki, echo, line):
    both = line.leaf("expired-server", purposes=["serverAuth"], not_before=now() - 30 * DAY, not_after=now() - 3 * DAY)
    rules = {"first": ["wrong_purpose"], "second": ["expired"], "both": ["expired", "wrong_purpose"],
             "elsewhere": ["expired", {"class": "wrong_purpose", "depth": 1}],
             "too-old": ["wrong_purpose", {"class": "expired", "for": "2d"}],
             "young": ["wrong_purpose", {"class": "expired", "for": "4d"}],
             "either": [{"class": "expired", "for": "1d"}, {"class": "expired", "depth": 0}, "wrong_purpose"]}
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [
        service(name, pki, echo, client={"ca": [line.root.chain_file], "tolerate": rule}) for name, rule in rules.items()])
    here = proxy, proxy.config["listeners"][0]["bind"]
    for name, wanted in (("first", {"wrong_purpose": True, "expired": False}),
                         ("second", {"wrong_purpose": False, "expired": True}),
                         ("elsewhere", {"wrong_purpose": False, "expired": True}),
                         ("too-old", {"wrong_purpose": True, "expired": False})):
        assert forgiven(refuses(here, name, both, "wrong_purpose")) == wanted, name
    for name in ("both", "young", "either"):
        lets_in(here, name, both, "wrong_purpose")


# for and until, by the second

SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def calendar(proxies, pki, echo, folder):
    """A certificate for ten days in the middle of 2031, by an old CA, and a clock."""
    line = specimens.Line(pki, "ecdsa", 1, tag="calendar")
    begin = now().replace(year=2031, month=6, day=10, hour=12, minute=0, second=0, microsecond=0)
    end = begin + 10 * DAY
    # Longer than everybody below it.
    old = line.ca("old", None, not_before=begin - 2000 * DAY, not_after=end + 2000 * DAY)
    client = line.leaf("ten-days", old, chain=[], not_before=begin, not_after=end)
    rules = {"week": [{"class": "expired", "for": "7d"}], "early": [{"class": "not_yet_valid", "for": "90m"}],
             "until": [{"class": "expired", "until": "2031-06-25"}],
             "until-noon": [{"class": "expired", "until": "2031-06-25T12:00:00Z"}],
             "sooner-of-both": [{"class": "expired", "for": "7d", "until": "2031-06-22"}],
             "later-of-two": [{"class": "expired", "for": "1d"}, {"class": "expired", "until": "2031-06-25"}],
             "nothing": "none"}
    proxy = proxies(["127.0.0.1:%d" % procs.free_port()], [
        service(name, pki, echo, client={"ca": [old.chain_file], "tolerate": rule}) for name, rule in rules.items()], start=False)
    clock = Clock(proxy.folder, begin)
    proxy.start(before=clock.before())
    return (proxy, proxy.config["listeners"][0]["bind"]), clock, client, begin, end


def moments(begin, end):
    """service -> moments of a clock that goes and stands and is set back, and the decision at each."""
    noon = end.replace(year=2031, month=6, day=25, hour=12, minute=0, second=0)
    midnight, sooner = noon - timedelta(hours=12), noon.replace(day=22, hour=0)
    first = begin - timedelta(minutes=90)
    inside, out, forgiven_ = (begin, "allow"), "deny", "allow_tolerated"
    return {
        "week": [inside, (end, "allow"), (end + SECOND, forgiven_), (end + 7 * DAY, forgiven_), (end + 7 * DAY + SECOND, out),
                 (end + 7 * DAY, forgiven_), (end, "allow"), (begin - SECOND, out)],
        "early": [(first - SECOND, out), (first, forgiven_), (begin - SECOND, forgiven_), inside, (begin - SECOND, forgiven_),
                  (first - SECOND, out), (end + SECOND, out)],
        "until": [(end + SECOND, forgiven_), (midnight - SECOND, forgiven_), (midnight, out), (midnight - SECOND, forgiven_)],
        "until-noon": [(end + SECOND, forgiven_), (midnight, forgiven_), (noon - SECOND, forgiven_), (noon, out)],
        "sooner-of-both": [(end + SECOND, forgiven_), (sooner - SECOND, forgiven_), (sooner, out)],
        "later-of-two": [(end + DAY, forgiven_), (end + 2 * DAY, forgiven_), (midnight - SECOND, forgiven_), (midnight, out)],
        "nothing": [(begin - SECOND, out), inside, (end, "allow"), (end + SECOND, out), (end, "allow")],
    }


@pytest.mark.parametrize("name", ["week", "early", "until", "until-noon", "sooner-of-both", "later-of-two", "nothing"])
def test_for_and_until_end_at_their_second(calendar, name):
    here, clock, client, begin, end = calendar
    for moment, decision in moments(begin, end)[name]:
        clock.set(moment)
        found = "not_yet_valid" if moment < begin else "expired" if moment > end else "ok"
        seen, event = ask(here, name, client)
        assert event["@timestamp"].startswith(f"{moment:%Y-%m-%dT%H:%M:%S.}"), (moment, event)
        expect.check(event, found, decision=decision, denied_by="verify" if decision == "deny" else None, verified=found == "ok")
        assert seen.echo is (decision != "deny"), (name, moment)


# what an operator is told

def test_check_and_run_warn_of_all(proxies, address, pki, echo, folder):
    (folder / "warned").mkdir()
    one = site.Site(folder / "warned", [service("open", pki, echo, client={"tolerate": "all"})])
    one.warned("all", r"tolerate: all lets in whoever holds any certificate at all: .*")
    assert address[0].log().count("tolerate: all lets in whoever holds any certificate at all") == 4


@pytest.mark.parametrize("item", [name for name, row in expect.CLASSES.items() if not row.tolerable])
def test_what_is_not_tolerable_cannot_even_be_named(pki, echo, folder, item):
    (folder / f"named-{item}").mkdir()
    one = site.Site(folder / f"named-{item}", [service("open", pki, echo, client={"tolerate": [item]})])
    one.refused(item, rf"tolerate: {item} can never be tolerated.*")
