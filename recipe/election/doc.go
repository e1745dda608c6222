// Package election elects, among any number of candidates on any number of machines, one leader at
// a time, with Apache ZooKeeper.
//
//	client, err := session.Open("zk1:2181,zk2:2181,zk3:2181/app", session.Config{Logger: slog.Default()})
//	...
//	el, err := election.New(client, "/billing", election.Config{})
//	...
//	err = el.Run(ctx, func(ctx context.Context, term *election.Term) error {
//		for job := range jobs(ctx, term.Token()) {
//			if !term.Valid() {
//				return nil
//			}
//			db.Charge(ctx, job, term.Token()) // the database refuses an older token than it has seen
//		}
//		return nil
//	})
//	if err != nil && ctx.Err() == nil { // an end by ctx is not a failure
//		return err
//	}
//
// Programs to copy from: examples/billing (a ledger that refuses old tokens), examples/service
// (HTTP), examples/shards (many elections), examples/singleton (a command). examples/leader shows
// an election, and examples/candidate is one candidate.
//
// # What is not promised
//
// Code that ignores its context is not stopped: after a lost lease, or after DrainTimeout, the
// successor does not wait for the callback. A candidate of another library in the same line keeps
// only that library's promises. When somebody deletes the election's path with all that is in it,
// two may lead for at most one lease. Two may lead, too, when somebody overwrites the path's data
// and the end of the leader's znode is then not announced, or forges what only the library writes.
// The fencing token protects against all of these. A virtual machine that is restored from a
// snapshot, and whose clocks all stood still meanwhile, does not know that its lease has lapsed.
// The token protects against that, too. Also send the token with each read on which a write
// depends.
//
// # What is promised
//
// D is the length of a lease, session.Config.Lease, 4 s by default. Times in seconds are those at D
// = 4 s.
//
//   - Safety. Two candidates of this library never have a term that is [Term.Valid] at the same
//     instant. The term's context is cancelled StopBefore before its lease ends. A process that was
//     paused learns it from its first call of Valid, or of its context's Err. A context derived
//     from that (context.WithTimeout, errgroup.WithContext) ends by a timer, which may be late
//     then.
//   - Fencing. [Term.Token] is larger than that of every earlier leader of the path, as long as the
//     ensemble keeps its data.
//   - Liveness. While the ensemble answers writes within D/4 and some candidate is healthy,
//     somebody leads: at once after a resignation; within 4.75 s (19/16 D) and a few round trips
//     after a crash; within 9 s (36/16 D) if the heir has crashed with it; within 7.75 s (31/16 D)
//     if the heir does not know yet that it is the heir, because others ahead of it have just left;
//     up to DrainTimeout later if a callback is slow to stop. The session timeout T matters in
//     three cases only: permissions are missing; leader and heir crash before the heir has ever
//     beaten; or they crash together, and T and a tick are less than 36/16 D.
//   - Cost. A departure wakes one candidate. A session with a leader or an heir writes to the
//     quorum 4 times per D, for up to some 3,000 of them; no other session writes while it waits.
//
// Assumed: writes are linearizable, as ZooKeeper promises; the rates of the clocks differ by less
// than 6 %, and one of a machine's clocks runs while it is suspended; nobody forges or overwrites
// what only the library writes, or deletes the election's path within one lease after an end that
// was not announced. No promise depends on pings, reads or a connected state: a server that has
// lost its quorum keeps answering those for seconds, while the quorum elects another leader. No
// promise depends on the time at which the ensemble expires a session. Package session has the
// rules of the lease.
//
// # How it works
//
// Each candidate creates an ephemeral sequential znode under the election path. The lowest number
// leads; everybody else watches the znode just ahead of its own. When that znode is gone, the
// candidate watches the next in the list that it made when it joined. A candidate whose list is
// empty is first, and needs no request to know that: nobody new can get ahead.
//
//	joining -> waiting -> heir -> leading -> draining -> (backoff) -> joining ...
//
// The heir is the candidate with only the leader ahead. It keeps a lease of its own. When the heir
// becomes the leader, the candidate behind it finds out that it is the heir now: within D/4, or
// within 3/4 D in a session with thousands of places.
//
// When the leader's znode is gone, the leader may not have stopped yet. There are three cases:
//
//   - The departure was announced. The path holds a record as its data, and a leader that leaves
//     writes its number there, in the transaction that deletes its znode. The same transaction
//     gives the heir notice ([session.Watch.AwaitNotice]), so that it leads at once.
//   - The departure was not announced: somebody deleted the znode, or its session has ended. The
//     heir leads when the lease of that candidate is over, 4.25 s (17/16 D) after the heir has
//     heard of the deletion (event [EventWithheld]).
//   - The znode exists, and its session is silent. The heir reads the heartbeat of the leader's
//     session every D/8. When it was not set for 4.25 s (17/16 D), the heir revokes it and deletes
//     the znode, in one transaction, and leads (event [EventTookOver]).
//
// A term ends for one [recipe.Reason]. When this process ends it (the callback returns, Resign, the
// context, Close, bad health), the leadership is kept until the callback has returned, or
// DrainTimeout has passed. [Term.DrainContext] lasts until then, so that a unit of work in progress
// can be finished. After that the znode is deleted. If the lease is not extended meanwhile,
// DrainContext ends StopBefore before the lease ends, and another may lead after the lease. When a
// term ends because its lease runs out, the work has the time StopBefore to stop.
//
// What happens when:
//
//   - the connection is lost and comes back within the lease: nothing; an [EventSuspended] and an
//     [EventResumed] event tell;
//   - the server freezes or loses the quorum: the session moves to another server after D/4, and
//     the term goes on if that succeeds in time;
//   - the lease cannot be extended in time: the term ends ([recipe.ReasonLeaseExpired]), the
//     candidate enters the line again behind the others;
//   - the session expires, or an heir has revoked its heartbeat: the term ends
//     ([recipe.ReasonSessionLost]), the candidate enters the line again in a new session;
//   - somebody deletes the leader's znode: the term ends ([recipe.ReasonNodeDeleted]), and the next
//     begins when the lease of the ended term is over;
//   - the process is paused for longer than the lease: the term ends, as the first call of Valid
//     after the pause tells;
//   - the callback returns early or fails: the candidate resigns, reports the error
//     ([EventDeposed], [Status].LastErr), and enters the line again after a delay, see below;
//   - the callback panics: the candidate leaves the line, then Run panics;
//   - there is no permission to read or write the heartbeats of other candidates, or the record:
//     changes of leader take longer (event [EventImpaired]);
//   - there is no permission to create or set the own heartbeat: the candidate never leads, and Run
//     returns a [*recipe.PermanentError]. Without the permission to read it, Run returns that error
//     when the answer to a beat is lost.
//
// The delay before a candidate enters the line again is
//
//	after Term.Resign                    none
//	after the first term shorter than D  about 50 ms
//	after each further one               longer, up to some 10 s
//	after a term of D or longer          about 50 ms again
//	when nobody is in the line           100 ms at most, or D/8 if that is shorter
//
// The new session of a candidate that has lost its session has a delay of its own, see package
// [session].
//
// So a callback that always fails is called about every 100 ms, for ever, if no other candidate
// stands in the line, or if all others fail, too. To prevent that, let the callback wait for its
// context, or for a while, before it returns. It leads meanwhile.
//
// The first candidate sets the longest lease that the line allows. A candidate whose lease is
// longer does not join: Run returns a [*recipe.PermanentError] with a [*recipe.LeaseError].
//
// # Other libraries in the line
//
// Candidates of Curator's LeaderLatch and LeaderSelector, of zk.Lock and of kazoo can stand in one
// line with ours. Ours wait for them, and also for persistent znodes with such names, which
// [EventBlocked] reports. They have no heartbeat: when one of them has crashed, its session has to
// expire. They wait only for the names that they know: set Config.Style to theirs. Other children
// of the path are never deleted, and nobody waits for them. But each of them costs one wait when it
// is new, see package [recipe]. The page recipe/docs/mixing.md tells what else must agree, and how
// to move a fleet from each of them.
package election
