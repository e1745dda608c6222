"""One candidate of kazoo as a process.

It prints JSON lines as examples/candidate does and obeys "resign" and "quit" on stdin.
Arguments: kind, connect string, path, id, session timeout in ms, time between beats in
ms, and perhaps digest credentials user:password. The kind is KazooElection, or
KazooPatterns: the same with a lock that honours the znodes of LeaderLatch,
LeaderSelector and zk.Lock as well.
"""

import json
import os
import queue
import sys
import threading
import time

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import KazooException

PATTERNS = ("latch-", "lock-")


class Output:
    """Lines on stdout, in the order of their stamps."""

    def __init__(self, id):
        self.id = id
        self.lock = threading.Lock()

    def write(self, event, **fields):
        with self.lock:
            self.print(time.monotonic_ns(), event, fields)

    def beat(self, leads, token):
        """Says that the candidate led before the stamp and after it."""
        with self.lock:
            if not leads():
                return
            now = time.monotonic_ns()
            if leads():
                self.print(now, "beat", {"token": token})

    def print(self, now, event, fields):
        sys.stdout.write(json.dumps({"t": now, "id": self.id, "event": event, **fields}) + "\n")
        sys.stdout.flush()


class Host:
    def __init__(self, kind, connect, path, id, timeout, beat, auth=None):
        self.path, self.every = path, beat / 1000
        self.out = Output(id)
        self.commands = queue.Queue()
        self.changed = threading.Event()  # the state of the connection
        self.quit = self.leading = False
        self.client = KazooClient(
            hosts=connect,
            timeout=timeout / 1000,
            auth_data=[("digest", auth)] if auth else None,
        )
        self.client.add_listener(self.state_changed)
        self.client.start()
        self.election = self.client.Election(path, id)
        if kind == "KazooPatterns":
            self.election.lock = self.client.Lock(path, id, extra_lock_patterns=PATTERNS)
        self.told = None  # our last znode in line

    def state_changed(self, state):
        self.changed.set()
        self.commands.put(None)  # wakes a leader, which looks at the state
        if state == KazooState.CONNECTED:
            session, _ = self.client.client_id
            self.out.write("session", session=hex(session & (1 << 64) - 1))
        elif state == KazooState.SUSPENDED:
            self.out.write("suspended")
        else:
            self.out.write("error", error="connection " + state)

    def read(self):
        for command in map(str.strip, sys.stdin):
            if command == "quit":
                self.quit = True
                self.election.cancel()  # of no effect on a leader
            elif not self.leading:
                self.out.write("error", error="cannot resign: not leading")
                continue
            self.commands.put(command)
        os._exit(1)  # the process that started us is gone

    def follow(self):
        """kazoo does not tell of its znodes, but can be asked at no cost."""
        while True:
            self.joined()
            if self.quit:
                return
            time.sleep(0.002)

    def joined(self):
        node = self.election.lock.node
        with self.out.lock:
            if node is None or node == self.told:
                return
            self.told = node
            self.out.print(time.monotonic_ns(), "joined", {"node": self.path + "/" + node})

    def lead(self):
        """Leads until "resign" or "quit", or until the connection is lost, as kazoo's
        documentation asks of its users."""
        self.changed.clear()
        self.joined()
        stat = self.client.exists(self.path + "/" + self.election.lock.node)
        token = stat.czxid if stat else 0
        self.out.write("elected", token=token)
        self.leading = True
        reason = "connection"
        while self.leads():
            self.out.beat(self.leads, token)
            try:
                command = self.commands.get(timeout=self.every)
            except queue.Empty:
                continue
            if command:
                reason = "resigned"
                break
        self.leading = False
        self.out.write("deposed", token=token, reason=reason)

    def leads(self):
        return self.client.state == KazooState.CONNECTED and not self.changed.is_set()

    def stand(self):
        while not self.quit:
            try:
                self.election.run(self.lead)
            except KazooException as e:
                self.out.write("error", error=repr(e))
                time.sleep(0.1)
                continue
            self.out.write("left")

    def run(self):
        threading.Thread(target=self.follow, daemon=True).start()
        threading.Thread(target=self.read, daemon=True).start()
        self.stand()
        self.client.stop()
        self.client.close()


if __name__ == "__main__":
    kind, connect, path, id, timeout, beat, *auth = sys.argv[1:]
    Host(kind, connect, path, id, int(timeout), int(beat), *auth).run()
