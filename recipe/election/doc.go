// Package election elects, among any number of candidates on any number of machines,
// one leader at a time, with Apache ZooKeeper.
//
//	client, err := session.Open("zk1:2181,zk2:2181,zk3:2181/app", session.Config{})
//	...
//	el, err := election.New(client, "/billing", election.Config{})
//	...
//	err = el.Run(ctx, func(ctx context.Context, term *election.Term) error {
//		for job := range jobs(ctx) {
//			if !term.Valid() {
//				return nil
//			}
//			db.Charge(ctx, job, term.Token()) // the database refuses an older token
//		}
//		return nil
//	})
//
// # What is not promised
//
// Code that ignores its context is not stopped: after a lost lease, or after
// DrainTimeout, the successor does not wait for the callback. A candidate of another
// library in the same line keeps only that library's promises. When somebody deletes a
// candidate's znode by hand, two may lead until that one hears of it, for one lease at the
// most; if its turn comes before the news, it even begins to lead after its successor
// has, with the smaller token. Against all of these there is the fencing token. A virtual
// machine that is restored from a snapshot with every clock of it stopped meanwhile does
// not know that its lease has lapsed.
//
// # What is promised
//
//   - Safety. At no instant do two candidates of this library have a term that is
//     [Term.Valid]. The term's context is cancelled earlier still (StopBefore). A process
//     that was paused learns it from its first call of Valid, or of its context's Err.
//   - Fencing. [Term.Token] is larger than that of every earlier leader of the path, as
//     long as the ensemble's data lives.
//   - Liveness. While the ensemble answers writes within an eighth of the session timeout T
//     and some candidate is healthy, somebody leads: at once after a resignation, within T and
//     a tick after a crash, within T more if the heir shared its fate, and DrainTimeout
//     later where a callback is slow to stop.
//   - Cost. A departure wakes one candidate. A leader and its heir write to the quorum 8
//     times per T each, nobody else does.
//
// Safety rests on the session's lease, and that on assumptions about clocks and servers
// that package session spells out: T is at least two ticks, the clocks' rates differ by less
// than 6 %, the ZooKeeper leader's ping loop is not late by more than T/8. It does not rest
// on pings, reads or a connected state: a server that has lost its quorum keeps
// answering those for seconds, while the quorum elects another leader.
//
// # How it works
//
// Each candidate creates an ephemeral sequential znode under the election path. The
// lowest number leads; everybody else watches the znode just ahead of its own. When that
// one goes, the next in the list made at joining is watched, and whoever has nobody ahead
// is first, without asking anybody: nobody new can get ahead.
//
//	joining -> waiting -> heir -> leading -> draining -> (backoff) -> joining ...
//
// The heir is the candidate with only the leader ahead. It keeps a lease of its own, so
// it leads the moment it hears of the deletion. The one behind it finds out that it is the
// heir now within T/4.
//
// A term ends for one [Reason]. When we end it ourselves (the callback returns, Resign,
// the context, Close, bad health) the leadership is kept until the callback has returned, or
// DrainTimeout has passed; only then the znode is deleted. When the lease lapses or the
// session is lost, there is StopBefore to stop in.
//
// What happens when:
//
//   - the connection is lost and comes back within the lease: nothing; a [Suspended] and a
//     [Resumed] event tell;
//   - the server freezes or loses the quorum: the session moves to another server after
//     T/8, and the term goes on if that succeeds in time, as it does when one server alone
//     is frozen. Connections that break again and again before anything was renewed
//     end the term, because the delays between attempts grow;
//   - the lease cannot be extended in time: the term ends ([LeaseExpired]), the candidate
//     enters the line again behind the others;
//   - the session expires: the same ([SessionLost]), in a new session;
//   - the process is paused for longer than the lease: the same, found out at the first
//     look at the clock;
//   - the callback returns early or fails: the candidate resigns, reports, waits with a
//     growing delay, and enters the line again;
//   - the callback panics: the candidate leaves the line, then Run panics.
//
// # Other libraries in the line
//
// Candidates named as Curator's LeaderLatch and LeaderSelector, zk.Lock and kazoo name them
// are honoured in one line with ours, persistent ones included (those are reported with
// [Blocked]). Other children of the path are ignored and never deleted. They honour only
// the names they know: set Config.Style to theirs. The page recipe/docs/mixing.md tells
// what else must agree, and how to move a fleet from each of them.
package election
