"""Files that the proxy reads again by itself: what to wait for."""

from lib import procs


def renewals(proxy):
    """The audit.config entries that a change of CRLs and lists made, the first part of each."""
    return [e for e in proxy.actions("audit.config") if e["tlscribe"]["audit"]["reason"] == "lists"
            and e["tlscribe"]["audit"].get("part", 1) == 1]


def wait_renewal(proxy, before):
    """The entry that comes after the first `before` ones."""
    procs.wait_for(lambda: len(renewals(proxy)) > before, lambda: f"audit.config for lists\n{proxy.report()}", pause=0.1)
    return renewals(proxy)[before]
