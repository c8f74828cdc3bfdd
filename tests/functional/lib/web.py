"""A web server for CRLs and OCSP that keeps every request, and does as it is told: late, wrong, or not at all."""

import threading

from lib import procs
from lib.recorder import Recorder, answer


class Web:
    """`pages` maps paths to bytes, or to a function of the request that gives the whole answer or None. While hold() holds, whoever
    asks waits. stop() closes the port, start() opens the same one again."""

    def __init__(self):
        self.pages = {}
        self.server = None
        self.open_gate = threading.Event()
        self.open_gate.set()
        self.port = procs.free_port()
        self.paths = []  # of all requests, in order
        self.start()

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def serve(self, request):
        self.paths.append(request.target)
        self.open_gate.wait(procs.PATIENCE)
        page = self.pages.get(request.target)
        if callable(page):
            return page(request)
        if page is None:
            return answer("there is none", "404 Not Found")
        return answer(page, Content_Type="application/octet-stream")

    def count(self, path=None):
        return len(self.paths) if path is None else self.paths.count(path)

    def wait(self, path, count=1):
        procs.wait_for(lambda: self.count(path) >= count, lambda: f"{count} request(s) for {path}; there were {self.paths}")

    def hold(self):
        self.open_gate.clear()

    def release(self):
        self.open_gate.set()

    def start(self):
        self.server = Recorder(self.serve, address=f"127.0.0.1:{self.port}")

    def stop(self):
        if self.server is not None:
            self.server.close()
            self.server = None

    def close(self):
        self.release()
        self.stop()
