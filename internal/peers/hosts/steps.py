"""A read-write lock of kazoo.

Arguments: connect string, path, and read or write. It acquires and releases the lock as its
input says: acquire, release. It prints acquired and released.
"""

import sys
import threading

from kazoo.client import KazooClient

connect, path, kind = sys.argv[1:4]
client = KazooClient(hosts=connect, timeout=10)
client.start()
lock = {"read": client.ReadLock, "write": client.WriteLock}[kind](path)


def acquire():
    lock.acquire()
    print("acquired", flush=True)


for command in sys.stdin:
    if command.strip() == "acquire":
        threading.Thread(target=acquire, daemon=True).start()
    else:
        lock.release()
        print("released", flush=True)
client.stop()
