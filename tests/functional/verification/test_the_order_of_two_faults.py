"""Two faults in one chain: both are found, and the first one of the table is the class. Every pair that one client can have."""

import itertools

import pytest

from lib import classify, clients, der, expect, procs, specimens
from lib.pki import DAY, Identity, new_key, now, spki
from lib.proxy import service
from lib.specimens import ca_extensions, critical_unknown, name_constraints

# In the order of the table; a failed proof is not among them, for it leaves nothing else to judge.
FAULTS = [name for name in expect.CLASSES if name in {
    "malformed_certificate", "unsupported_key", "bad_signature", "self_signed", "unknown_issuer", "issuer_not_ca",
    "path_length_exceeded", "chain_too_long", "unknown_critical_extension", "name_not_permitted", "issuer_not_allowed",
    "denylisted", "revoked", "not_allowlisted", "wrong_purpose", "weak_algorithm", "not_yet_valid", "expired",
    "revocation_unknown", "identity_malformed"}]
# The search for a path ends for one reason alone, and then there is nobody's key that CRLs could be verified by.
PATHLESS = {"bad_signature", "self_signed", "unknown_issuer"}
OF_CRLS = {"revoked", "revocation_unknown"}
# Nobody is above a leaf that signed itself, or whose signature is not its issuer's.
ISSUERLESS = {"bad_signature", "self_signed"}
OF_ISSUERS = {"issuer_not_ca", "path_length_exceeded", "chain_too_long", "name_not_permitted", "issuer_not_allowed"}
# Who signed itself with a key of an unknown kind cannot be told from others of that name.
APART = [{"self_signed", "unsupported_key"}]
# Options that `classify` does not have.
ONLINE = {"issuer_not_allowed", "denylisted", "not_allowlisted"}
INTERMEDIATES = 4  # that a service allows


def together(a, b):
    """Can one client have both?"""
    pair = {a, b}
    return not (pair <= PATHLESS or pair & PATHLESS and pair & OF_CRLS or pair & ISSUERLESS and pair & OF_ISSUERS
                or pair in APART)


PAIRS = [pair for pair in itertools.combinations(FAULTS, 2) if together(*pair)]


class Case:
    """A client with these faults; the names of its CAs are all its own, so that no other case has a say in it."""

    def __init__(self, pki, keys, crl_folder, faults):
        self.faults, self.tag = faults, "-".join(faults) or "faultless"
        self.line = specimens.Line(pki, "ecdsa", 0, tag=self.tag, keys=keys)
        self.root = self.line.root
        issuers = self.issuers()
        made = self.leaf(issuers[-1])
        entries = list(made.chain)
        if "bad_signature" in faults:
            entries[0] = entries[0][:-5] + bytes([entries[0][-5] ^ 0x10]) + entries[0][-4:]
        if "malformed_certificate" in faults:
            entries.append(b"\x30\x03\x02\x01\x00")
        self.client = Identity(pki.folder, f"{self.tag}-client", made.key, entries, made.subject)
        self.top = issuers[0]
        self.crls = self.write_crls(crl_folder, issuers)

    def issuers(self):
        """From the top down."""
        faults, ca = self.faults, self.line.ca
        above = self.line.stranger if "unknown_issuer" in faults else self.root
        extra = [name_constraints(permitted=["partner.example"])] if "name_not_permitted" in faults else []
        length = 0 if "path_length_exceeded" in faults else None
        dates = {"not_before": now() + DAY} if {"expired", "not_yet_valid"} <= set(faults) else {}
        made = [ca("top", above, extensions=ca_extensions(length, extra=extra), **dates)]
        for number in range(1 if "path_length_exceeded" in faults else 0):
            made.append(ca(f"below-{number}", made[-1]))
        for number in range(INTERMEDIATES if "chain_too_long" in faults else 0):
            made.append(ca(f"long-{number}", made[-1]))
        if "issuer_not_ca" in faults:
            made.append(ca("no-ca", made[-1], extensions=ca_extensions(ca=False)))
        return made

    def leaf(self, issuer):
        faults, line, fields = self.faults, self.line, {}
        if "expired" in faults:
            fields = {"not_before": now() - 30 * DAY, "not_after": now() - DAY}
        elif "not_yet_valid" in faults:
            fields = {"not_before": now() + DAY, "not_after": now() + 30 * DAY}
        if "unsupported_key" in faults:
            fields["public"] = spki(new_key("brainpool"))
        subject = line.pki.name("line\nfeed" if "identity_malformed" in faults else line.label("leaf"))
        if "self_signed" in faults:
            issuer = Identity(line.pki.folder, line.label("self"), line.key("leaf"), [], subject)
        return line.leaf("leaf", issuer, subject=subject,
                         purposes=["serverAuth" if "wrong_purpose" in faults else "clientAuth"],
                         digest="sha1" if "weak_algorithm" in faults else "sha256",
                         names=[(der.DNS, "a.stranger.example" if "name_not_permitted" in faults else "a.partner.example")],
                         extra=[critical_unknown()] if "unknown_critical_extension" in faults else [], **fields)

    def write_crls(self, folder, issuers):
        """One of each CA; none of the root if revocation is to be unknown."""
        cas = issuers if "revocation_unknown" in self.faults else [self.root, *issuers]
        revoked = [specimens.serial_of(self.client.chain[0])] if "revoked" in self.faults else []
        return [specimens.write_crl(folder / f"{self.tag}-{number}.crl", ca, revoked if ca is issuers[-1] else [])
                for number, ca in enumerate(cas)]

    def expected(self):
        """Whoever has nobody above has none of the issuers above that the service asks for, either."""
        implied = {"issuer_not_allowed"} if ISSUERLESS & set(self.faults) else set()
        return [name for name in FAULTS if name in {*self.faults, *implied}]


@pytest.fixture(scope="module")
def cases(pki, folder):
    keys = {}
    crl_folder = folder / "pairs-crl"
    crl_folder.mkdir()
    return {faults: Case(pki, keys, crl_folder, faults) for faults in [(), *PAIRS]}


def write(path, parts):
    path.write_bytes(b"".join(parts))
    return [path]


@pytest.fixture(scope="module")
def seen(proxies, pki, echo, cases, folder):
    """One service judges them all, by every option at once; one connection each, and its event."""
    every = list(cases.values())
    prints = {case: specimens.fingerprint(case.client.chain[0]).encode() + b"\n" for case in every}
    options = {
        "ca": write(folder / "pairs.ca", [case.root.chain_file.read_bytes() for case in every]),
        "issuers": write(folder / "pairs.issuers", [specimens.pem(case.top.chain[0]) for case in every
                                                    if "issuer_not_allowed" not in case.faults]),
        "crl": [folder / "pairs-crl"],
        "allow": write(folder / "pairs.allow", [prints[case] for case in every if "not_allowlisted" not in case.faults]),
        "deny": write(folder / "pairs.deny", [prints[case] for case in every if "denylisted" in case.faults] or [b"\n"]),
    }
    proxy = proxies(["127.0.0.1:%d" % procs.free_port()], [service("strict", pki, echo, client=options)])
    address = proxy.config["listeners"][0]["bind"]
    found = {faults: clients.probe(address, "strict.example", case.client, "1.3") for faults, case in cases.items()}
    events = {f"{e['source']['ip']}:{e['source']['port']}": e for e in proxy.since(0, len(cases))}
    return {faults: (one, events[one.local]) for faults, one in found.items()}


def classes(findings):
    return list(dict.fromkeys(one["class"] for one in findings))


def test_without_a_fault_every_option_lets_in(seen):
    one, event = seen[()]
    expect.check(event, "ok", decision="allow", possession="proven", verified=True)
    assert one.echo


@pytest.mark.parametrize("pair", PAIRS, ids="+".join)
def test_the_first_of_two_is_the_class_and_both_are_found(seen, cases, pair):
    one, event = seen[pair]
    wanted = cases[pair].expected()
    possession = "not_reached" if "unsupported_key" in pair else "proven"
    expect.check(event, pair[0], decision="deny", denied_by="verify", possession=possession,
                 code=event["event"]["code"])
    assert classes(event["tlscribe"]["findings"]) == wanted
    assert one.alert == expect.alert(pair[0], "1.3") and not one.echo


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if not ONLINE & set(pair)], ids="+".join)
def test_offline_the_same_is_found(seen, cases, pair):
    case = cases[pair]
    told = classify.verdict(case.client.chain_file, [case.root.chain_file], case.crls)
    assert told["class"] == pair[0]
    assert classes(told["findings"]) == [name for name in case.expected() if name not in ONLINE]
    live = [one for one in classify.findings(seen[pair][1]["tlscribe"]) if one["class"] not in ONLINE]
    assert classify.findings(told) == live
