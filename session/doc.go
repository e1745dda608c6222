// Package session keeps a program in touch with a ZooKeeper ensemble and knows, at
// every instant, for how long its session provably cannot expire.
//
// It does not promise that a session survives: the ensemble decides that. Nor does it
// promise that code which ignores a [Lease] stops. It promises that no [Session] is ever
// revived, that no request made in one session is carried out in another, that a call
// returns when its context ends, and that while [Lease.Valid] is true the session has
// not expired, under the assumptions below.
//
//	client, err := session.Open("zk1:2181,zk2:2181,zk3:2181/app", session.Config{Timeout: 10 * time.Second})
//	if err != nil {
//		return err // a mistake in the arguments: Open does no I/O
//	}
//	defer client.Close()
//	s, err := client.Session(ctx) // waits for the ensemble; the error tells what is wrong with each server
//	if err != nil {
//		return err
//	}
//	path, err := s.CreateProtected(ctx, "/workers", "w-", []byte("me"), nil)
//
// Underneath is github.com/go-zookeeper/zk v1.0.4. Its data types and errors appear
// here (zk.Stat, zk.ACL, the requests of a multi, zk.ErrNoNode); its connections do not.
//
// # Client and sessions
//
// A [Client] is opened once and shared. It has one [Session] after another: when one is
// over the next is opened, for ever, with exponential delays and jitter, until Close. A
// Session is exactly one ZooKeeper session id. It moves between servers and ends once.
//
//		connecting ──► connected ◄──► suspended
//		     │             │              │
//		     └─────────────┴──────────────┴────► lost
//
//	  - Connecting: no server has granted the session yet. Client.Session does not return
//	    it.
//	  - Connected: a server answers.
//	  - Suspended: the connection is lost. The session may live on. Calls wait; a running
//	    lease keeps running.
//	  - Lost: over for good. [Session.Err] says why: [ErrClosed], [ErrExpired] (a server
//	    said so), [ErrPresumedLost] (no answer from anybody for 2T), [ErrReplaced],
//	    [ErrAuthFailed], [ErrStray].
//
// T is the session timeout: the smallest one that any server has granted this session,
// whatever was asked for.
//
// # What happens when
//
//   - A server dies or closes the connection: the next one is dialled at once, in random
//     order, that one last. Names are resolved afresh. The session goes on.
//   - A server falls silent: with a [Hold], a renewal without an answer for T/8 moves the
//     session to the next server; without, 2T/3 without an answer do. Watch events are no
//     answers: they can flow when nothing reaches the server any more.
//   - A server accepts connections but does not answer: it is given T/4 for everything,
//     TCP, TLS and ZooKeeper's handshake.
//   - All servers are bad: rounds of attempts are spaced by up to 2 s, less with a short
//     T. [Client.Status] tells each one's last failure.
//   - The session expires: it is over, its lease too, all calls return, and the client
//     opens another. Nothing is carried over.
//   - The ensemble comes back from an old backup: its servers refuse whoever has seen
//     more than they have, by closing the connection. After 2T the session is presumed
//     lost and a new one is opened.
//   - The process is paused or its host suspended: the first Valid afterwards compares
//     the lease with two clocks, one of which runs through suspension.
//   - Somebody answers who is not ZooKeeper, or answers nonsense: the connection is
//     dropped with an error that says what it looked like. Nothing reaches zk unchecked.
//   - Close: recipes that have called [Client.Use] take their leave first, then the server
//     is told, which deletes the ephemeral znodes at once. When Close has returned no
//     goroutine and no socket is left.
//
// # The lease
//
// A server that has lost its quorum goes on answering pings and reads for a while, when
// the rest of the ensemble may have expired the session already. So neither counts here.
// What counts is a quorum write: while there is a [Hold], a Multi that checks an own
// znode and changes nothing. Two rules turn such renewals into a deadline:
//
//   - Handshake rule. A connect request written at h, answered, and followed by one
//     successful renewal on that connection: no expiry before h + T.
//   - Lease rule. A request or ping written at s and answered by e, a successful
//     renewal that began 3T/8 or more after e, and another that began after the end of
//     that one, all on one connection: no expiry before s + T.
//
// From both T/16 is taken off for clocks of different rates. In steady state there is
// a renewal every T/8, and the lease ends about 7T/16 after the last one began. A
// server that grants a smaller timeout cuts the lease at once. Once lapsed a lease stays
// so.
//
// Assumed: T is at least two ticks (the servers' default minimum); all servers grant
// the same timeout (a difference is logged as an error); the ping loop of the ZooKeeper
// leader is not late by more than T/8 while the rest of that process runs; clocks' rates
// differ by less than 6 %; no snapshot or migration of a virtual machine stops every
// clock. Only sessions with a Hold renew: 8 quorum writes per T, however many Holds there
// are.
//
// # Calls and outcomes
//
// Every call takes a context and returns by its end, and when the session is over. While
// the session is suspended calls wait instead of being queued; what has not been sent
// when its caller gives up is never sent. Reads, [Session.Sync], [Session.EnsurePath] and
// [Session.Remove] are repeated until they are answered. Other writes are sent once. An
// [Error] carries the [Outcome], by the table at [OutcomeOf]:
//
//	refused before sending; nobody to send it to             not done
//	the server's answer says no                              not done
//	no answer, or an answer that leaves it open              unknown
//
// [Session.CreateProtected] settles unknown outcomes of its own: the znode's name is
// unique, and after a lost answer it looks for a znode of that name and of this session.
//
// # Watches
//
// ZooKeeper's watches fire once and end with the connection that left them. A [Watch]
// is a standing interest: each of its reads leaves a watch at the server, any number of
// Watches on one path share one there, and an event or a new connection gives a signal to
// look again. None is ever left on a znode that does not exist.
//
// # Credentials
//
// [Config.Auth] is presented right after each handshake, before any request. With
// credentials znodes are created for them alone ([Config.ACL] changes that); without, for
// everybody. A refused operation is an error with zk.ErrNoAuth, and is not repeated. A
// rejected credential closes the client with [ErrAuthFailed].
//
// # Not possible with zk v1.0.4
//
// SASL authentication, read-only mode, removing watches, persistent watches, and using
// a zk.Conn of yours: it revives itself and hides T. Both can run side by side.
// UPSTREAM.md in this directory lists what should be mended there.
package session
