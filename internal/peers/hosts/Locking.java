import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.retry.RetryNTimes;

/**
 * Clients of Apache Curator that take one lock or semaphore in turn, for a while, each with a session
 * of its own.
 *
 * <p>Arguments: InterProcessMutex or SemaphoreV2, connect string, path, number of clients, for how
 * many ms, after how many, for how many ms nobody releases it after an acquisition that counts, and
 * the number of permits. When all are connected, it prints "ready" and waits for a line on stdin.
 * In the end it prints how often it was acquired, how many attempts failed, and the median time in
 * ns from the call that releases it to the return of the next call that acquires it, as JSON.
 */
final class Locking {
  interface Means {
    /** Acquires, holds and releases. */
    void take(Locking turns) throws Exception;
  }

  private final long begin;
  private final long end;
  private final long rest;
  private final int permits;
  // What follows is guarded by this.
  private final Queue<CountDownLatch> holders = new ArrayDeque<>(); // the oldest first
  private final List<Long> took = new ArrayList<>();
  private int acquired;
  private long released; // when the last permit was; 0 if it is taken again

  private Locking(long length, long warmUp, long rest, int permits) {
    begin = System.nanoTime() + warmUp * 1_000_000;
    end = begin + length * 1_000_000;
    this.rest = rest;
    this.permits = permits;
  }

  public static void main(String[] args) throws Exception {
    List<Means> all = new ArrayList<>();
    String[] servers = args[1].split(",");
    int permits = Integer.parseInt(args[7]);
    for (int i = 0; i < Integer.parseInt(args[3]); i++) {
      CuratorFramework client =
          CuratorFrameworkFactory.newClient(servers[i % servers.length], 10000, 10000, new RetryNTimes(10, 10));
      client.start();
      client.blockUntilConnected();
      all.add(means(client, args[0], args[2], permits));
    }
    System.out.println("ready");
    System.in.read();
    Locking turns = new Locking(Long.parseLong(args[4]), Long.parseLong(args[5]), Long.parseLong(args[6]), permits);
    AtomicLong failed = new AtomicLong();
    List<Thread> threads = new ArrayList<>();
    for (Means means : all) {
      Thread t =
          new Thread(
              () -> {
                while (System.nanoTime() < turns.end) {
                  try {
                    means.take(turns);
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
    long[] sorted = turns.took.stream().mapToLong(Long::longValue).sorted().toArray();
    System.out.println(
        "{\"acquired\":" + turns.acquired + ",\"failed\":" + failed + ",\"handover\":" + (sorted.length == 0 ? 0 : sorted[sorted.length / 2]) + "}");
    System.exit(0);
  }

  private static Means means(CuratorFramework client, String kind, String path, int permits) {
    if (kind.equals("InterProcessMutex")) {
      InterProcessMutex lock = new InterProcessMutex(client, path);
      return turns -> {
        lock.acquire();
        turns.hold();
        lock.release();
      };
    }
    InterProcessSemaphoreV2 semaphore = new InterProcessSemaphoreV2(client, path, permits);
    return turns -> {
      Lease lease = semaphore.acquire();
      turns.hold();
      semaphore.returnLease(lease);
    };
  }

  /**
   * Returns when the thread, which has just acquired a permit, has to release it. The one that takes
   * the last permit tells the oldest holder to release its own.
   */
  private void hold() throws InterruptedException {
    long now = System.nanoTime();
    CountDownLatch told = new CountDownLatch(1);
    boolean last;
    synchronized (this) {
      if (now > begin && now < end) {
        acquired++;
        if (released > begin) {
          took.add(now - released);
        }
      }
      released = 0;
      holders.add(told);
      last = holders.size() == permits;
    }
    if (last) {
      if (rest > 0 && now > begin && now < end) {
        Thread.sleep(rest);
      }
      synchronized (this) {
        holders.remove().countDown();
      }
    }
    told.await(end - System.nanoTime(), TimeUnit.NANOSECONDS);
    synchronized (this) {
      released = System.nanoTime();
    }
  }
}
