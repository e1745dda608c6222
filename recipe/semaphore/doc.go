// Package semaphore lets at most so many hold a permit at a time, among any number of processes on
// any number of machines, with Apache ZooKeeper.
//
//	client, err := session.Open("zk1:2181,zk2:2181,zk3:2181/app", session.Config{})
//	...
//	sem, err := semaphore.New(client, "/reports", 10, semaphore.Config{})
//	...
//	permit, err := sem.Acquire(ctx)
//	...
//	defer permit.Release(context.WithoutCancel(ctx))
//	for row := range rows(permit.Context()) {
//		if !permit.Valid() {
//			return permit.Context().Err()
//		}
//		write(row)
//	}
//
// # What is not promised
//
// Code that ignores its permit's context is not stopped: after a lost lease, or after DrainTimeout,
// the next one does not wait for it. A permit of another library on the same path keeps only that
// library's promises. When somebody deletes the path with all that is in it, more than so many may
// hold one for one lease at the most. The token of a permit without a slot fences nothing, unless
// the size is 1: with more, the smaller token may be one of those that are held. When the size is
// made smaller, an Acquire that was about to succeed may still do so within the length of a lease.
//
// # What is promised
//
// D is the length of a lease, session.Config.Lease, 4 s by default.
//
//   - Safety. At no instant are more permits [Permit.Valid] than the size says, whatever servers,
//     networks and administrators do. A permit's context is cancelled earlier still (StopBefore).
//   - Slots. At no instant do two valid permits have the same [Slot]. [Slot.Token] is larger than
//     that of every permit that had the slot before.
//   - Order. Those who wait are served in the order in which they came. One that comes passes
//     nobody whom its server shows waiting.
//   - Liveness. While the ensemble answers writes within D/4, a free permit is given to the first
//     who waits: at once after a release; within 21/16 D and a few round trips after a crash, if at
//     most 16 sessions hold permits. With more, those who wait listen to 16 of them at a time, for
//     2 D each. A session that has expired needs 17/16 D after that.
//   - Cost. A free permit wakes one of those who wait, and its departure from the front of the line
//     the next one. The requests for one permit do not grow with the number of those who wait.
//     A session that holds a permit, or is first or second in line, writes to the quorum 4 times
//     per D, however many permits it has.
//
// Assumed is what package election assumes: writes are linearizable, clocks' rates differ by less
// than 6 %, and nobody deletes the path within one lease of an end that was not announced.
//
// # How it works
//
// The layout is that of Curator's InterProcessSemaphoreV2. Below the path there is a line, locks,
// and the permits, leases. Each permit is an ephemeral sequential znode in leases, and a place: its
// session beats for it.
//
// A permit is admitted by its rank: when fewer than so many older ones can still be held. Those are
//
//   - the older ones in a list that contains its own znode, until they are gone;
//   - the older ones that went from the list, and those whose numbers were not in it at all, until
//     17/16 D after that was heard. They may count themselves holders for that long.
//
// Neither counts once it has announced its end. The data of leases are a record of the numbers that
// are over. A permit that ends stops first. Then it writes its number there, in the transaction that
// deletes its znode.
//
// Whoever is younger counts the older one, so that no more than so many can be admitted, whoever else
// creates a znode at the same time. The line is not needed for that. It keeps the order, and lets
// one alone wait at leases. Where nobody waits and there is room, an Acquire passes the line by.
//
// The one that waits at leases listens to the heartbeats of those in its way, once it has waited for
// D/4. When one was silent for 17/16 D, it revokes the heartbeat and deletes the znode, in one
// transaction (event [EventTookOver]).
//
// The record holds the size, too. Whoever is first writes it; others must say the same, so that no
// two programs disagree ([SizeError]). A Semaphore that has used the path follows later changes.
//
// With [Config.Slots] an admitted permit writes its name into a table, the data of slots, at the
// numbers that it takes. Nobody deletes it there. A slot can be taken when the permit that has it is
// over: by the record, or 17/16 D after its znode was found to be gone.
//
// What happens when:
//
//   - the connection is lost and comes back within the lease: nothing;
//   - the lease cannot be extended in time: the permit ends (recipe.ReasonLeaseExpired);
//   - the session expires, or its heartbeat is revoked: the permit ends (recipe.ReasonSessionLost);
//   - somebody deletes the permit's znode: the permit ends (recipe.ReasonNodeDeleted), and another
//     takes its place when the lease is over. The table of slots that is deleted ends all permits
//     that have slots;
//   - the process is paused for longer than the lease: the permit is over, as the first call of
//     Valid tells;
//   - the client is closed: the permit ends (recipe.ReasonClosed), and its znode is deleted when it
//     is released, or DrainTimeout has passed;
//   - the context of an Acquire ends: it returns at once, and what it has created is deleted in the
//     background, with an announcement, so that nobody waits for it;
//   - somebody writes something else into the record: Acquire returns a [DataError]. Permits that
//     are held go on.
//
// # Other libraries
//
// Users of Curator's InterProcessSemaphoreV2, and of its InterProcessSemaphoreMutex where the size
// is 1, can share a path with ours. They count all znodes below leases, ours included, and know
// nothing of the size there: each must be given the same one. Their permits have no lease: when one
// of them has crashed, its session has to expire. Where nearly all permits are taken, one of ours
// may wait for 17/16 D because a number is missing that was one of theirs. Kazoo's Semaphore has
// another layout.
package semaphore
