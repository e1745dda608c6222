import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.retry.RetryNTimes;

/**
 * Clients of Apache Curator that add to one counter, for a while or so many times, each with a session of its own.
 *
 * <p>Arguments: DistributedAtomicLong or SharedCount, connect string, path, number of clients, for
 * how many ms, and how many additions each makes at most. It prints how many additions were done, and how
 * many gave up, as JSON.
 */
final class Count {
  /** One client's counter. */
  interface Counter {
    /** Adds 1, or reports that it has given up. */
    boolean add() throws Exception;
  }

  public static void main(String[] args) throws Exception {
    List<Thread> threads = new ArrayList<>();
    List<Counter> counters = new ArrayList<>();
    AtomicLong added = new AtomicLong();
    AtomicLong failed = new AtomicLong();
    for (int i = 0; i < Integer.parseInt(args[3]); i++) {
      CuratorFramework client = CuratorFrameworkFactory.newClient(args[1], 10000, 10000, new RetryNTimes(10, 10));
      client.start();
      client.blockUntilConnected();
      counters.add(args[0].equals("SharedCount") ? shared(client, args[2]) : atomic(client, args[2]));
    }
    long end = System.nanoTime() + Long.parseLong(args[4]) * 1_000_000;
    for (Counter counter : counters) {
      Thread t =
          new Thread(
              () -> {
                for (long n = Long.parseLong(args[5]); n > 0 && System.nanoTime() < end; ) {
                  try {
                    if (counter.add()) {
                      added.incrementAndGet();
                      n--;
                    } else {
                      failed.incrementAndGet();
                    }
                  } catch (Exception e) {
                    failed.incrementAndGet();
                  }
                }
              });
      t.start();
      threads.add(t);
    }
    for (Thread t : threads) {
      t.join();
    }
    System.out.println("{\"added\":" + added + ",\"failed\":" + failed + "}");
    System.exit(0);
  }

  /** The retry policy is the one of Curator's own example. */
  private static Counter atomic(CuratorFramework client, String path) {
    DistributedAtomicLong n = new DistributedAtomicLong(client, path, new RetryNTimes(10, 10));
    return () -> n.increment().succeeded();
  }

  private static Counter shared(CuratorFramework client, String path) throws Exception {
    SharedCount n = new SharedCount(client, path, 0);
    n.start();
    return () -> {
      var now = n.getVersionedValue();
      return n.trySetCount(now, now.getValue() + 1);
    };
  }
}
