"""Servers of zktest in place of those that the tests of kazoo start themselves."""

import os
import subprocess
import sys
import types


class Server:
    def __init__(self, cluster, number, address):
        self.cluster, self.number, self.address = cluster, number, address
        self.secure_address = address
        self.running = True

    def run(self):
        if not self.running:
            self.cluster.say("start", self.number)
            self.running = True

    def stop(self):
        if self.running:
            self.cluster.say("kill", self.number)
            self.running = False

    destroy = stop


class Cluster:
    def __init__(self, **_):
        size = os.environ.get("ZOOKEEPER_CLUSTER_SIZE", "3")
        self.process = subprocess.Popen(
            [os.environ["ZKTEST_SERVE"], "-servers", size],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        addresses = self.process.stdout.readline().split()
        self.servers = [Server(self, i + 1, a) for i, a in enumerate(addresses)]

    def say(self, verb, number):
        self.process.stdin.write("%s %d\n" % (verb, number))
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if answer != "ok":
            raise RuntimeError(answer)

    def __getitem__(self, i):
        return self.servers[i]

    def __iter__(self):
        return iter(self.servers)

    def start(self):
        for server in self.servers:
            server.run()

    def stop(self):
        for server in self.servers:
            server.stop()

    def terminate(self):
        self.process.stdin.close()
        self.process.wait()

    def reset(self):
        self.stop()
        self.start()

    def get_logs(self):
        return []


# In the place of the module that starts servers, and that makes certificates for them with other libraries.
common = types.ModuleType("kazoo.testing.common")
common.ZookeeperCluster = Cluster
sys.modules["kazoo.testing.common"] = common
