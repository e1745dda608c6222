"""Clients of kazoo that take one semaphore in turn, for a while, each with a session of its own.

Arguments: Semaphore, connect string, path, number of clients, for how many ms, after how many,
for how many ms nobody releases a permit after an acquisition that counts, and the number of
permits. When all are connected, it prints "ready" and waits for a line on stdin. In the end it
prints how often it was acquired, how many attempts failed, and the median time in ns from the call
that releases a permit to the return of the next call that acquires one, as JSON.
"""

import collections
import json
import sys
import threading
import time

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException

_, connect, path, clients, millis, warm_up, rest, permits = sys.argv[1:]
failed = [0] * int(clients)
guard = threading.Lock()  # of what follows
holders = collections.deque()  # the oldest first
took = []
acquired = 0
released = 0  # when the last permit was; 0 if it is taken again


def hold():
    """Returns when the thread, which has just acquired a permit, has to release it.

    The one that takes the last permit tells the oldest holder to release its own.
    """
    global acquired, released
    now = time.monotonic_ns()
    told = threading.Event()
    with guard:
        if begin < now < end:
            acquired += 1
            if released > begin:
                took.append(now - released)
        released = 0
        holders.append(told)
        last = len(holders) == int(permits)
    if last:
        if begin < now < end:
            time.sleep(int(rest) / 1000)
        with guard:
            holders.popleft().set()
    told.wait(max(0, end - time.monotonic_ns()) / 1e9)
    with guard:
        released = time.monotonic_ns()


def take(i, semaphore):
    while time.monotonic_ns() < end:
        try:
            semaphore.acquire()
            hold()
            semaphore.release()
        except KazooException:
            failed[i] += 1


threads = []
servers = connect.split(",")
for i in range(int(clients)):
    client = KazooClient(hosts=servers[i % len(servers)], timeout=10)
    client.start()
    semaphore = client.Semaphore(path, max_leases=int(permits))
    threads.append(threading.Thread(target=take, args=(i, semaphore), daemon=True))
print("ready", flush=True)
sys.stdin.readline()
begin = time.monotonic_ns() + int(warm_up) * 1_000_000
end = begin + int(millis) * 1_000_000
for t in threads:
    t.start()
for t in threads:
    t.join()
took.sort()
print(json.dumps({"acquired": acquired, "failed": sum(failed), "handover": took[len(took) // 2] if took else 0}))
