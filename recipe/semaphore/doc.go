// Package semaphore has a counting semaphore on Apache ZooKeeper: at most size permits are held at
// a time, by any number of processes on any number of machines.
//
//	client, err := session.Open("zk1:2181,zk2:2181,zk3:2181/app", session.Config{Logger: slog.Default()})
//	...
//	sem, err := semaphore.New(client, "/reports", 10, semaphore.Config{})
//	...
//	permit, err := sem.Acquire(ctx)
//	...
//	defer permit.Release(context.WithoutCancel(ctx))
//	for row := range rows(permit.Context()) {
//		if !permit.Valid() {
//			return context.Cause(permit.Context())
//		}
//		write(row)
//	}
//
// [Semaphore.Do] acquires a permit, calls a function, and releases the permit when the function has
// returned. Its example "Again" gets another permit after a loss.
//
// A program to copy from: examples/workerid (numbers that no two processes have at a time).
//
// # What is not promised
//
// Code that ignores its permit's context is not stopped. After a lost lease, or after DrainTimeout,
// the next permit does not wait for it. A permit of another library on the same path keeps only
// that library's promises. When somebody deletes the path with its contents, more permits than size
// may be held, and two with the same slot, for at most one lease. The token of a permit without a
// slot fences nothing, unless the size is 1. With a larger size, the permit with the smaller token
// may still be held. When the size is made smaller, an Acquire that was about to succeed may still
// do so within the length of a lease. If it was cut off, or paused, at that time, it may do so when
// it reaches the servers again.
//
// # What is promised
//
// D is the length of a lease, session.Config.Lease, 4 s by default. Times in seconds are those at D
// = 4 s.
//
//   - Safety. The permits that are [Permit.Valid] at one instant are never more than the size says,
//     under all faults of servers and networks. A permit's context is cancelled StopBefore before
//     its lease ends.
//   - Slots. Two valid permits never have the same [Slot] at one instant. [Slot.Token] is larger
//     than that of every permit that had the slot before.
//   - Order. Those who wait are served in the order in which they came. A new Acquire does not
//     overtake anybody that its server shows as waiting.
//   - Liveness. While the ensemble answers writes within D/4, a free permit is given to the first
//     who waits: at once after a release; within 5.25 s (21/16 D) and a few round trips after a
//     crash, if at most 16 sessions hold permits. With more, those who wait listen to 16 of them at
//     a time, for 2 D each. A session that has expired needs 4.25 s (17/16 D) after that.
//   - Cost. A free permit wakes one waiter. When that one leaves the front of the line, two or
//     three others get events, because the line moves up. What these ask for does not grow with the
//     number of waiters. Besides that, each waiter makes a small read about every 3/4 D, or every
//     D/4 near the front, which tells whether one ahead is still there. If not, it also reads the
//     record of the line. A session that holds a permit, or is first or second in line, writes to
//     the quorum 4 times per D, for up to some 3,000 permits.
//
// The assumptions are those of package election: writes are linearizable, as ZooKeeper promises;
// the rates of the clocks differ by less than 6 %, and one of a machine's clocks runs while it is
// suspended; nobody forges or overwrites what only the library writes, or deletes the path within
// one lease after an end that was not announced.
//
// # How it works
//
// The layout is that of Curator's InterProcessSemaphoreV2. Below the path there are two
// directories: locks has the line, leases has the permits. Each permit is an ephemeral sequential
// znode in leases, and a place: its session beats for it.
//
// A permit is admitted by its rank: when fewer than size older permits can still be held. The
// permit takes a list that has its own znode. Then each older permit counts as held
//
//	if it is in the list              until it is gone
//	if it is gone since               for 4.25 s (17/16 D) after that was seen
//	if it was not in the list         for 4.25 s (17/16 D) after that was seen
//	if it has announced its end       not any more
//
// The process of a permit that is gone may count it as held for these 4.25 s. The announcement is
// in the data of leases, a record of the numbers that are over: a permit that ends becomes invalid,
// and then one transaction writes its number there and deletes its znode.
//
// A younger permit counts every older one. So no more than size can be admitted, also when many
// znodes are created at the same time. That does not depend on the line. The line keeps the order,
// and lets only one process wait at leases. If nobody waits and there is room, an Acquire does not
// join the line.
//
// When the one that waits at leases has waited for D/4, it listens to the heartbeats of the older
// permits that still block it. When a heartbeat was silent for 4.25 s (17/16 D), one transaction
// revokes it and deletes the znode (event [EventTookOver]).
//
// The record holds the size, too. The first Acquire writes it. A Semaphore with another size is
// refused ([SizeError]). A Semaphore that has used the path follows later changes.
//
// With [Config.Slots] an admitted permit writes its number into the record, at the slots that it
// takes, in a multi that checks its own znode. While that znode is there, leases cannot have been
// deleted and made again, so the write changes exactly what was read. Nobody deletes the number
// there. A slot can be taken when the permit that has it is over. There are three cases: the record
// tells it; the permit that wants the slot has taken over from the session of that permit, as
// above; or 4.25 s (17/16 D) have passed since the znode of that permit was found to be gone.
//
// What happens when:
//
//   - the connection is lost and comes back within the lease: nothing;
//   - the lease cannot be extended in time: the permit ends (recipe.ReasonLeaseExpired);
//   - the session expires, or its heartbeat is revoked: the permit ends (recipe.ReasonSessionLost);
//   - somebody deletes the permit's znode: the permit ends (recipe.ReasonNodeDeleted), and another
//     takes its place when the lease is over;
//   - the process is paused for longer than the lease: the permit is over, as the first call of
//     Valid tells;
//   - the client is closed: the permit ends (recipe.ReasonClosed), and its znode is deleted when it
//     is released, or DrainTimeout has passed. The same happens when the context of a
//     [Semaphore.Do] ends (recipe.ReasonCancelled);
//   - Acquire is given the context of a permit of the same semaphore: it waits for one more permit.
//     If none is left, and nobody else releases one, it waits until that context ends;
//   - the context of an Acquire ends: it returns at once, and what it has created is deleted in the
//     background, with an announcement, so that nobody waits for it;
//   - somebody writes something else into the record: Acquire returns a [DataError]. Permits that
//     are held go on. When it is empty a new record is written. With the new record nobody gets a
//     slot: only the lost record told who holds slots;
//   - somebody writes something else into the data of locks: those who wait report that
//     ([EventImpaired]), and none of them may have a D longer than 4 s ([recipe.LeaseError]). The
//     permits do not depend on these data.
//
// # Other libraries
//
// Users of Curator's InterProcessSemaphoreV2, and of its InterProcessSemaphoreMutex where the size
// is 1, can share a path with ours. They count all znodes below leases, ours included. They do not
// read the size there, so each must be given the same one. Their permits have no lease: when one of
// them has crashed, its session has to expire. When nearly all permits are taken, one of ours may
// wait for 4.25 s (17/16 D), because a number of theirs is missing. Kazoo's Semaphore has another
// layout.
package semaphore
