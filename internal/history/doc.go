// Package history judges what candidates of one election have told, in lines with the stamps of one
// clock.
//
// # What a line proves
//
// A beat is stamped between two calls of [election.Term.Valid] that both returned true, and a term
// that was invalid once stays invalid. So a term was valid from its first line ("elected") until
// its last beat, whatever its process says later, or if it says nothing more. That interval is
// proven. Nothing is assumed about the time after the last beat. A term without a beat proves
// nothing. If proven intervals of two terms intersect, there were two leaders for the time of the
// intersection.
//
// The clock is CLOCK_MONOTONIC of one machine, so the order of two stamps is certain.
//
// A candidate also claims: it tells until when its lease runs. No other term may begin before that,
// unless the candidate has ended its term itself.
//
// If a znode has gone while an older one was there, the history shows whether its contender has
// overtaken the other: see order.go. What holders have read and written in a register is a history
// of its own, which package updates judges.
//
// # What is excused
//
// An administrator may delete any znode by hand, at any time. That excuses nothing. If the
// administrator deletes the election's path and everything in it, the line's record is deleted,
// too. The next candidate then does not know that there were others. A term from before the
// deletion may go on for one lease, D. So nothing between the deletion and D after it counts as an
// overlap, and tokens of terms that begin in that time do not count either. Registers are not
// judged then.
//
// ZooKeeper can lose committed transactions before 3.8.5, and in 3.9.0 and 3.9.1 (ZOOKEEPER-4643):
// a server is killed after it has noted a new epoch, and before it has written what it was sent.
// When it comes back, its data count as the newest. The servers' data differ from then on, and a
// candidate may stand behind a znode that exists on its server alone. If that has been seen
// ("diverged"), nothing is demanded about liveness, about what is left, about the order of znodes
// and about registers. Leaders and tokens are judged as always.
package history
