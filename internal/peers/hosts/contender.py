"""One contender on a lock of kazoo as a process.

It prints JSON lines as examples/contender does, and takes the lock again and again until
stdin ends. Arguments: kind, connect string, path, id, session timeout, time between beats,
hold and rest in ms. The token only counts the acquisitions of the process.
"""

import json
import os
import sys
import threading
import time

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import KazooException

kind, connect, path, id, timeout, beat, hold, rest = sys.argv[1:9]
beat, hold, rest = int(beat) / 1000, int(hold) / 1000, int(rest) / 1000
output = threading.Lock()
losses = 0


def write(event, now=None, **fields):
    with output:
        line = {"t": now or time.monotonic_ns(), "id": id, "event": event, **fields}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def state_changed(state):
    global losses
    if state == KazooState.CONNECTED:
        write("session")
    else:
        losses += 1


def read():
    sys.stdin.read()
    os._exit(1)  # the process that started us is gone


def new_lock(client):
    if kind == "Lock":
        # zk.Lock may stand ahead.
        return client.Lock(path, id, extra_lock_patterns=("lock-",))
    return {"ReadLock": client.ReadLock, "WriteLock": client.WriteLock}[kind](path, id)


def contend(client):
    token = 0
    while True:
        before = losses
        # A new lock each time: after the session has ended, an old one may take itself for the holder.
        lock = new_lock(client)
        write("waiting")
        try:
            lock.acquire()
        except KazooException as e:
            write("error", error=repr(e))
            time.sleep(0.1)
            continue
        token += 1
        holds = losses == before
        if holds:
            write("acquired", token=token)
        end = time.monotonic() + hold
        while holds and time.monotonic() < end:
            now = time.monotonic_ns()
            holds = losses == before and client.connected
            if holds:
                write("beat", now, token=token)
                time.sleep(beat)
        write("released" if holds else "lost", token=token)
        try:
            lock.release()
        except KazooException as e:
            write("error", error=repr(e))
        time.sleep(rest)


client = KazooClient(hosts=connect, timeout=int(timeout) / 1000)
client.add_listener(state_changed)
client.start()
threading.Thread(target=read, daemon=True).start()
contend(client)
