// Package line is the queue in which elections, locks and semaphores wait: an own ephemeral
// sequential znode, the znodes ahead of it, a watch on the nearest of them, and a lease.
//
// # Which place is first
//
// A place lists the line once, when it joins, after its own create. A lock asks for the list when
// the create has been sent, without waiting for its answer. A list counts only if it has the own
// znode: then it was made after the create. From then on nobody new can get ahead, so the set of
// those ahead only shrinks, and the list is kept. When the nearest is gone, the place watches the
// next in the kept list. When the list is empty the place is first, and no request is needed to
// know that.
//
// # When the first may lead
//
// The candidate of a znode that is gone may not have heard of the deletion. Then it still counts
// itself as the holder for the rest of its lease. The last beat that extended this lease was
// committed while the znode existed. So the lease is over when 17/16 of its length have passed
// since anybody heard of the deletion. The first waits for that, unless
//
//   - the candidate announced its departure in the line's record, in the same transaction that
//     deleted its znode (the record is read after the deletion is heard, unless the candidate gave
//     notice in that transaction, see [session.Session.Notice]);
//   - its session was silent for that long, and our own takeover deleted the znode;
//   - the candidate is of another library, which has no lease to wait for.
//
// A candidate that joins does not know of a holder that vanished just before. If a number below its
// own is neither in its list nor over by the record, it waits as well.
//
// # Taking over
//
// The second in line listens to the heartbeat of the first one's session. The third listens to the
// heartbeat of the second one's session. A heartbeat that was not set for 17/16 of its session's
// lease is silent. Then one multi checks the own znode, sets the heartbeat to "revoked" at the
// version that was heard last, and deletes the znode ahead. If it succeeds, no later beat was
// committed and none will be, because a session sets its heartbeat at the version that it knows.
//
// Candidates behind other places of that session then see that the heartbeat is revoked. Each of
// them checks it at that version and deletes the znode ahead, in one multi, and does not wait
// again. If the heartbeat is gone instead, for as long as a silent one, one multi checks the own
// znode and deletes the znode ahead: the session never creates another heartbeat, so it cannot
// beat.
//
// In the line of a lock, holders may change every few milliseconds. A writer that has waited for
// some time also watches the one before the nearest. When that one goes, the nearest mostly holds
// the lock, and this place is the heir. Mostly its session then beats before its turn comes.
//
// The decisions are one function without a clock, decide; Place carries them out.
package line
