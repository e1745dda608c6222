"""A plugin of pytest: kazoo's tests on servers that another process runs for them."""
import faulthandler
import os
import sys
import types
import urllib.request

import pytest

for name in "OpenSSL", "jks":  # its harness imports them for TLS, which is not tried
    sys.modules.setdefault(name, types.ModuleType(name))

import kazoo.client  # noqa: E402
import kazoo.testing.harness  # noqa: E402
import kazoo.tests.test_lock  # noqa: E402

CONTROL = os.environ["CONTROL"]
STDERR = os.fdopen(os.dup(2), "w")  # pytest takes the other one


def ask(what):
    return urllib.request.urlopen(CONTROL + what).read().decode()


class Server:
    def __init__(self, ensemble, number, address):
        self.at = "?id=%s&server=%d" % (ensemble, number)
        self.address = self.secure_address = address
        self.running = True

    def run(self):
        ask("/start" + self.at)
        self.running = True

    def stop(self):
        ask("/stop" + self.at)
        self.running = False


class Cluster(list):
    def __init__(self):
        ensemble, addresses = ask("/new?servers=3&tick=2s").split(" ")
        super().__init__(Server(ensemble, i, a) for i, a in enumerate(addresses.split(",")))

    def start(self):
        for server in self:
            server.run()

    def terminate(self):
        """The next test goes on with the same servers."""

    def get_logs(self):
        return []


CLUSTER = Cluster()
kazoo.testing.harness.get_global_cluster = lambda: CLUSTER

if os.environ.get("SERVER_VERSION"):  # zktest does not answer the four-letter word that kazoo asks for it
    VERSION = tuple(int(part) for part in os.environ["SERVER_VERSION"].split("."))
    kazoo.client.KazooClient.server_version = lambda self, retries=3: VERSION


class Barrier(kazoo.tests.test_lock.SleepBarrier):
    """A barrier that stays open. Theirs closes again when the first thread has done its work, so a thread that the
    machine lets wait for longer than that waits for ever, on real servers too."""

    is_open = False

    def wait(self):
        while not self.is_open:
            self.is_open = len(self._arrived) >= self._wait_for
            self._sleep_func(0.001)


kazoo.tests.test_lock.SleepBarrier = Barrier


@pytest.fixture(autouse=True)
def bounded():
    """A test that hangs shows where all threads are, and ends the run."""
    faulthandler.dump_traceback_later(90, exit=True, file=STDERR)
    yield
    faulthandler.cancel_dump_traceback_later()
