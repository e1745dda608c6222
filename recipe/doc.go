// Package recipe is the index of the recipes, which have packages of their own:
//
//   - election: one leader at a time among many candidates. It promises that no two have a valid
//     term at one instant, and that the fencing token only grows. It does not promise that code
//     which ignores its context stops. It costs 4 quorum writes per lease for each session with
//     leaders or heirs, and reads by those who wait, see below.
//   - lock: one holder at a time, or one writer or many readers, or several locks at once. It
//     promises that no two holders are valid at one instant, and that the fencing token only grows.
//     It does not promise that code which ignores its context stops. It costs two writes for each
//     acquisition, and the beats of a session that holds a lock or is next.
//   - group: members that stay listed, and who they are. It promises that a member is listed again
//     after any loss of its znode, that others do not see it leave in a short loss of the
//     connection, that with StyleNamed each ID has at most one member at a time, and that the age
//     of a list is proved. It does not promise that a list is up to date. It costs 4 quorum writes
//     per lease for a session with members, or none if they do without a lease.
//   - barrier: waits until a barrier is lowered, or until n members are there. It promises that
//     nobody passes alone. It does not promise that the others still live. It costs a few writes
//     for each passage.
//   - latch: waits until n parties have each counted once. It promises that a party counts at most
//     once, also after losses and restarts, and that nobody goes on before all have counted. It
//     does not promise that they still live. To count costs one quorum write. To wait costs one
//     quorum write, and a list for each change.
//   - value: values and counters that many change. It promises that no change counts twice, however
//     many answers are lost, and that no change that was carried out is reported as failed. It does
//     not promise to know the outcome when the session ends and an answer is lost with it; then it
//     says so. It costs one quorum write for each change.
//   - cache: a copy of a znode, of its children or of a tree that follows what happens there. It
//     promises that it does not stay wrong, and, on request, that everything which was acknowledged
//     before is in it. It does not promise to be up to date, or to have every state in between. It
//     costs one or two reads for each znode, one watch for the whole tree or two for each znode,
//     one to three reads for each change, and no read of what has not changed when the connection
//     is lost.
//   - semaphore: a fixed number of permits, among any number of processes, and numbered slots, as
//     worker ids. It promises that no more permits than that are valid at one instant, that no two
//     of them have the same slot, and that each slot has a fencing token. It does not promise a
//     token that fences where there are no slots. A free permit costs one write and a few reads to
//     acquire, and one write and one read to release. A permit that is waited for costs two writes
//     more, a slot one write more. A session that holds permits beats. The first of those who wait
//     reads the heartbeats of up to 16 holders 8 times per lease.
//
// Elections cost this while nothing changes. D is the length of a lease, T the session timeout:
//
//	a session with leaders or heirs   4 quorum writes per D in all, for up to some 3,000 of them
//	an heir                           8 reads per D
//	the third in line                 12 reads per D
//	the fourth                        2 small reads per T, and up to 2 in each D/4
//	the fifth                         2 small reads per T, and up to 2 in each D/2
//	a candidate further back          2 small reads per T, and up to 2 in each 3/4 D
//
// Packages recipeprom (metrics for Prometheus, with alerts) and recipehttp (a status page, and a
// handler for liveness probes) show operators what a process holds, waits for and has lost.
// Elections, locks, semaphores, members and caches have a Status, which never blocks. Recipes that
// have events have Subscribe. A subscriber that blocks delays nothing, except the end of an
// election's Run, by up to a second. Package recipetest is for unit tests of users.
//
// Programs to run and to copy from are in https://github.com/zkrecipe/zkrecipe/tree/main/examples.
// Each recipe's documentation names those that use it; examples/service has an election, metrics, a
// status page and probes.
//
// All recipes are built on package session: one ZooKeeper session, its heartbeat and its leases.
// Elections, values and latches also use package watch, which waits on znodes. Elections, locks and
// semaphores share the line, a queue of ephemeral sequential znodes. The other recipes have no
// queue.
//
// This package has what they have in common: the [Reason] for which something is not held any more,
// the errors, and the [Status] of locks and semaphores.
//
// Give each recipe a path of its own. An election and a lock at one path stand in one line, so they
// wait for each other.
//
// Do not put other znodes below the path of an election or a lock, such as the paths of other
// recipes:
//
//	/svc, /svc/eu              wrong: the second is below the first
//	/svc/all, /svc/eu          right
//	/accounts/7, /accounts/8   right: a lock for each of many objects, and none at /accounts
//
// The reason: every znode that is created below the path uses up a number of the line. A candidate
// that joins later sees that the number is missing. It cannot know whether the number belonged to a
// holder that has vanished, and whose lease still runs. So if it is first, it waits for 17/16 of
// the longest lease in the line. That happens once for each such znode.
//
// The path of a line holds its record as data: the longest lease that is allowed in it, and which
// of its numbers are over. A session with a longer lease is refused with a [LeaseError].
package recipe
