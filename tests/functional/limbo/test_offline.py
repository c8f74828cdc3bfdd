"""The cases of tests/data/limbo through `tlscribe classify`."""

import pytest

from lib import classify, limbo

CASES = {case.id: case for case in limbo.load()}
DEVIATIONS = limbo.deviations()
SIGNATURES, COMPARISONS = 32, 65536
TIERS = {"must": 100, "strict": 49, "dos": 7}


def ids(tier):
    return [one.id for one in CASES.values() if one.tier == tier]


@pytest.fixture(scope="module")
def told(folder):
    """What came out for every case; None: its anchors or CRLs cannot be used, and that was said."""
    place = folder / "limbo"
    place.mkdir()
    return {case.id: judge(case.write(place)) for case in CASES.values() if case.tier in TIERS}


def judge(case):
    options = {} if case.depth is None else {"depth": case.depth}
    if case.second is not None:
        options["time"] = case.second
    arguments = classify.arguments(case.chain_file, [case.ca_file], case.crl_files, **options)
    got = classify.run(*arguments)
    if got.returncode == classify.UNUSABLE:
        assert got.stdout == b"" and got.stderr, got
        return None
    return classify.verdict(case.chain_file, [case.ca_file], case.crl_files, **options)


def name_of(one):
    return one and one["class"]


@pytest.mark.parametrize("name", ids("must"))
def test_must_cases_agree(told, name):
    assert CASES[name].agrees(name_of(told[name])), told[name]


@pytest.mark.parametrize("name", ids("strict"))
def test_strict_cases_agree_but_for_the_ones_with_a_reason(told, name):
    assert CASES[name].agrees(name_of(told[name])) is (name not in DEVIATIONS), told[name]


@pytest.mark.parametrize("name", ids("dos"))
def test_dos_cases_end_refused_within_the_limits_of_work(told, name):
    """By a class of the case, or because it was too much work, which the case does not know of."""
    one = told[name]
    assert CASES[name].agrees(one["class"]) or one["class"] == "limit_exceeded", one
    assert 0 < one["work"]["signature_checks"] <= SIGNATURES
    assert 0 < one["work"]["name_comparisons"] <= COMPARISONS


def test_the_work_of_some_dos_cases_reaches_a_limit(told):
    """Else the limits were not what ended them."""
    limited = [told[name] for name in ids("dos") if told[name]["class"] == "limit_exceeded"]
    assert limited
    assert any(one["work"]["signature_checks"] == SIGNATURES for one in limited)
    assert any(one["work"]["name_comparisons"] == COMPARISONS for one in limited)


def test_no_case_was_left_out(told):
    assert {tier: len(ids(tier)) for tier in TIERS} == TIERS
    assert {name for name in DEVIATIONS if CASES[name].tier == "strict"} == DEVIATIONS
    for tier in ("must", "strict"):
        agreed = sum(CASES[name].agrees(name_of(told[name])) for name in ids(tier))
        print(f"limbo offline, {tier}: {agreed} of {TIERS[tier]} agree")
