"""Clients of kazoo that add to one counter, for a while or so many times, each with a session of its own.

Arguments: Counter, or CuratorCounter for Curator's encoding, connect string, path, number of clients, for how many ms,
and how many additions each makes at most. It prints how many additions were done, and how many failed, as
JSON.
"""

import json
import sys
import threading
import time

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException
from kazoo.retry import RetryFailedError

kind, connect, path, clients, millis, most = sys.argv[1:]
added = [0] * int(clients)
failed = [0] * int(clients)
begin = threading.Barrier(int(clients))


def add(i, counter):
    begin.wait()
    end = time.monotonic() + int(millis) / 1000
    while added[i] < int(most) and time.monotonic() < end:
        try:
            counter += 1
            added[i] += 1
        except (KazooException, RetryFailedError):
            failed[i] += 1


threads = []
for i in range(int(clients)):
    client = KazooClient(hosts=connect, timeout=10)
    client.start()
    counter = client.Counter(path, support_curator=True) if kind == "CuratorCounter" else client.Counter(path)
    threads.append(threading.Thread(target=add, args=(i, counter), daemon=True))
for t in threads:
    t.start()
for t in threads:
    t.join()
print(json.dumps({"added": sum(added), "failed": sum(failed)}))
