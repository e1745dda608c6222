// Package history judges what candidates of one election have told, in lines with the stamps of one clock.
//
// # What a line proves
//
// A beat is stamped between two questions to [election.Term.Valid] that were both answered yes, and what has once
// been invalid stays so. Hence a term was valid from its first line on ("elected") until its last beat, whatever
// its process says later or never: the interval is proven, and nothing is assumed about the time after the last
// beat. A term without a beat proves nothing. Two proven intervals of different terms that intersect are two
// leaders at one time, by as much as they intersect.
//
// The clock is CLOCK_MONOTONIC of one machine, so there is no doubt about which came first.
//
// A candidate also claims: it tells until when its lease runs. Unless its term has ended by its own will, no other term
// begins before that.
//
// # What is excused
//
// An administrator may delete any znode by hand, at any time: that excuses nothing. When he deletes the election's path
// and all in it, the line's record goes too, and the next candidate does not know that anybody was before. A term of
// before may go on for one lease, D. So nothing between the deletion and D after it counts as an overlap, and
// tokens of terms that begin then do not count either.
//
// ZooKeeper 3.8 can lose committed transactions, when a server is killed right after it has noted a new epoch
// and before it has written what it was sent (ZOOKEEPER-4643): it comes back as the one that knows best. The
// servers' data differ from then on, and a candidate may stand behind a znode that exists on its server alone. When
// that has been seen ("diverged"), nothing is demanded about liveness and about what is left. Leaders and
// tokens are judged as ever.
package history
