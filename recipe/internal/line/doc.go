// Package line is the queue that every recipe stands in: an own ephemeral sequential znode,
// the znodes ahead of it, a watch on the nearest of them, and a lease.
//
// # Who is first
//
// The line is listed once, when joining, after the own create. From then on nobody new can get
// ahead, so the set of those ahead only shrinks, and the kept list of them is as good as a new
// one: when the nearest goes, the next in the kept list is watched, and when the list is empty
// the place is first, without asking anybody.
//
// # When the first may lead
//
// The candidate of a znode that is gone may count itself the holder for the rest of its lease:
// it may not have heard of the deletion. Its lease was extended last by a beat that was
// committed while the znode existed, so that lease is over once its length and a sixteenth have
// passed since anybody heard of the deletion. The first waits for that, unless
//
//   - the one that left has announced it, in the line's record, in the same transaction that
//     deleted its znode (the rule of succession reads the record after the deletion is heard);
//   - its session was silent for that long before the deletion, and the deletion was our own
//     takeover;
//   - it is of another library, which promises nothing that could be waited for.
//
// One that joins does not know of a holder that vanished just before. If a number below its own
// is neither in its list nor over by the record, it waits as well.
//
// # Taking over
//
// The second listens to the heartbeat of the first one's session, and the third to that of the
// second's. A heartbeat that was not set for the length of its session's lease and a sixteenth is
// silent. One multi then checks the own znode, sets the heartbeat to "revoked" at the version
// that was heard last, and deletes the znode ahead. If it succeeds, no later beat was committed
// and none will be, because a session sets its heartbeat at the version that it knows.
//
// Those who stand behind other places of that session then see the heartbeat revoked: each checks
// it at that version and deletes the znode ahead, in one multi, without waiting again. Where the
// heartbeat is gone instead, for as long as a silent one, the znode ahead is deleted alone: the
// session never creates another, so it cannot beat.
//
// The decisions are one function without a clock, decide; Place carries them out.
package line
