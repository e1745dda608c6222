// Package lock has locks for any number of contenders on any number of machines, with Apache
// ZooKeeper: a lock, a read-write lock, and several locks at once.
//
//	client, err := session.Open("zk1:2181,zk2:2181,zk3:2181/app", session.Config{Logger: slog.Default()})
//	...
//	l, err := lock.New(client, "/accounts/7", lock.Config{})
//	...
//	err = l.Do(ctx, func(ctx context.Context, held *lock.Held) error {
//		a, err := db.Read(ctx, 7, held.Token())
//		...
//		if !held.Valid() {
//			return context.Cause(ctx)
//		}
//		return db.Write(ctx, a.Add(1), held.Token()) // the database refuses an older token than it has seen
//	})
//
// Programs to copy from: examples/ledger (a database that refuses old tokens), examples/dispatcher
// (a lock for each job). examples/contender is one contender.
//
// # What is not promised
//
// Code that ignores its context is not stopped: after a lost lease, or after DrainTimeout, the next
// holder does not wait for it. A contender of another library in the same line keeps only that
// library's promises. When somebody deletes the lock's path with its contents, two contenders may
// hold the lock for at most one lease. The fencing token protects against all of these. A lease
// alone does not: a holder may stand still between its call of Valid and its write. Only the
// resource that gets the write can refuse it: the resource has seen a larger token. So also send
// the token with each read on which a write depends. Where only writes carry it, a write can be
// undone:
//
//	A, token 7   reads 100, and stands still before its write
//	B, token 8   reads 100: the resource does not hear of token 8
//	A            writes 150: the resource has seen no larger token than 7
//	B            writes 101, and A's write is undone
//
// # What is promised
//
// D is the length of a lease, session.Config.Lease, 4 s by default. Times in seconds are those at D
// = 4 s.
//
//   - Safety. Two contenders of this library never hold one lock ([Held.Valid]) at the same
//     instant, other than as readers of an [RW]. The context of what is held is cancelled
//     StopBefore before its lease ends.
//   - Fencing. [Held.Token] is larger than that of every earlier holder of the path, as long as the
//     ensemble keeps its data. The tokens of two readers have no order that matters. So a resource
//     that readers and writers use refuses a write with a token below the highest that it has seen,
//     and a read with a token below the highest token of a write.
//   - Liveness. While the ensemble answers writes within D/4, the next in line holds the lock at
//     once after a release, also if others have given up; and within 4.75 s (19/16 D) and a few
//     round trips after a crash. If a writer crashes, the first of several readers behind it takes
//     the same time; the others may take that time once more.
//   - Order. Contenders hold a lock in the order in which they came. A reader waits for the writers
//     that came before it, a writer for all that came before it, so both get their turn.
//   - Nothing is left behind but the path. It stays, with its record, unless [Config.Cleanup] is
//     set; set it if each of very many objects has a path of its own. A contender that gives up, by
//     its context or otherwise, leaves no znode, and the contender behind it does not wait for a
//     lease.
//   - Cost. To acquire a free lock takes one write and three small reads, or one write and one read
//     within a lease of the last release by the same Lock. It takes one read more if others have
//     written the record since, and one if the lock is held for longer than D/16. To release it
//     takes one write. The next contender reads nothing before it holds the lock. The number of
//     other locks does not matter. With its first lock, a session also creates its heartbeat, once.
//     While a session holds locks, or is next for one, it writes 4 times per D in all, for up to
//     some 3,000 locks. Afterwards it does not write. A release wakes the next contender, or all
//     readers that are next. It also wakes the one behind the next, if that one has waited for long:
//     its session begins to beat. Waiting readers with one writer ahead write 4 times per D as well.
//
// The assumptions are those of package election.
//
// # How it works
//
// Each call of Acquire creates an ephemeral sequential znode under the lock's path. Contenders that
// came before have smaller numbers. Each contender waits for the nearest znode ahead that matters,
// and then for the next in the list that it made when it joined. The path holds a record as its
// data that tells which numbers are over. So the next contender knows whether a znode that is gone
// was released. If it was not, perhaps its holder does not know yet that the znode is gone, and the
// next contender waits until that lease is over.
//
// A writer that becomes a reader ([Held.Downgrade]) keeps its number and its token. A reader cannot
// become a writer: two readers that wanted that would wait for each other.
//
// What happens when:
//
//   - the connection is lost and comes back within the lease: nothing;
//   - the lease cannot be extended in time, the session expires, somebody deletes the holder's
//     znode: the lock is lost. The context is cancelled with the reason as its cause, and
//     [Held.Release] and [Lock.Do] return it. Another may hold the lock once the lease has ended;
//   - a contender that waits loses its session or its znode: it enters the line again, behind the
//     others;
//   - the release cannot be sent: it is repeated in the background until the znode is gone, or the
//     session is over. Close the client before the program ends: it waits for that;
//   - the path holds somebody else's data: the library does not change them, so no departure can be
//     announced. Each change of holder then takes 4.25 s (17/16 D), as after a crash (event
//     [EventImpaired]). No D longer than 4 s is allowed there ([recipe.LeaseError]);
//   - Acquire is given a context that comes from a Held of the same lock: that is an error. With
//     Config.Reentrant, Acquire succeeds at once.
//
// # Other libraries in the line
//
// Contenders of other libraries can stand in one line with ours. Ours wait for them, and know
// Curator's downgrade. They wait only for the names that they know: set Config.Style to theirs, and
// use the same kind of lock:
//
//   - [New] beside Curator's InterProcessMutex, kazoo's Lock and zk.Lock;
//   - [NewRW] beside Curator's InterProcessReadWriteLock, and beside kazoo's ReadLock and
//     WriteLock.
//
// Otherwise two may hold the lock: InterProcessMutex does not wait for readers and writers,
// InterProcessReadWriteLock does not wait for a Lock of New, and kazoo's Lock does not wait for
// readers. Locks of New and NewRW share a path only where all contenders are ours.
//
// Contenders of other libraries have no heartbeat: when one of them has crashed, its session has to
// expire.
package lock
