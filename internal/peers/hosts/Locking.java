import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.retry.RetryNTimes;

/**
 * Clients of Apache Curator that take one lock in turn, for a while, each with a session of its own.
 *
 * <p>Arguments: InterProcessMutex, connect string, path, number of clients, for how many ms, after how many. It prints
 * how often the lock was acquired, how many attempts failed, and the median time in ns from the call that
 * releases the lock to the return of the next call that acquires it, as JSON.
 */
final class Locking {
  public static void main(String[] args) throws Exception {
    List<Thread> threads = new ArrayList<>();
    List<InterProcessMutex> locks = new ArrayList<>();
    for (int i = 0; i < Integer.parseInt(args[3]); i++) {
      CuratorFramework client = CuratorFrameworkFactory.newClient(args[1], 10000, 10000, new RetryNTimes(10, 10));
      client.start();
      client.blockUntilConnected();
      locks.add(new InterProcessMutex(client, args[2]));
    }
    AtomicLong failed = new AtomicLong();
    AtomicLong released = new AtomicLong();
    List<Long> took = new ArrayList<>(); // of the holder of the lock
    long begin = System.nanoTime() + Long.parseLong(args[5]) * 1_000_000;
    long end = begin + Long.parseLong(args[4]) * 1_000_000;
    for (InterProcessMutex lock : locks) {
      Thread t =
          new Thread(
              () -> {
                while (System.nanoTime() < end) {
                  try {
                    lock.acquire();
                    long now = System.nanoTime();
                    long before = released.get();
                    if (before != 0 && now > begin && now < end) {
                      took.add(now - before);
                    }
                    released.set(System.nanoTime());
                    lock.release();
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
    long[] sorted = took.stream().mapToLong(Long::longValue).toArray();
    Arrays.sort(sorted);
    System.out.println(
        "{\"acquired\":" + sorted.length + ",\"failed\":" + failed + ",\"handover\":" + (sorted.length == 0 ? 0 : sorted[sorted.length / 2]) + "}");
    System.exit(0);
  }
}
