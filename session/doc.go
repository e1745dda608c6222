// Package session keeps a program connected to a ZooKeeper ensemble. For each place that the
// program holds there, it knows at every instant for how long no other session takes it.
//
// It does not promise that a session survives: the ensemble decides that. It does not promise that
// code that ignores a [Lease] stops. It promises that no [Session] is ever revived, that no request
// made in one session is carried out in another, and that a call returns when its context ends. And
// it promises that, while [Lease.Valid] is true, no other session that keeps the rules below takes
// the place.
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
// It uses github.com/go-zookeeper/zk v1.0.4. Its data types and errors appear here (zk.Stat,
// zk.ACL, the requests of a multi, zk.ErrNoNode); its connections do not.
//
// Package recipe lists the recipes that are built on this package. Programs to run and to copy from
// are in https://github.com/zkrecipe/zkrecipe/tree/main/examples.
//
// # Client and sessions
//
// A [Client] is opened once and shared. It has one [Session] after another: when one is over, the
// client opens the next, until Close. The delay between two is about 50 ms. It grows while sessions
// last for less than a lease, up to some 5 s. A Session is exactly one ZooKeeper session id. It
// moves between servers and ends once.
//
//	connecting ──► connected ◄──► suspended
//	     │             │              │
//	     └─────────────┴──────────────┴────► lost
//
// The states are:
//
//   - Connecting: no server has granted the session yet. Client.Session does not return it.
//   - Connected: a server answers.
//   - Suspended: the connection is lost. The session may still exist. Calls wait; a running lease
//     keeps running.
//   - Lost: over for good. [Session.Err] says why: [ErrClosed], [ErrExpired] (a server said so),
//     [ErrPresumedLost] (no answer from anybody for 2T), [ErrReplaced], [ErrRevoked],
//     [ErrNoHeartbeat], [ErrAuthFailed], [ErrStray].
//
// T is the session timeout: the smallest one that any server has granted this session. It may
// differ from what was asked for.
//
// # What happens when
//
//   - A server dies or closes the connection: the session dials the other servers at once, in
//     random order, and that server last. Names are resolved again. The session goes on. If two
//     connections in a row do not last, it waits before it dials again.
//   - A server falls silent: with a [Hold], a beat gets D/4. If it is not answered in that time,
//     the session moves to the next server, where the next beat gets D/4, too. After that each move
//     doubles the time, up to 2T/3. With D = 4 s and T = 12 s, beats get 1 s, 1 s, 2 s, 4 s, 8 s, 8
//     s. An answer ends that: the next beat gets at most twice the time that the answer took, and
//     at least D/4. Without a Hold, the session moves after 2T/3 without an answer. Watch events do
//     not count as answers: they can arrive when nothing reaches the server any more.
//   - A server does not answer, whether it accepts connections or not: an attempt gets T/4 for TCP,
//     TLS and ZooKeeper's handshake together, or D/8 while a lease runs. With more than four
//     addresses it gets less, so that a round of all of them takes at most T, or D/2. When as many
//     attempts have run out of time as there are addresses, an attempt gets twice as long, and so
//     on, up to T: with T = 12 s and three silent servers, 3 s in the first round, then 6 s, then
//     12 s. An attempt that is refused at once does not count.
//   - A server never answers a handshake. If a follower validates several handshakes of one session
//     at the same time, it answers only the one that it has read last. The session may have given
//     up that one. So with a [Hold] whose lease is over, an attempt gets no more time than has
//     passed since a server last answered, and no less than it gets while a lease runs.
//   - No server can be used: between two rounds of attempts the session waits up to 2 s, less with
//     a short T, and up to D/4 with a [Hold]. [Client.Status] tells each one's last failure.
//   - The session expires: it is over, and its leases are over, too. All calls return, and the
//     client opens another session. Nothing is carried over to it.
//   - The ensemble was restored from an old backup: if a client has seen more than its servers
//     have, they close the connection. After 2T the session is presumed lost and the client opens a
//     new one.
//   - The process is paused or its host suspended: the first Valid afterwards compares the lease
//     with two clocks. One of them runs while the host is suspended. If another session has taken
//     over meanwhile, this one is over.
//   - Somebody deletes the session's heartbeat: the session is over.
//   - Something that is not ZooKeeper answers, or the answer makes no sense: the connection is
//     dropped. The error says what the answer looked like. zk gets only what was checked.
//   - Close: recipes that have called [Client.KeepOpen] clean up first. Then the session is closed
//     at the server, which deletes its ephemeral znodes at once. When Close has returned, no
//     goroutine and no socket is left.
//
// # The lease
//
// A server that has lost its quorum answers pings and reads for a while, although the rest of the
// ensemble may have expired the session already. The time at which the ensemble expires a session
// depends on the timing inside its servers. So the lease depends on neither. It depends only on the
// order of the writes, and on the rates of the clocks.
//
// A place is an ephemeral znode that [Session.CreatePlace] has created. With its first place a
// session creates its heartbeat, an ephemeral znode in the directory [Config.Beats]. While the
// session has a [Hold], it sets the heartbeat every D/4. D is [Session.LeaseTime]. Each such write
// is a beat.
//
//   - Lease rule. A beat begins at s, before anything is sent. If it succeeds, the lease by it
//     lasts until s + D.
//   - Holding rule. A beat extends the leases of the places that it has checked in the same
//     transaction: they existed when it was committed. If a watch has reported no deletion, that
//     proves nothing: newer servers send no event to a session that has no permission to read the
//     znode any more. If another znode may get the name of the place, the check alone proves
//     nothing either: see [Session.HoldNamed].
//   - Version rule. A beat sets the heartbeat at the version that the session knows. After a lost
//     answer the session reads the heartbeat first. The heartbeat is created once in a session. A
//     session is over if it finds its heartbeat gone, revoked or created by another.
//
// So other sessions can know when a place is not held any more. This does not depend on what the
// session of the place knows:
//
//   - A session that learns that the place's znode is gone waits for 17/16 D ([Outlast]). Each beat
//     that counts for the place was committed before the znode was deleted. So it began before any
//     session could learn of the deletion.
//   - A session that sees no new version of the heartbeat for that long ([Session.Listen]) sets it
//     to "revoked" at that version, and deletes the place, in one multi. If that succeeds, no beat
//     was committed since, and none will be: the session of the place does not know the new
//     version. When that session learns of the new version, it ends with [ErrRevoked].
//
// It is assumed that writes are linearizable, as ZooKeeper promises, that the rates of clocks
// differ by less than 6 %, and that no snapshot or migration of a virtual machine stops every
// clock. Nothing is assumed about pings, ticks, or when a session expires. A lease that has lapsed
// is never revived. Only sessions with a Hold beat: 4 quorum writes per D. One write checks half a
// megabyte of paths, some 3,000 places. With more places a session needs several writes every D/4.
//
// The page recipe/docs/guarantees.md has the full argument, and the rules of the line that package
// recipe/election adds.
//
// # Calls and outcomes
//
// A call that waits takes a context. It returns when the context ends, and when the session is
// over. While the session is suspended, calls wait and no request is queued. If a caller gives up
// after its request was passed to the connection, the request may still be carried out. Reads,
// [Session.Sync], [Session.QuorumSync], [Session.EnsurePath], [Session.EnsureNode] and
// [Session.EnsureDeleted] are repeated until they are answered. Other writes are sent once, and so
// are the reads that do not wait, [Session.AskChildren] and [Session.AskData]. An [Error] has the
// [Outcome], by the table at [OutcomeOf]:
//
//	refused before sending; no connection to send it on       not done
//	the server's answer refuses it                           not done
//	no answer, or an answer that does not tell               unknown
//
// [Session.CreateProtected] and [Session.CreatePlace] resolve unknown outcomes themselves: the
// znode's name is unique, and after a lost answer they look for a znode of that name and of this
// session. Other requests whose answer was lost may be carried out at any time while the session
// exists, even after later requests of the session: a server may have held them up, and the session
// may have moved back to that server without the client knowing it. There are two ways to be
// certain. Give each write a version. After a lost answer, read, and write again at the version
// that the read shows. When that has succeeded, the lost one fails. Or use [Session.FencedMulti],
// and after a lost answer call [Session.Fence] before you read.
//
// # Watches
//
// ZooKeeper's watches fire once and end with the connection that left them. A [Watch] lasts until
// Stop. Each of its reads leaves a watch at the server. All Watches on one path share one watch
// there. An event or a new connection gives a signal to read again. No watch is ever left on a
// znode that does not exist.
//
// # For recipes of your own
//
// This section is for authors of recipes. A program that uses recipes, or that only reads and
// writes, needs nothing of it. The recipes of this module use the same functions. The example
// "Recipe" is a small lock. It does not take over from a crashed holder; the example of
// [Session.Listen] does. It does not try again after the loss of a session; recipe/election does.
//
// The client and its end:
//
//   - [Client.Context] ends when the client is closed. Then [Client.KeepOpen] gives the recipe time
//     to clean up. If Close waits for more than 2 s, it logs the names of what it waits for.
//   - [Client.CheckPath] checks the path of a recipe, and [CheckPath] any path. [OutcomeOf] tells
//     what became of a request. [Permanent] tells whether trying again can help.
//   - [Client.LeaseAsked] returns [Config.Lease], for checks before there is a session.
//
// A place, from its create to its deletion:
//
//   - [Session.EnsureNode] makes the path. [Session.CreatePlace] creates a place, and
//     [Session.CreatePlaces] several at once, each a [Place]. Both create the session's heartbeat.
//     For a znode that is created by another call, use [Session.EnsureHeartbeat], and [Session.ACL]
//     where the caller has given no ACL.
//   - [Session.SeeThrough] is for a caller that may give up: it leaves the time to finish the
//     create and the departure.
//   - [Session.Watch] tells when the znode has changed. [Session.Hold] and [Session.Reserve] keep a
//     [Lease] for it. [Session.HoldNamed] does so for a znode whose name others may use.
//     [Hold.Keep] turns a reserved place into one that each beat checks. [Hold.Renew] asks for a
//     beat now. [Hold.Czxid] tells the czxid of a place that a beat has created.
//   - [Session.EnsureDeleted] and [Session.DeleteInBackground] delete the znode. The operations of
//     [Session.Notice] tell the next in line that the work has stopped. [Session.WithoutNotice]
//     leaves them out if they are refused. The next in line calls [Watch.AwaitNotice] and
//     [Watch.Noticed].
//
// The places of others:
//
//   - [Session.Listen] reads the [Heartbeat] of another session again and again. [Outlast] tells
//     when a lease of that session is over. [Listener.TakeOver] deletes a place of that session
//     when the session is silent, revoked or gone.
//   - [Session.HeartbeatPath] and [ParseLease] are for code that reads heartbeats without a
//     Listener.
//   - [Session.AskChildren] and [Session.AskData] read without waiting. They can be sent right
//     after a create.
//   - [Session.WatchTree] watches a znode and all below it.
//   - [Session.LeaseTime] tells D. [Session.LeaseAsked] returns [Config.Lease], which is longer if
//     the servers have granted a short session timeout. [Session.Places] tells how many places
//     share the beats.
//
// If such a function takes a channel, it sends signals to it without blocking: give the channel
// room for one. A signal means that it is time to look again.
//
// # Credentials
//
// [Config.Auth] is presented right after each handshake, before any request. By default, znodes of
// a client with credentials are for these credentials alone, and znodes of a client without
// credentials are for everybody. [Config.ACL] changes that. The error of a refused operation is
// zk.ErrNoAuth, and the operation is not repeated. A rejected credential closes the client with
// [ErrAuthFailed].
//
// [Config.SASL] authenticates each connection before that: by a user and a password of the servers
// ([SASLDigest]), by Kerberos (package session/sasl/kerberos, a module of its own), or by code of
// yours. A server that ends the exchange early, or accepts anybody, is not used. Refusals by every
// server, three times each, close the client with [ErrAuthFailed].
//
// [Config.TLSFiles] names files with certificates and authorities. They may be replaced while the
// client runs.
//
// # Not possible with zk v1.0.4
//
// Read-only mode is not possible. A client cannot use your zk.Conn, because a zk.Conn opens new
// sessions by itself and hides T. A client and a zk.Conn can run side by side. UPSTREAM.md in this
// directory lists what should be fixed in zk.
package session
