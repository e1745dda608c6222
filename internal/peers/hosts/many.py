"""One process in many elections of kazoo with one client.

It prints a line "elected" as examples/candidate does for each that it is elected in,
with the path as its node, and leads until it is killed. Arguments: kind, connect string,
path, id, session timeout in ms, how many elections. They are path/0, path/1 and so on.
"""

import json
import os
import sys
import threading
import time

from kazoo.client import KazooClient

_, connect, path, id, timeout, elections = sys.argv[1:]


def lead(path):
    line = json.dumps({"t": time.monotonic_ns(), "id": id, "event": "elected", "node": path})
    sys.stdout.write(line + "\n")  # whole, so that those of several threads do not mix
    sys.stdout.flush()
    threading.Event().wait()


client = KazooClient(hosts=connect, timeout=int(timeout) / 1000)
client.start()
threading.stack_size(256 << 10)
for i in range(int(elections)):
    one = path + "/" + str(i)
    run = client.Election(one, id).run
    threading.Thread(target=run, args=(lead, one), daemon=True).start()
sys.stdin.read()
os._exit(1)  # the process that started us is gone
