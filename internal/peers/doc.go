// Package peers runs candidates of other libraries as processes, so that they and ours can stand in
// one line on one real ensemble, in tests and in measurements: Apache Curator's LeaderLatch and
// LeaderSelector (5.9.0 of Maven Central, and 5.4.0, Debian's libcurator-recipes-java), kazoo's
// Election (2.11.0 of PyPI, and 2.8.0, Debian's python3-kazoo) and Lock of
// github.com/go-zookeeper/zk. Candidates of etcd and of client-go stand on servers of etcd, which
// it starts too. It is a module of its own, and hosts/etcd is another, so that users of the library
// do not depend on any of this.
//
// # Starting a candidate
//
//	hosts, err := peers.NewHosts()
//	defer hosts.Close()
//	p, err := hosts.Start(ctx, peers.LeaderLatch, peers.Config{
//		Connect: e.ConnectString(), Path: "/election", ID: "curator-1",
//	})
//	defer p.Kill()
//	elected, err := p.Wait(ctx, "elected") // elected.T, elected.Token
//	p.Send("resign")                       // deposed, left, and joined again
//	p.Send("look")                         // looked: leads or waits, as Reason; of LeaderLatch alone
//	p.Send("quit")                         // left; the process ends, see p.Done()
//
// Every kind speaks the protocol of examples/candidate: one JSON object a line, stamped with
// CLOCK_MONOTONIC, so that the lines of several processes of a machine can be put in order. Peers
// tell of session, joined, elected, beat, suspended, deposed, error and left. While a candidate
// leads it beats: it asked its library right before the stamp and right after it, so beats of two
// candidates that interleave are two leaders. What counts as leading is what the library's
// documentation asks of its users: hasLeadership of Curator; for kazoo and zk.Lock, holding the
// lock without any loss of the connection since.
//
// # What each tolerates
//
// Each recipe sorts the children of the path in its own way, and that decides which znodes it sees
// ahead of its own. recipe/docs/mixing.md says what that means for a fleet; the tests here repeat
// it on the real thing.
//
//   - LeaderLatch and LeaderSelector sort by what follows the last "latch-" or "lock-"; a name
//     without that is compared as a whole, so that all names that begin with a letter or "_" come
//     after every number. Neither waits behind the other's style, nor behind kazoo's.
//   - kazoo sorts the names that end in __lock__ and a number, whatever is in front, and does not
//     see others, unless its Lock has extra_lock_patterns ([KazooPatterns]).
//   - zk.Lock takes the number after "lock-", else after the last "__", so it knows lock and kazoo
//     names; any other child makes Lock fail, and its znode stays in line until the session ends.
//   - Ours knows them all.
//
// Three more things were seen: after the data of the znode ahead has changed, a LeaderLatch does
// not wake before it connects again; neither does one behind a znode that its ACL hides; and a
// zk.Lock whose Lock failed behind a hidden znode waits behind its own old znode at the next
// attempt in the same session.
//
// # More
//
// Command compare holds the campaign of internal/campaign with candidates of each kind and prints,
// side by side, how often and how long two led at one time. Command failover measures in one run,
// for all kinds and for etcd and client-go, how long nobody leads at hand-overs and after faults: of
// a leader, of leader and heir, of all servers, of a process that leads many elections ("make
// compare" does both).
//
// The tests run with Debian's releases, and with ZKRECIPE_PEERS=newest with the others: "make
// peers-newest". Some run with both releases each time, in "make peers" too: mixed locks,
// multi-locks, a writer that becomes a reader, revocation.
//
// Config.OnLine is called with each line. [Available] tells what a machine lacks for a kind. The
// programs are built when first needed, javac within two seconds; a JVM takes about one more until
// its candidate is in line.
package peers
