import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.locks.InterProcessLock;
import org.apache.curator.framework.recipes.locks.InterProcessMultiLock;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryOneTime;

/**
 * One contender on a lock of Apache Curator as a process. It prints JSON lines as
 * examples/contender does, and takes the lock again and again until stdin ends.
 *
 * <p>Arguments: kind, connect string, path, id, session timeout, time between beats, hold and rest in
 * ms, and the size of a semaphore. The path of a multi-lock is those of its locks, with commas. The
 * token only counts the acquisitions of the process.
 */
final class Contender {
  interface Means {
    void acquire() throws Exception;

    void release() throws Exception;
  }

  private static String id;

  public static void main(String[] a) throws Exception {
    id = a[3];
    int timeout = Integer.parseInt(a[4]);
    CuratorFramework client =
        CuratorFrameworkFactory.newClient(a[1], timeout, timeout, new RetryOneTime(100));
    AtomicLong losses = new AtomicLong();
    client
        .getConnectionStateListenable()
        .addListener(
            (c, s) -> {
              if (s == ConnectionState.SUSPENDED || s == ConnectionState.LOST) {
                losses.incrementAndGet();
              } else {
                print(System.nanoTime(), "session", "");
              }
            });
    client.start();
    client.blockUntilConnected();
    Thread reader = new Thread(Contender::read);
    reader.setDaemon(true);
    reader.start();
    Means means = means(client, a[0], a[2], Integer.parseInt(a[8]));
    contend(client, means, losses, Long.parseLong(a[5]), Long.parseLong(a[6]), Long.parseLong(a[7]));
  }

  private static Means means(CuratorFramework client, String kind, String path, int size) {
    switch (kind) {
      case "InterProcessMutex":
        return of(new InterProcessMutex(client, path));
      case "InterProcessMultiLock":
        return of(new InterProcessMultiLock(client, Arrays.asList(path.split(","))));
      case "ReadWriteLock.read":
        return of(new InterProcessReadWriteLock(client, path).readLock());
      case "ReadWriteLock.write":
        return of(new InterProcessReadWriteLock(client, path).writeLock());
      case "ReadWriteLock.downgrade":
        InterProcessReadWriteLock both = new InterProcessReadWriteLock(client, path);
        return new Means() {
          public void acquire() throws Exception {
            both.writeLock().acquire();
            try {
              both.readLock().acquire();
            } catch (Exception e) {
              both.writeLock().release();
              throw e;
            }
            try {
              both.writeLock().release();
            } catch (Exception e) {
              both.readLock().release();
              throw e;
            }
          }

          public void release() throws Exception {
            both.readLock().release();
          }
        };
      default:
        InterProcessSemaphoreV2 s = new InterProcessSemaphoreV2(client, path, size);
        return new Means() {
          private Lease lease;

          public void acquire() throws Exception {
            lease = s.acquire();
          }

          public void release() {
            s.returnLease(lease);
          }
        };
    }
  }

  private static Means of(InterProcessLock lock) {
    return new Means() {
      public void acquire() throws Exception {
        lock.acquire();
      }

      public void release() throws Exception {
        lock.release();
      }
    };
  }

  /** What counts as holding is what Curator asks of its users: no loss of the connection since. */
  private static void contend(CuratorFramework client, Means means, AtomicLong losses, long beat, long hold, long rest)
      throws InterruptedException {
    for (long token = 1; ; ) {
      long before = losses.get();
      print(System.nanoTime(), "waiting", "");
      try {
        means.acquire();
      } catch (Exception e) {
        print(System.nanoTime(), "error", ",\"error\":\"" + e.toString().replace('"', '\'') + "\"");
        Thread.sleep(100);
        continue;
      }
      String field = ",\"token\":" + token++;
      long end = System.nanoTime() + hold * 1_000_000;
      boolean holds = losses.get() == before;
      if (holds) {
        print(System.nanoTime(), "acquired", field);
      }
      while (holds && System.nanoTime() < end) {
        long now = System.nanoTime();
        holds = losses.get() == before && client.getZookeeperClient().isConnected();
        if (holds) {
          print(now, "beat", field);
          Thread.sleep(beat);
        }
      }
      print(System.nanoTime(), holds ? "released" : "lost", field);
      try {
        means.release();
      } catch (Exception e) {
        print(System.nanoTime(), "error", ",\"error\":\"" + e.toString().replace('"', '\'') + "\"");
      }
      Thread.sleep(rest);
    }
  }

  private static void read() {
    try {
      while (System.in.read() >= 0) {}
    } catch (java.io.IOException e) {
      // as its end
    }
    Runtime.getRuntime().halt(1); // the process that started us is gone
  }

  private static synchronized void print(long now, String event, String fields) {
    System.out.println("{\"t\":" + now + ",\"id\":\"" + id + "\",\"event\":\"" + event + "\"" + fields + "}");
    System.out.flush();
  }
}
