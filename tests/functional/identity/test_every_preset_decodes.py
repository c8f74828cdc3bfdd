"""Each preset, as a back end gets it, read by independent readers and compared with what the certificate really holds:
of a client that is verified, of one that is not, of one whose names are hostile, and of nobody."""

import base64
import hashlib
from datetime import datetime, timezone
from urllib.parse import unquote, unquote_to_bytes

import pytest

import identity_decode as decode
from lib import der, procs
from lib.httpclient import once
from lib.pki import DAY, now
from lib.proxy import service

CN = b"a\";b,c=d\\e%41 X-SSL-Verified: 1 J\xc3\xbcrgen"
ORGANIZATION = b"Evil \"Inc\", +<>; #"
HOSTILE_DNS = b"x;Cert=\"forged\".example"
HOSTILE_URI = b"spiffe://td/a;b,c=d?e=\"f\"\\"
SENTENCES = {"expired": "the client certificate has expired"}


class Facts:
    """What was put into a certificate, by hand."""

    def __init__(self, one, common, organization, before, after, dns=(), emails=(), ips=(), uris=()):
        self.der, self.chain = one.chain[0], one.chain[1:]
        self.one, self.common, self.organization = one, common, organization
        self.before, self.after = before, after
        self.dns, self.emails, self.ips, self.uris = list(dns), list(emails), list(ips), list(uris)
        self.sha1, self.sha256 = hashlib.sha1(self.der).hexdigest(), hashlib.sha256(self.der).hexdigest()

    @property
    def subject(self):
        return [("C", b"NL"), ("O", self.organization), ("CN", self.common)]


ISSUER = [("C", b"NL"), ("O", b"Test"), ("CN", b"dev CA")]
SERIAL = 0x0A1B2C


@pytest.fixture(scope="module")
def people(pki):
    moment = now().replace(microsecond=0)

    def leaf(label, common, organization=b"Test", before=moment - DAY, after=moment + 30 * DAY, **names):
        kinds = [(der.DNS, n) for n in names.get("dns", ())] + [(der.EMAIL, n) for n in names.get("emails", ())] + \
                [(der.IP, n) for n in names.get("ips", ())] + [(der.URI, n) for n in names.get("uris", ())]
        one = pki.leaf(label, pki.dev, subject=der.name((der.COUNTRY, "NL"), (der.ORGANIZATION, organization), (der.CN, common)),
                       names=kinds, serial=SERIAL, not_before=before, not_after=after)
        return Facts(one, common, organization, before, after, **names)

    return {
        "verified": leaf("id-verified", b"acme-7", dns=[b"acme-7.example", b"b.example"], emails=[b"ops@acme.example"],
                         ips=[bytes([192, 0, 2, 7]), bytes.fromhex("20010db8" + "0" * 23 + "1")], uris=[b"spiffe://td/acme-7"]),
        "unverified": leaf("id-unverified", b"acme-8", before=moment - 30 * DAY, after=moment - DAY),
        "hostile": leaf("id-hostile", CN, ORGANIZATION, before=moment - 30 * DAY, after=moment - DAY,
                        dns=[HOSTILE_DNS], uris=[HOSTILE_URI]),
        "nul": leaf("id-nul", b"acme-7\0.unfit", dns=[b"acme-7.example"]),
        "line": leaf("id-line", b"unfit\r\nX-SSL-Verified: 1", dns=[b"acme-7.example"]),
        "alternative": leaf("id-alternative", b"acme-7", dns=[b"acme-7.example\0.unfit"]),
        "nobody": None,
    }


def preset_service(pki, recorder, name, *presets, **more):
    return service(name, pki, recorder.address, "passthrough", mode="http", identity_headers=list(presets), **more)


@pytest.fixture(scope="module")
def proxy(proxies, pki, recorder):
    services = [preset_service(pki, recorder, preset, preset) for preset in decode.PRESETS.values()]
    for absent in ("empty", "omit", "none"):
        services += [preset_service(pki, recorder, f"{preset}-{absent}", {"preset": preset, "absent": absent})
                     for preset in decode.PRESETS.values() if preset != "rfc9440"]
    services.append(preset_service(pki, recorder, "rfc9440-omit", {"preset": "rfc9440", "absent": "omit"}))
    services.append(preset_service(pki, recorder, "attributes",
                                   {"preset": "akamai", "attributes": ["subject", "cn", "sha256", "issuer"]}))
    services.append(preset_service(pki, recorder, "chosen", {"preset": "azure", "only": ["X-ARR-ClientCert"],
                                                             "names": {"X-ARR-ClientCert": "X-Cert"}},
                                   {"preset": "x-ssl", "only": ["X-SSL-Client-CN", "X-SSL-Verified"]}))
    services.append(preset_service(
        pki, recorder, "custom", event_id_header="X-Trace",
        headers={"X-Partner": "{tls.client.x509.subject.common_name}",
                 "X-Claim": {"value": "cn={tls.client.x509.subject.common_name}", "unverified": True},
                 "X-Names": {"value": "{tls.client.x509.alternative_names}", "unverified": True},
                 "X-Who": "{{{tlscribe.class}}} {event.id}"}))
    services.append(preset_service(pki, recorder, "long", headers={
        "X-Long": "{tls.client.subject}" * 60, "X-Short": "{tls.client.x509.subject.common_name}"}))
    return proxies(["127.0.0.1:%d" % procs.free_port()], services)


def seen_by_back_end(proxy, recorder, name, facts):
    """The request as it arrived: a map of its fields, each of which stands there once, and the event."""
    recorder.forget()
    mark = proxy.mark()
    got = once(proxy.config["listeners"][0]["bind"], f"{name}.example", "/" + name, facts.one if facts else None)
    assert got.status == 200, got.head
    request = recorder.wait_request()
    recorder.check()
    fields = {field.lower(): value for field, value in request.fields}
    assert len(fields) == len(request.fields), f"a field stands there twice: {request.head!r}"
    event, = proxy.since(mark)
    return fields, event


def result_of(who, words=None):
    if who == "verified":
        return "SUCCESS"
    return "FAILED:" + words


@pytest.fixture(params=["verified", "unverified", "hostile"])
def who(request):
    return request.param


@pytest.fixture
def ask(proxy, recorder, people, who):
    def get(name):
        fields, event = seen_by_back_end(proxy, recorder, name, people[who])
        facts = event["tlscribe"]
        assert facts["verified"] is (who == "verified"), facts
        assert "headers" not in facts, f"left out: {facts['headers']}"
        return fields, people[who], facts["class"]
    return get


def test_rfc9440(ask, who):
    fields, facts, name = ask("rfc9440")
    (value, parameters), = decode.sf_list(fields["client-cert"])
    assert (value, parameters) == (facts.der, {})
    assert decode.sf_list(fields["client-cert-chain"]) == [(one, {}) for one in facts.chain]
    (verified, parameters), = decode.sf_list(fields["client-cert-verified"])
    assert (verified, parameters) == (who == "verified", {"class": name})


def moments(facts, pattern):
    return facts.before.strftime(pattern), facts.after.strftime(pattern)


def test_x_ssl(ask, who):
    fields, facts, name = ask("x-ssl")
    assert set(f.lower() for f in decode.headers_of("x-ssl")) <= set(fields)
    assert unquote_to_bytes(fields["x-ssl-client-cn"]) == facts.common
    assert decode.dn(fields["x-ssl-client-dn"])[::-1] == facts.subject
    assert decode.dn(fields["x-ssl-client-issuer-dn"])[::-1] == ISSUER
    assert fields["x-ssl-client-serial"] == "%X" % SERIAL or fields["x-ssl-client-serial"] == "0%X" % SERIAL
    assert (fields["x-ssl-client-notbefore"], fields["x-ssl-client-notafter"]) == moments(facts, "%y%m%d%H%M%SZ")
    assert fields["x-ssl-client-sha1"] == facts.sha1.upper()
    assert fields["x-ssl-client-sha256"] == facts.sha256.upper()
    assert (fields["x-ssl-verify"] == "0") is (who == "verified") is (fields["x-ssl-verified"] == "1")
    assert fields["x-ssl-present"] == "1" and fields["x-ssl-class"] == name
    if who == "unverified":
        assert fields["x-ssl-verify"] == "10" and fields["x-ssl-verified"] == "0"


def test_xfcc(ask, who):
    fields, facts, name = ask("xfcc")
    pairs = decode.xfcc(fields["x-forwarded-client-cert"])
    single = dict(pairs)
    assert [key for key, _ in pairs if key not in ("URI", "DNS")] == ["Hash", "Cert", "Chain", "Subject"]
    assert single["Hash"] == facts.sha256
    assert decode.url_pem(single["Cert"]) == [facts.der]
    assert decode.url_pem(single["Chain"]) == [facts.der] + facts.chain
    assert decode.dn(single["Subject"])[::-1] == facts.subject
    assert [unquote_to_bytes(value) for key, value in pairs if key == "DNS"] == facts.dns
    assert [unquote_to_bytes(value) for key, value in pairs if key == "URI"] == facts.uris
    assert fields["x-forwarded-client-cert-verified"] == result_of(who, name)


def test_nginx(ask, who):
    fields, facts, name = ask("nginx")
    assert decode.url_pem(fields["ssl-client-cert"]) == decode.url_pem(fields["ssl-client-escaped-cert"]) == [facts.der]
    assert decode.dn(fields["ssl-client-subject-dn"])[::-1] == facts.subject
    assert decode.dn(fields["ssl-client-issuer-dn"])[::-1] == ISSUER
    assert unquote_to_bytes(fields["ssl-client-s-dn-parsed"]) == facts.common
    if who == "hostile":
        assert fields["ssl-client-verify"].startswith("FAILED:")
    else:
        assert fields["ssl-client-verify"] == result_of(who, SENTENCES.get(name))


def test_azure(ask, who):
    fields, facts, name = ask("azure")
    assert decode.url_pem(fields["x-client-certificate"]) == [facts.der]
    assert base64.b64decode(fields["x-arr-clientcert"], validate=True) == facts.der
    assert fields["x-client-certificate-verified"] == result_of(who, name)


def test_akamai(ask, who):
    fields, facts, name = ask("akamai")
    members = decode.sf_dictionary(fields["client-to-edge-http-auth"])
    status = "valid" if who == "verified" else "invalid"
    assert members == {"validation-status": (status, {"class": name}), "certificate": (facts.der, {})}


def test_akamai_attributes(ask, who):
    fields, facts, name = ask("attributes")
    members = decode.sf_dictionary(fields["client-to-edge-http-auth"])
    assert set(members) == {"validation-status", "subject", "cn", "sha256", "issuer"}
    assert members["sha256"][0] == facts.sha256.upper()
    assert decode.dn(members["subject"][0])[::-1] == facts.subject
    assert decode.dn(members["issuer"][0])[::-1] == ISSUER
    assert unquote_to_bytes(members["cn"][0]) == facts.common


def test_traefik(ask, who):
    fields, facts, name = ask("traefik")
    assert decode.traefik_certificates(fields["x-forwarded-tls-client-cert"]) == [facts.der] + facts.chain
    info = decode.traefik_info(fields["x-forwarded-tls-client-cert-info"])
    ips = [b"192.0.2.7", b"2001:db8::1"] if facts.ips else []
    assert info["Subject"] == facts.subject and info["Issuer"] == ISSUER
    assert (info["NB"], info["NA"]) == (facts.before.timestamp(), facts.after.timestamp())
    assert info.get("SAN", []) == facts.dns + facts.emails + ips + facts.uris
    assert fields["x-forwarded-tls-client-cert-verified"] == result_of(who, name)


def test_azion(ask, who):
    before = datetime.now(timezone.utc).replace(microsecond=0)  # the product counts whole seconds
    fields, facts, name = ask("azion")
    assert decode.url_pem(fields["azion-ssl-client-cert"]) == decode.url_pem(fields["azion-ssl-client-escaped-cert"]) == [facts.der]
    assert fields["azion-ssl-client-fingerprint"] == facts.sha1
    assert decode.dn(fields["azion-ssl-client-i-dn"])[::-1] == ISSUER
    assert decode.dn(fields["azion-ssl-client-s-dn"])[::-1] == facts.subject
    assert unquote_to_bytes(fields["azion-ssl-client-s-dn-parsed"]) == facts.common
    assert int(fields["azion-ssl-client-serial"].replace(":", ""), 16) == SERIAL
    assert (fields["azion-ssl-client-v-start"], fields["azion-ssl-client-v-end"]) == moments(facts, "%Y%m%d%H%M%S")
    left = {max(0, (facts.after - moment).days) for moment in (before, datetime.now(timezone.utc))}
    assert int(fields["azion-ssl-client-v-remain"]) in left


def test_only_and_names(ask, who):
    fields, facts, _ = ask("chosen")
    assert ("x-cert" in fields) is (who == "verified"), "data without a status"
    if "x-cert" in fields:
        assert base64.b64decode(fields["x-cert"], validate=True) == facts.der
    assert "x-arr-clientcert" not in fields and "x-client-certificate" not in fields
    assert set(f for f in fields if f.startswith("x-ssl-")) == {"x-ssl-client-cn", "x-ssl-verified"}


def test_headers_of_ones_own(proxy, recorder, people, who):
    facts = people[who]
    fields, event = seen_by_back_end(proxy, recorder, "custom", facts)
    assert fields["x-trace"] == event["event"]["id"] and "x-tls-event-id" not in fields
    assert fields["x-who"] == "{%s} %s" % (event["tlscribe"]["class"], event["event"]["id"])
    assert fields["x-claim"].startswith("cn=") and unquote_to_bytes(fields["x-claim"][3:]) == facts.common
    assert ("x-partner" in fields) is (who == "verified")
    if who == "verified":
        assert fields["x-partner"] == "acme-7"
    # Several elements, or none: not there. One: there.
    names = event["tls"]["client"]["x509"].get("alternative_names", [])
    assert ("x-names" in fields) is (len(names) == 1)


def test_every_request_names_its_handshake(proxy, recorder, people):
    fields, event = seen_by_back_end(proxy, recorder, "nginx", people["verified"])
    assert fields["x-tls-event-id"] == event["event"]["id"]


# names that no certificate should hold

@pytest.mark.parametrize("unfit", ["nul", "line", "alternative"])
@pytest.mark.parametrize("name", [*decode.PRESETS.values(), "attributes", "custom"])
def test_malformed_names_go_into_no_header(proxy, recorder, people, name, unfit):
    facts = people[unfit]
    fields, event = seen_by_back_end(proxy, recorder, name, facts)
    assert event["tlscribe"]["class"] == "identity_malformed" and not event["tlscribe"]["verified"]
    der = base64.b64encode(facts.der)[:60]
    for field, value in fields.items():
        assert b"unfit" not in unquote_to_bytes(value) and "acme-7" not in value, (field, value)
        assert der not in b"".join(unquote_to_bytes(unquote(value)).split()), (field, "the certificate itself")
    assert "x-claim" not in fields and "x-names" not in fields
    if name == "x-ssl":  # what is known all the same
        assert fields["x-ssl-client-sha256"] == facts.sha256.upper() and fields["x-ssl-verified"] == "0"
        assert fields["x-ssl-class"] == "identity_malformed" and not fields.get("x-ssl-client-cn")


# nobody

def none_of(fields, but=()):
    ours = {name.lower() for name in decode.NAMES}
    return {f: v for f, v in fields.items() if f in ours and f not in but}


@pytest.mark.parametrize("preset", decode.PRESETS.values())
def test_nobody_by_default(proxy, recorder, preset):
    fields, _ = seen_by_back_end(proxy, recorder, preset, None)
    if preset == "x-ssl":
        wanted = {name.lower(): "" for name in decode.headers_of("x-ssl")}
        wanted |= {"x-ssl-present": "0", "x-ssl-verified": "0", "x-ssl-class": "no_certificate"}
        assert none_of(fields) == wanted
    elif preset == "nginx":
        assert none_of(fields) == {"ssl-client-verify": "NONE"}
    else:
        assert none_of(fields) == {}


@pytest.mark.parametrize("preset", decode.PRESETS.values())
def test_nobody_omitted(proxy, recorder, preset):
    fields, _ = seen_by_back_end(proxy, recorder, preset + "-omit", None)
    assert none_of(fields) == {}


STATUS = {"xfcc": {"x-forwarded-client-cert-verified": "NONE"}, "nginx": {"ssl-client-verify": "NONE"},
          "azure": {"x-client-certificate-verified": "NONE"}, "traefik": {"x-forwarded-tls-client-cert-verified": "NONE"},
          "azion": {"azion-ssl-client-verify": "NONE"},
          "akamai": {"client-to-edge-http-auth": "validation-status=none;class=no_certificate"},
          "x-ssl": {"x-ssl-verify": "NONE", "x-ssl-present": "0", "x-ssl-verified": "0", "x-ssl-class": "no_certificate"}}


@pytest.mark.parametrize("preset", STATUS)
def test_nobody_as_none(proxy, recorder, preset):
    fields, _ = seen_by_back_end(proxy, recorder, preset + "-none", None)
    assert none_of(fields) == STATUS[preset]


@pytest.mark.parametrize("preset", STATUS)
def test_nobody_as_empty(proxy, recorder, preset):
    fields, _ = seen_by_back_end(proxy, recorder, preset + "-empty", None)
    wanted = {name.lower(): "" for name in decode.headers_of(preset)}
    said = dict(STATUS[preset])
    if preset == "x-ssl":
        said["x-ssl-verify"] = ""
    if preset == "akamai":
        said = {}
    assert none_of(fields) == wanted | said


# too long

def test_what_is_too_long_is_left_out_and_the_event_says_so(proxy, recorder, pki):
    common = "n" * 9000
    one = pki.leaf("id-long", pki.dev, subject=der.name((der.COUNTRY, "NL"), (der.CN, common)))
    facts = Facts(one, common.encode(), b"", None, None)
    for preset, there, left_out in [
            ("x-ssl", {"x-ssl-client-sha256": facts.sha256.upper(), "x-ssl-verified": "1"}, ["X-SSL-Client-CN", "X-SSL-Client-DN"]),
            ("azure", {"x-client-certificate-verified": "SUCCESS"}, ["X-Client-Certificate", "X-ARR-ClientCert"]),
            ("rfc9440", {"client-cert-verified": "?1;class=ok"}, ["Client-Cert"]),
            ("akamai", {"client-to-edge-http-auth": "validation-status=valid;class=ok"}, ["Client-to-Edge-HTTP-Auth: certificate"])]:
        fields, event = seen_by_back_end(proxy, recorder, preset, facts)
        assert there.items() <= fields.items(), fields
        assert all(len(value) <= 8000 for value in fields.values())
        assert set(left_out) <= set(event["tlscribe"]["headers"]["omitted"]), event["tlscribe"]
    fields, event = seen_by_back_end(proxy, recorder, "xfcc", facts)
    assert decode.xfcc(fields["x-forwarded-client-cert"])[0] == ("Hash", facts.sha256)
    assert "X-Forwarded-Client-Cert: Subject" in event["tlscribe"]["headers"]["omitted"]


def test_a_header_of_ones_own_that_is_too_long_is_left_out_and_the_event_says_so(proxy, recorder, pki):
    """Longer than all headers together may be: the client is let in all the same."""
    one = pki.leaf("id-long-unit", pki.dev, subject=der.name((der.COUNTRY, "NL"), (der.ORGANIZATION, "%" * 500), (der.CN, "acme-9")))
    fields, event = seen_by_back_end(proxy, recorder, "long", Facts(one, b"acme-9", b"", None, None))
    assert "x-long" not in fields and fields["x-short"] == "acme-9"
    assert event["tlscribe"]["headers"]["omitted"] == ["X-Long"]


def test_decoders_agree_on_what_is_plain(people):
    """The readers above, held against another one: cryptography's names and urllib."""
    from cryptography import x509
    facts = people["verified"]
    name = x509.load_der_x509_certificate(facts.der).subject
    assert [(a.rfc4514_attribute_name, a.value.encode()) for a in name] == facts.subject
    assert decode.dn(name.rfc4514_string())[::-1] == facts.subject
