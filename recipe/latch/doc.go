// Package latch waits, with Apache ZooKeeper, until n parties have each counted once: for example
// until every shard is loaded, or every node has applied a migration.
//
//	l, err := latch.New(client, "/migration/7", 3, latch.Config{})
//	...
//	err = l.CountDown(ctx, "host-a") // on each of three hosts, with a name of its own
//	...
//	err = l.Wait(ctx)                // until all three have counted
//
// It is like CountDownLatch in java.util.concurrent, but among processes. A latch opens once and
// stays open. For something that opens and closes again see package barrier.
//
// # What is not promised
//
//   - That a party still lives. It has counted, and that stays after its end.
//   - Anything after somebody has deleted the path or something below it. Then these counts are
//     gone. [Latch.Wait] waits until there are n counts again, also where it has returned before.
//   - That all agree on n. Each process names its own.
//
// # What is promised
//
//   - A party counts at most once, because it counts by its name: when it calls [Latch.CountDown]
//     twice, when an answer is lost, when the session is lost, and when the process crashes and
//     does the same again.
//   - When CountDown has returned nil, the party has counted. When it has returned an error, the
//     party may have counted; it calls CountDown again.
//   - When [Latch.Wait] has returned nil, the znodes of n parties existed at one moment. It returns
//     soon after that, also after changes of connection and losses of session.
//   - [Latch.Count] sees all who had counted before it was called.
//
// # What it costs
//
//	CountDown  1 quorum write
//	Wait       1 quorum write, which creates the path if it is missing, then 1 list of all names for
//	           each change
//	Count      1 quorum write that changes nothing, and 1 list
//
// So w processes that wait while n count read up to w*n lists. [MaxParties] bounds that.
//
// # Layout
//
// The path has a persistent child "party-NAME" for each party that has counted. Other children are
// ignored. Nothing is ever deleted: to begin anew, take another path, or delete the path with its
// contents when nobody uses it.
package latch
