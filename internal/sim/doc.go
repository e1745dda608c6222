// Package sim searches for faults under which the election breaks a promise. It runs whole
// clusters, three servers of session/zktest and several client processes with the unmodified
// zk.Conn, in a testing/synctest bubble, where an hour takes a few seconds. A seed decides
// everything: the cluster, what the processes do, and a plan of faults. An omniscient checker
// watches:
//
//	overlap   two terms of one election are valid at one instant, or one is valid again
//	context   a term begins while an older one's context or drain goes on in a process that runs
//	pause     after a pause the first Valid or Err does not tell what happened meanwhile
//	token     a term's token is not larger than all before
//	drain     a znode is deleted although the work of its term has not stopped, nor DrainTimeout passed
//	guard     a guarded Multi lands after a later term has begun
//	observer  an observer sees an older leader after a newer one, or one that never was
//	wake-ups  a departure would wake, or has woken, more than one candidate (in runs without faults)
//	liveness  after all faults have ended nobody leads within a bound
//	census    at rest somebody stands in a line twice, or at the end a znode, a watch or a session is left
//	run       Run returns although nobody told it to
//
// Locks, semaphores, and the other recipes are simulated beside elections or in their place (flags
// -locks, -semaphores and -others). Overlap, context, pause, token, guard, liveness and census are
// the same for them. So is drain, for permits. When a semaphore is resized, a new permit may still
// go by the former size for a lease, and permits that are held go on. In addition:
//
//	slot          two valid permits have one slot
//	order         somebody holds a lock or a permit although one who came earlier still waits, or more permits than the size are given
//	resize        a Resize does not do what it says, or something else changes the size
//	revoke        a holder of a lock, or of several at once, is told to let go twice or without being asked, or is asked and not told
//	nested        a lock acquired again ends with the first release, or the second acquisition is refused for no reason
//	linearizable  what the holders of a lock read, and write by their Multi, fits no plain number, as Porcupine judges
//	counter       a counter is not the sum of what was added and of some of the additions with an unknown outcome
//	flap          a member's znode goes, although its session lives and it does not leave
//	barrier       fewer are let through a double barrier than it wants, or one that was not counted in
//	cache, group  at rest a cache or a list does not show what there is
//
// A goroutine that is left at the end makes synctest panic. An administrator who deletes a whole
// path, the line's record included, excuses the terms of its candidates for one lease from then on.
// Nothing else is excused: neither a znode that is deleted by hand, nor a session that is ended,
// nor a record that is overwritten while no lease is longer than the default.
//
// A failure prints its seed and its plan, made as small as possible by leaving out one fault after
// another.
//
// # Variants
//
// To show that the search finds bugs, testdata/variants holds deliberately broken versions of the
// library. Each has to be caught, on the invariant that it names, within a bounded number of seeds,
// and passes where there are no faults. Faults picked at random seldom meet the few milliseconds in
// which a wrong lease matters, so some are aimed. Variants that a test of their own finds at once
// are beside that test, in testdata/variants of its package.
//
// Some mistakes have no variant, because in a system like ZooKeeper they change nothing. If the
// checker looks for them all the same, it has a test of its own:
//
//   - No look at the owner of a znode that is found after a lost answer. The GUID in its name
//     belongs to one attempt of one session, so nobody else can have created it. The look matters
//     as soon as GUIDs are shared: see shared-guid.
//   - An observer that does not sync first in a new session, or believes a list that is older than
//     what it knows. The create of a session is a write. When its server answered, it had applied
//     that write and everything before it. And a server that is behind what a session has seen
//     refuses the session. (A restored backup is another matter.)
//   - A session or a watch that is left at the end. Servers end those of a client that is gone. A
//     goroutine keeps a session up, and the bubble panics if one is left.
package sim
