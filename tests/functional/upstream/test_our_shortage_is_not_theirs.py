"""A proxy that has no descriptor left says nothing about its back ends: none is left out for it."""

import os
import resource

from lib import procs
from lib.httpclient import Http
from lib.proxy import service
from lib.recorder import Recorder


def test_no_back_end_is_left_out_for_want_of_descriptors(own_proxies, pki):
    recorder = Recorder()
    try:
        made = service("http", pki, {"servers": [recorder.address], "failures": 1, "back_off": "60s"}, mode="http")
        proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [made], workers=1)
        with Http(proxy.config["listeners"][0]["bind"], "http.example", pki.client("good")) as one:
            used = {int(n) for n in os.listdir(f"/proc/{proxy.pid}/fd")}
            before = resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE, (min(set(range(1000)) - used), before[1]))
            try:
                assert one.ask(host="http.example").status == 503
            finally:
                resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE, before)
            assert one.ask(host="http.example").status == 200
        proxy.wait_log("could not be used: Too many open files")
        assert "is left out" not in proxy.log()
    finally:
        recorder.close()
