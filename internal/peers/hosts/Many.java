import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderLatchListener;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.retry.RetryOneTime;

/**
 * One process in many elections of Apache Curator with one client: LeaderLatch or LeaderSelector.
 * It prints a line "elected" as examples/candidate does for each that it is elected in, with the
 * path as its node, and leads until it is killed.
 *
 * <p>Arguments: kind, connect string, path, id, session timeout in ms, how many elections. They are
 * path/0, path/1 and so on.
 */
final class Many {
  private static String id;

  public static void main(String[] args) throws Exception {
    id = args[3];
    int timeout = Integer.parseInt(args[4]);
    CuratorFramework client =
        CuratorFrameworkFactory.newClient(args[1], timeout, timeout, new RetryOneTime(100));
    client.start();
    client.blockUntilConnected();
    for (int i = 0; i < Integer.parseInt(args[5]); i++) {
      stand(client, args[0], args[2] + "/" + i);
    }
    while (System.in.read() >= 0) {}
    Runtime.getRuntime().halt(1); // the process that started us is gone
  }

  private static void stand(CuratorFramework client, String kind, String path) throws Exception {
    if (kind.equals("LeaderSelector")) {
      new LeaderSelector(client, path, new Leader(path)).start();
      return;
    }
    LeaderLatch latch = new LeaderLatch(client, path, id);
    latch.addListener(
        new LeaderLatchListener() {
          public void isLeader() {
            elected(path);
          }

          public void notLeader() {}
        });
    latch.start();
  }

  private static final class Leader extends LeaderSelectorListenerAdapter {
    private final String path;

    Leader(String path) {
      this.path = path;
    }

    @Override
    public void takeLeadership(CuratorFramework client) throws InterruptedException {
      elected(path);
      Thread.sleep(Long.MAX_VALUE);
    }
  }

  private static synchronized void elected(String path) {
    String told = "{\"t\":%d,\"id\":\"%s\",\"event\":\"elected\",\"node\":\"%s\"}\n";
    System.out.printf(told, System.nanoTime(), id, path);
    System.out.flush();
  }
}
