import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderLatchListener;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryOneTime;
import org.apache.zookeeper.data.Stat;

/**
 * One candidate of Apache Curator as a process: LeaderLatch or LeaderSelector. It prints
 * JSON lines as examples/candidate does and obeys "resign", "quit" and "look" on stdin.
 *
 * <p>Arguments: kind, connect string, path, id, session timeout in ms, time between beats in ms,
 * and perhaps digest credentials user:password.
 */
final class Host {
  private static final Output OUT = new Output();

  /** What the two recipes have in common. */
  interface Candidate {
    /** Stands for election until resign or quit, and leaves the line. */
    void stand() throws Exception;

    boolean leads();
  }

  private final CuratorFramework client;
  private final String path;
  private final String id;
  private final LinkedBlockingQueue<String> commands = new LinkedBlockingQueue<>();
  private String node; // our last in line, as it was told; guarded by OUT
  private volatile long token; // its czxid, as of our own candidates

  private Host(String connect, String path, String id, int timeout, String auth) {
    this.path = path;
    this.id = id;
    CuratorFrameworkFactory.Builder b =
        CuratorFrameworkFactory.builder()
            .connectString(connect)
            .sessionTimeoutMs(timeout)
            .connectionTimeoutMs(timeout)
            .retryPolicy(new RetryOneTime(100));
    if (auth != null) {
      b.authorization("digest", auth.getBytes());
    }
    client = b.build();
  }

  public static void main(String[] args) throws Exception {
    OUT.id = args[3];
    Host h = new Host(args[1], args[2], args[3], Integer.parseInt(args[4]), args.length > 6 ? args[6] : null);
    h.run(args[0], Integer.parseInt(args[5]));
  }

  private void run(String kind, int beat) throws Exception {
    // A listener's thread of its own: blocked output must not hold up Curator's events.
    client.getConnectionStateListenable().addListener((c, s) -> stateChanged(s));
    client.start();
    client.blockUntilConnected();
    Candidate candidate = kind.equals("LeaderLatch") ? new Latch() : new Selector();
    daemon(() -> beat(candidate, beat));
    daemon(() -> read(candidate));
    candidate.stand();
    client.close();
    System.exit(0);
  }

  private void stateChanged(ConnectionState state) {
    switch (state) {
      case CONNECTED:
      case RECONNECTED:
        try {
          OUT.write("session", "session", "0x" + Long.toHexString(session()), "timeout_ms", granted());
        } catch (Exception e) {
          OUT.write("error", "error", e.toString());
        }
        break;
      case SUSPENDED:
        OUT.write("suspended");
        break;
      default:
        OUT.write("error", "error", "connection " + state);
    }
  }

  private long session() throws Exception {
    return client.getZookeeperClient().getZooKeeper().getSessionId();
  }

  private long granted() throws Exception {
    return client.getZookeeperClient().getZooKeeper().getSessionTimeout();
  }

  private static void daemon(Runnable work) {
    Thread t = new Thread(work);
    t.setDaemon(true);
    t.start();
  }

  /** Passes the commands on, so that stdin is read whatever the candidate waits for. */
  private void read(Candidate candidate) {
    try (BufferedReader in = new BufferedReader(new InputStreamReader(System.in))) {
      for (String line; (line = in.readLine()) != null; ) {
        if (line.trim().equals("look")) {
          daemon(() -> look(candidate));
        } else {
          commands.add(line.trim());
        }
      }
    } catch (java.io.IOException e) {
      OUT.write("error", "error", e.toString());
    }
    Runtime.getRuntime().halt(1); // the process that started us is gone
  }

  /**
   * Tells whether the candidate leads, when a LeaderLatch has done what it does after all that has
   * happened in the line so far. The first answer comes after the events of that. A latch asks the
   * server a few questions then, the next one when it has an answer. They come in the thread that
   * gets ours, so one question of ours at a time stands behind each of its own.
   */
  private void look(Candidate candidate) {
    try {
      for (int i = 0; i < 10; i++) {
        CountDownLatch answered = new CountDownLatch(1);
        client.sync().inBackground((c, e) -> answered.countDown()).forPath(path);
        answered.await();
      }
      OUT.write("looked", "reason", candidate.leads() ? "leads" : "waits");
    } catch (Exception e) {
      OUT.write("error", "error", e.toString());
    }
  }

  private void beat(Candidate candidate, int every) {
    try {
      for (; ; Thread.sleep(every)) {
        OUT.beat(candidate);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Tells once of every znode that we have in line. */
  private void joined(String path) {
    synchronized (OUT) {
      if (path == null || path.equals(node)) {
        return;
      }
    }
    long czxid;
    try {
      Stat stat = client.checkExists().forPath(path);
      if (stat == null) {
        return; // gone already
      }
      czxid = stat.getCzxid();
    } catch (Exception e) {
      OUT.write("error", "error", e.toString());
      return;
    }
    synchronized (OUT) {
      if (!path.equals(node)) {
        node = path;
        token = czxid;
        OUT.write("joined", "node", path);
      }
    }
  }

  /** LeaderLatch: leads until it is closed or the connection is lost. */
  private final class Latch implements Candidate, LeaderLatchListener {
    private volatile LeaderLatch latch;
    private volatile boolean closing;

    public boolean leads() {
      return latch != null && latch.hasLeadership();
    }

    public void stand() throws Exception {
      latch = newLatch();
      daemon(this::follow);
      for (String command = "resign"; command.equals("resign"); ) {
        latch.start();
        for (command = commands.take(); command.equals("resign") && !leads(); ) {
          OUT.write("error", "error", "cannot resign: not leading");
          command = commands.take();
        }
        closing = true;
        latch.close();
        closing = false;
        OUT.write("left");
        latch = newLatch(); // one that was closed cannot start again
      }
    }

    private LeaderLatch newLatch() {
      LeaderLatch l = new LeaderLatch(client, path, id, LeaderLatch.CloseMode.NOTIFY_LEADER);
      l.addListener(this);
      return l;
    }

    /** Curator does not tell of its znodes, but can be asked at no cost. */
    private void follow() {
      try {
        for (; ; Thread.sleep(2)) {
          joined(latch.getOurPath());
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    public void isLeader() {
      joined(latch.getOurPath());
      OUT.elected(token);
    }

    public void notLeader() {
      OUT.deposed(closing ? "resigned" : "notLeader");
    }
  }

  /** LeaderSelector: leads until takeLeadership returns or is interrupted. */
  private final class Selector extends LeaderSelectorListenerAdapter implements Candidate {
    private final LeaderSelector selector = new LeaderSelector(client, path, this);
    private final AtomicReference<CountDownLatch> term = new AtomicReference<>();
    private volatile boolean looking = true; // for the next znode of ours

    public boolean leads() {
      return term.get() != null && selector.hasLeadership();
    }

    public void stand() throws Exception {
      selector.setId(id);
      selector.autoRequeue();
      selector.start();
      daemon(this::follow);
      while (commands.take().equals("resign")) {
        resign();
      }
      selector.close();
      OUT.write("left");
    }

    public void resign() {
      CountDownLatch end = term.get();
      if (end == null) {
        OUT.write("error", "error", "cannot resign: not leading");
      } else {
        end.countDown();
      }
    }

    private void follow() {
      try {
        for (; ; Thread.sleep(5)) {
          if (looking) {
            find();
          }
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    /** LeaderSelector keeps its znode's name to itself: look for one of our session. */
    private void find() {
      try {
        for (String child : client.getChildren().forPath(path)) {
          String full = path + "/" + child;
          if (full.equals(node)) {
            continue; // of the last term, on its way out
          }
          Stat stat = client.checkExists().forPath(full);
          if (stat != null && stat.getEphemeralOwner() == session()) {
            joined(full);
            looking = false;
          }
        }
      } catch (Exception e) {
        // Not there yet, or not connected: the next look will tell.
      }
    }

    @Override
    public void takeLeadership(CuratorFramework c) throws Exception {
      CountDownLatch end = new CountDownLatch(1);
      if (looking) {
        find();
      }
      term.set(end);
      OUT.elected(token);
      try {
        end.await();
        OUT.deposed("resigned");
      } catch (InterruptedException e) {
        OUT.deposed("interrupted");
      } finally {
        term.set(null);
        looking = true;
      }
    }
  }

  /** Lines on stdout, in the order of their stamps. */
  private static final class Output {
    private String id;
    private long token; // of the term
    private boolean leading;

    synchronized void write(String event, Object... fields) {
      print(System.nanoTime(), event, fields);
    }

    synchronized void elected(long token) {
      this.token = token;
      leading = true;
      write("elected", "token", token);
    }

    synchronized void deposed(String reason) {
      if (leading) {
        write("deposed", "token", token, "reason", reason);
      }
      leading = false;
    }

    /** A beat says that the candidate led before the stamp and after it. */
    synchronized void beat(Candidate candidate) {
      if (!leading || !candidate.leads()) {
        return;
      }
      long now = System.nanoTime();
      if (candidate.leads()) {
        print(now, "beat", "token", token);
      }
    }

    private void print(long now, String event, Object... fields) {
      StringBuilder b = new StringBuilder();
      b.append("{\"t\":").append(now).append(",\"id\":").append(quote(id)).append(",\"event\":").append(quote(event));
      for (int i = 0; i < fields.length; i += 2) {
        Object v = fields[i + 1];
        b.append(',').append(quote((String) fields[i])).append(':').append(v instanceof String ? quote((String) v) : v);
      }
      System.out.println(b.append('}'));
      System.out.flush();
    }

    private static String quote(String s) {
      return '"' + s.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n") + '"';
    }
  }
}
