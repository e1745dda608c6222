// Package session keeps a program in touch with a ZooKeeper ensemble and knows, at
// every instant, for how long a place that it holds there is its own.
//
// It does not promise that a session survives: the ensemble decides that. It does
// not promise that code which ignores a [Lease] stops. It promises that no [Session] is ever
// revived, that no request made in one session is carried out in another, and that a call
// returns when its context ends. And it promises that while [Lease.Valid] is true nobody else
// who keeps the rules below takes the place.
//
//	client, err := session.Open("zk1:2181,zk2:2181,zk3:2181/app", session.Config{Timeout: 10 * time.Second})
//	if err != nil {
//		return err // a mistake in the arguments: Open does not connect
//	}
//	defer client.Close()
//	s, err := client.Session(ctx) // waits for the ensemble; the error tells what is wrong with each server
//	if err != nil {
//		return err
//	}
//	path, err := s.CreateProtected(ctx, "/workers", "w-", []byte("me"), nil)
//
// It uses github.com/go-zookeeper/zk v1.0.4. Its data types and errors appear
// here (zk.Stat, zk.ACL, the requests of a multi, zk.ErrNoNode); its connections do not.
//
// Package recipe is the index of the recipes that are made of it. Programs to run and to copy from are in
// https://github.com/zkrecipe/zkrecipe/tree/main/examples.
//
// # Client and sessions
//
// A [Client] is opened once and shared. It has one [Session] after another: when one is
// over the next is opened, for ever, with exponential delays and jitter, until Close. A
// Session is exactly one ZooKeeper session id. It moves between servers and ends once.
//
//	connecting ──► connected ◄──► suspended
//	     │             │              │
//	     └─────────────┴──────────────┴────► lost
//
// The states are:
//
//   - Connecting: no server has granted the session yet. Client.Session does not return
//     it.
//   - Connected: a server answers.
//   - Suspended: the connection is lost. The session may live on. Calls wait; a running
//     lease keeps running.
//   - Lost: over for good. [Session.Err] says why: [ErrClosed], [ErrExpired] (a server
//     said so), [ErrPresumedLost] (no answer from anybody for 2T), [ErrReplaced],
//     [ErrRevoked], [ErrNoHeartbeat], [ErrAuthFailed], [ErrStray].
//
// T is the session timeout: the smallest one that any server has granted this session,
// whatever was asked for.
//
// # What happens when
//
//   - A server dies or closes the connection: the session dials the others at once, in random
//     order, and that one last. Names are resolved again. The session goes on.
//   - A server falls silent: with a [Hold], a beat without an answer for D/4 moves the
//     session to the next server. If the next beat is not answered either, each further move doubles
//     the time that a beat is given, up to T/4. An answered beat ends that: the next one is given
//     no more than twice the time of the answered one, and at least D/4. Without a Hold, 2T/3 without an
//     answer move the session. Watch events are no answers: they can arrive when nothing reaches the
//     server any more.
//   - A server does not answer, whether it accepts connections or not: it is given T/4 for
//     everything, TCP, TLS and ZooKeeper's handshake, or D/8 while a lease runs. With more
//     than four addresses it is less, so that a round of all of them takes T, or D/2, at
//     most. When as many attempts have run out of time as there are addresses, the time of an
//     attempt doubles, up to T. An attempt that is refused at once does not count.
//   - All servers are bad: rounds of attempts are spaced by up to 2 s, less with a short
//     T, and by up to D/4 with a [Hold]. [Client.Status] tells each one's last failure.
//   - The session expires: it is over, its leases too, all calls return, and the client
//     opens another. Nothing is carried over.
//   - The ensemble comes back from an old backup: its servers refuse a client that has seen
//     more than they have, by closing the connection. After 2T the session is presumed
//     lost and a new one is opened.
//   - The process is paused or its host suspended: the first Valid afterwards compares
//     the lease with two clocks, one of which runs through suspension. If another session
//     has taken over meanwhile, this one is over.
//   - Somebody deletes the session's heartbeat: the session is over.
//   - Something that is not ZooKeeper answers, or the answer is nonsense: the connection is
//     dropped with an error that says what it looked like. zk gets nothing that was not checked.
//   - Close: recipes that have called [Client.KeepOpen] clean up first, then the server
//     is told, which deletes the ephemeral znodes at once. When Close has returned no
//     goroutine and no socket is left.
//
// # The lease
//
// A server that has lost its quorum answers pings and reads for a while, although the rest of
// the ensemble may have expired the session already. The time at which the ensemble expires a
// session depends on the timing inside its servers. So neither counts here. Only the order of
// the writes counts.
//
// A place is an ephemeral znode that [Session.CreatePlace] has created. With its first place a
// session creates its heartbeat, an ephemeral znode in the directory [Config.Beats]. While it
// has a [Hold], it sets the heartbeat every D/4, D being [Session.LeaseTime]. One set is a beat.
//
//   - Lease rule. A beat that began at s, before anything was sent, and has succeeded is
//     good until s + D.
//   - Holding rule. A beat extends the leases of the places that it has checked in the same
//     transaction: they existed when it was committed. A watch that has told of no deletion
//     proves nothing: newer servers send no event to a session that may not read the znode any
//     more. Where the name of a place may come again the check proves nothing by itself either:
//     see [Session.HoldNamed].
//   - Version rule. A beat sets the heartbeat at the version that the session knows. After a
//     lost answer the session reads the heartbeat first. The heartbeat is created once in a
//     session. A session is over if it finds its heartbeat gone, revoked or created by another.
//
// So others can know when a place is not held any more, whatever its session believes:
//
//   - A session that hears that the place's znode is gone waits for 17/16 D ([Outlast]). Each
//     beat that counts for the place was committed before the znode was deleted, so it began
//     before anybody could hear of the deletion.
//   - A session that sees no new version of the heartbeat for that long ([Session.Listen]) sets
//     it to "revoked" at that version, and deletes the place, in one multi. If that succeeds, no beat
//     was committed since, and none will be: the session of the place does not know the version.
//     It finds out, and is over with [ErrRevoked].
//
// Assumed: writes are linearizable, as ZooKeeper promises; clocks' rates differ by less than
// 6 %; no snapshot or migration of a virtual machine stops every clock. Nothing is assumed about
// pings, ticks, or when a session expires. A lease that has lapsed is never revived. Only
// sessions with a Hold beat: 4 quorum writes per D. One write checks half a megabyte of paths,
// some 3,000 places; a session with more of them writes several times.
//
// The page recipe/docs/guarantees.md has the argument in full, and the rules of the line that
// package recipe/election adds.
//
// # Calls and outcomes
//
// A call that waits takes a context. It returns when the context ends, and when the session is over. While
// the session is suspended, calls wait and no request is queued. If a caller gives up after its request
// was given to the connection, the request may still be carried out. Reads,
// [Session.Sync], [Session.QuorumSync], [Session.EnsurePath], [Session.EnsureNode] and
// [Session.EnsureDeleted] are repeated until they are answered. Other writes are sent once, and so are
// the reads that do not wait, [Session.AskChildren] and [Session.AskData]. An [Error]
// carries the [Outcome], by the table at [OutcomeOf]:
//
//	refused before sending; nobody to send it to             not done
//	the server's answer says no                              not done
//	no answer, or an answer that leaves it open              unknown
//
// [Session.CreateProtected] and [Session.CreatePlace] resolve unknown outcomes themselves: the
// znode's name is unique, and after a lost answer they look for a znode of that name and of
// this session. To resolve others, call [Session.QuorumSync] before you read. Only after that is it
// certain that the request has happened, or never will.
//
// # Watches
//
// ZooKeeper's watches fire once and end with the connection that left them. A [Watch]
// lasts until Stop. Each of its reads leaves a watch at the server. Any number of
// Watches on one path share one there. An event or a new connection gives a signal to
// look again. None is ever left on a znode that does not exist.
//
// # For recipes of your own
//
// A program that uses recipes, or reads and writes by itself, needs nothing of what follows. It is
// there for those who write a recipe. The recipes of this module are made of the same. The example "Recipe"
// is a small lock. It does not take over from a holder that has crashed, as the example of
// [Session.Listen] does, and does not try again after the loss of a session, as recipe/election does.
//
// The client and its end:
//
//   - [Client.Context] ends when the client is closed, and [Client.KeepOpen] gives the recipe time to
//     clean up then. If Close waits for more than 2 s, it names in the log what it waits for.
//   - [Client.CheckPath] checks the path of a recipe, and [CheckPath] any path. [OutcomeOf] tells what became of a
//     request, and [Permanent] whether trying again can help.
//
// A place, from its create to its deletion:
//
//   - [Session.EnsureNode] makes the path. [Session.CreatePlace] creates a place, and
//     [Session.CreatePlaces] several at once, each a [Place]. Both give the session its heartbeat. For a znode that is
//     created in another way, call [Session.EnsureHeartbeat].
//   - [Session.SeeThrough] is for a caller that may give up: it keeps the time in which the create and the
//     departure are finished.
//   - [Session.Watch] tells when the znode has changed. [Session.Hold] and [Session.Reserve] keep a [Lease]
//     for it, and [Session.HoldNamed] does for a znode whose name others may use. [Hold.Keep] turns a
//     reserved place into one that each beat checks, [Hold.Renew] asks for a beat now, and [Hold.Born] tells the czxid
//     of a place that a beat has created.
//   - [Session.EnsureDeleted] and [Session.DeleteInBackground] delete the znode. The operations of
//     [Session.Notice] tell the one behind that the work has stopped, [Session.WithoutNotice] leaves them out if they
//     are refused, and [Watch.AwaitNotice] and [Watch.Noticed] are the other end.
//
// The places of others:
//
//   - [Session.Listen] hears the [Heartbeat] of another session. [Outlast] tells when a lease of that
//     session is over. [Heartbeat.Revoke] and [Heartbeat.Check] go into the multi that takes over.
//     [Listener.Revoked] and [Listener.Restart] tell the listener how that ended.
//   - [Session.HeartbeatPath] and [ParseLease] are for those who look at heartbeats by themselves.
//   - [Session.AskChildren] and [Session.AskData] read without waiting. They can be sent right behind a create.
//   - [Session.WatchTree] watches a znode and all below it.
//   - [Session.LeaseTime] and [Session.LeaseAsked] tell D. [Session.Places] tells how many places share
//     the beats.
//
// A channel that such a function takes gets signals without blocking: give it room for one. A signal
// means that it is time to look again.
//
// # Credentials
//
// [Config.Auth] is presented right after each handshake, before any request. A client with
// credentials creates znodes for these alone, a client without for everybody ([Config.ACL] changes
// that). A refused operation is an error with zk.ErrNoAuth, and is not repeated. A
// rejected credential closes the client with [ErrAuthFailed].
//
// [Config.SASL] authenticates each connection before that: by a user and a password of the servers
// ([SASLDigest]), by Kerberos (package session/sasl/kerberos, a module of its own), or by what you
// write. A server that ends the exchange early, or lets anybody in, is not used. Refusals by every
// server, three times each, close the client with [ErrAuthFailed].
//
// [Config.TLSFiles] are certificates and authorities that may be replaced while the client runs.
//
// # Not possible with zk v1.0.4
//
// Read-only mode is not possible. A client cannot use a zk.Conn of yours, because a zk.Conn opens new
// sessions by itself and hides T. A client and a zk.Conn can run side by side.
// UPSTREAM.md in this directory lists what should be mended there.
package session
