import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.retry.RetryNTimes;

/**
 * A member of a group by Apache Curator's GroupMember.
 *
 * <p>Arguments: connect string, path, id, data. It prints who is in the group, at first and at each change: ids and data,
 * in order of the ids. It leaves when its input ends.
 */
final class Members {
  public static void main(String[] args) throws Exception {
    CuratorFramework client = CuratorFrameworkFactory.newClient(args[0], 10000, 10000, new RetryNTimes(10, 10));
    client.start();
    GroupMember member = new GroupMember(client, args[1], args[2], args[3].getBytes(StandardCharsets.UTF_8));
    member.start();
    Thread watcher = new Thread(() -> print(member));
    watcher.setDaemon(true);
    watcher.start();
    while (System.in.read() >= 0) {}
    member.close();
    client.close();
    System.exit(0);
  }

  /** GroupMember has no listener. */
  private static void print(GroupMember member) {
    String before = "";
    try {
      while (true) {
        StringBuilder line = new StringBuilder();
        for (Map.Entry<String, byte[]> e : new TreeMap<>(member.getCurrentMembers()).entrySet()) {
          line.append(e.getKey()).append('=').append(new String(e.getValue(), StandardCharsets.UTF_8)).append(' ');
        }
        if (!line.toString().equals(before)) {
          before = line.toString();
          System.out.println(before.trim());
        }
        Thread.sleep(20);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
