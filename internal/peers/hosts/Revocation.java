import java.util.Scanner;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.Revoker;
import org.apache.curator.retry.RetryNTimes;

/**
 * A revocable lock of Apache Curator.
 *
 * <p>Arguments: connect string, path, and lock, read or write. It acquires and releases the lock, and asks the first in
 * line to release it, as its input says: acquire, release, revoke. It prints acquired, released, asked, and revoked when
 * its RevocationListener is called.
 */
final class Revocation {
  public static void main(String[] args) throws Exception {
    CuratorFramework client = CuratorFrameworkFactory.newClient(args[0], 10000, 10000, new RetryNTimes(10, 10));
    client.start();
    client.blockUntilConnected();
    InterProcessMutex lock = lock(client, args[1], args[2]);
    lock.makeRevocable(l -> print("revoked"));
    ExecutorService owner = Executors.newSingleThreadExecutor(); // who has acquired it must release it
    Scanner in = new Scanner(System.in);
    while (in.hasNextLine()) {
      switch (in.nextLine()) {
        case "acquire":
          owner.submit(() -> run("acquired", lock::acquire));
          break;
        case "release":
          owner.submit(() -> run("released", lock::release));
          break;
        default:
          run("asked", () -> Revoker.attemptRevoke(client, lock.getParticipantNodes().iterator().next()));
      }
    }
    client.close();
    System.exit(0);
  }

  private static InterProcessMutex lock(CuratorFramework client, String path, String kind) {
    switch (kind) {
      case "read":
        return new InterProcessReadWriteLock(client, path).readLock();
      case "write":
        return new InterProcessReadWriteLock(client, path).writeLock();
      default:
        return new InterProcessMutex(client, path);
    }
  }

  interface Step {
    void run() throws Exception;
  }

  private static void run(String done, Step step) {
    try {
      step.run();
      print(done);
    } catch (Exception e) {
      print(e.toString());
    }
  }

  private static synchronized void print(String line) {
    System.out.println(line);
  }
}
