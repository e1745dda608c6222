// Package zktest runs ZooKeeper servers inside a test, as net/http/httptest runs an HTTP server:
//
//	func TestLeadership(t *testing.T) {
//		e := zktest.Start(t, zktest.Config{Servers: 3})
//		client := connect(t, e.ConnectString())
//		...
//		e.Leader().Kill()
//		...
//	}
//
// It needs no Java and no network beyond loopback, starts in less than a millisecond, and can be
// told to fail in every way that servers and networks fail. It imports the standard library only
// and shares no code with any client.
//
// # Fake time
//
// With Config.InMemory there are no sockets. Created inside a testing/synctest bubble, an ensemble
// then lives in the bubble's time: a session timeout of ten seconds takes none. Clients must dial
// through the ensemble:
//
//	synctest.Test(t, func(t *testing.T) {
//		e := zktest.Start(t, zktest.Config{Servers: 3, InMemory: true})
//		host := e.Host("a")
//		conn, _, err := zk.Connect(e.Addrs(), 10*time.Second, zk.WithDialer(
//			func(network, address string, timeout time.Duration) (net.Conn, error) {
//				ctx, cancel := context.WithTimeout(context.Background(), timeout)
//				defer cancel()
//				return host.Dial(ctx, network, address)
//			}))
//		...
//		host.Hold() // nobody hears from a any more
//		...
//	})
//
// A client of package session needs session.Config{Dial: host.Dial}, and e.ConnectString() as its
// servers. Its session timeout is at most 20 ticks, here 2 s, and a lease is at most half of it.
// With Config.Tick at 2 s, as real servers have it, both are as long as in production.
//
// In a bubble, Go 1.26 runs a timer that is due at once in the goroutine that makes it. If two
// goroutines do so at the same time, the race detector crashes with SIGSEGV. This library makes no
// such timers. Your code should not either: a duration of 1 ns will do.
//
// Close the clients before the bubble ends, and give them the time to notice. The ensemble has a
// goroutine, too. [Start] ends it when the test ends. After [New] the caller has to call
// [Ensemble.Close].
//
// # What is imitated
//
// The package imitates the protocol and the data model of ZooKeeper 3.9.5, of 3.8.0 or of 3.5.10
// (Config.Release), for the requests that Go clients send: create in its modes, containers among
// them, and znodes with a time to live (Config.ExtendedTypes), delete, exists, getData, setData,
// getChildren, getACL, setACL, sync, multi with check, setWatches, checkWatches and removeWatches
// (from 3.5 on), addWatch (from 3.6 on), auth (digest), ping, close. Error codes are the same, and
// so are: which of two errors comes first, every field of Stat, sequence numbers, zxids (failed
// writes consume one), ACLs, the order of watch events and replies, what becomes of a connection
// whose session moves, expires or is taken over. A program of some 1,550 observations shows that.
// It gives the same trace on this package, with one server and at a follower of three, as on real
// servers of these releases (of 3.5.10 with one server).
//
// Of ClickHouse Keeper it imitates the answers to connect requests (Config.Keeper), and nothing
// else.
//
// Sessions. Timeouts are clamped to the server's limits (by default 2 to 20 ticks). The ZooKeeper
// leader alone decides that a session is over, at the end of a tick. It sends its followers two
// pings per tick. It learns that a follower's client is alive from the answers to these pings, and
// from connect requests. A write is no sign of life to it. When a session expires depends on that,
// and on the order of packets between two servers, which is kept: each direction is one queue.
//
// Ensembles. Writes go through the leader and need a majority. The leader checks them against a
// state that includes what is proposed and not committed yet. Followers answer reads, perhaps with
// old data. A follower that is cut off goes on answering for Config.SyncLimit ticks, and so does a
// leader that has lost its majority. A new leader has the newest log of a majority, raises the
// epoch in the upper half of zxids, and gives every session its full timeout again. What the old
// leader had proposed survives if a voter had logged it.
//
// # What is not
//
// Time is the main difference: nothing takes time, unless Config.Latency, Config.Jitter or a fault
// says so. Threads of a server do not stop, unless a fault stops them, as below. The disk is
// perfect. Elections take Config.ElectionTime, and are decided by a stand-in that sees which
// servers can reach each other. There is no exchange of votes to disturb. A follower that joins
// gets the leader's whole state, never a difference. Children are listed in order; a real server
// has no order. Observers, reconfiguration, quotas, TLS, read-only mode, setWatches2 and
// four-letter words are missing: operations of later protocols are answered with "unimplemented",
// and the connection is closed. The data of /zookeeper/config is empty.
//
// # Faults
//
// Faults can be injected at any time, from any goroutine; each is logged.
//
//   - [Ensemble.ExpireSession] ends a session.
//   - A [Host] is a machine that clients run on, a [Conn] one connection. Both can be held, delayed
//     and cut, and can lose frames, in either direction. Hold is what a network that is down does.
//     It is also what others see of a process that is paused: hold its host, and let the time pass.
//     A connection that has lost frames breaks at Heal.
//   - A [Server] can be killed and started, frozen and thawed, slowed, and isolated from the
//     others.
//   - A [Link] is one direction between two servers. It can be held, delayed, or lose packets of
//     one kind.
//   - [Ensemble.On] makes a [Rule] that lets requests fail, or loses them or their replies: all of
//     a kind, or the n-th.
//   - [Ensemble.SetLatency] changes how long every frame and packet takes.
//   - [Ensemble.StartSequence] brings sequence numbers to the end of their range,
//     [Ensemble.SetVersion] the versions of data.
//
// Five of them are what real servers do, or did, to sessions whose clients have done nothing wrong:
//
//   - [Server.DelayExpiry]: sessions are answered, and are closed all the same.
//   - [LoseTouch], an effect of a rule: a request is answered, and the leader does not learn that
//     its session lives.
//   - [Server.StopPings]: the leader learns of no follower's clients, while their writes are
//     carried out.
//   - [Server.StepClock]: sessions end early or late when the wall clock is set.
//   - [Server.HoldRequests]: a write whose answer was lost is carried out after later ones of its
//     session.
//
// # Observing
//
// Config.OnRequest and Config.OnCommit see every request and every transaction. [Ensemble.Nodes],
// [Ensemble.Sessions], [Ensemble.Watches], [Ensemble.Conns] and [Ensemble.Counts] show what is
// there at the moment.
package zktest
