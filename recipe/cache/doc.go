// Package cache keeps a copy of one znode, of its children too, or of a whole tree, and follows
// what happens there: for configuration, routing tables, lists of services.
//
// It does not promise that what it holds is the present: the servers may have changed it a moment
// ago. It does not tell every state in between. And the znodes that it holds need not have been so
// all at one instant. It promises that it does not stay wrong, and [Cache.Fresh] makes it hold
// everything that was acknowledged, to anybody, before Fresh was called.
//
//	c, err := cache.New(client, "/config", cache.Config{})
//	if err != nil {
//		return err // a mistake in the arguments: New does no I/O
//	}
//	defer c.Close()
//	for {
//		change, err := c.Next(ctx) // what is there comes first, as created
//		if err != nil {
//			return err
//		}
//		apply(change.Path, change.Now) // nil: there is no such znode any more
//	}
//
// # Following
//
// Each znode is read once, which leaves two one-shot watches at the server, one on its data and
// one on its list of children. An event is a reason to read that znode again, and it alone. What
// identifies a znode is the transaction that created it (czxid); its data, the one that set them
// last (mzxid). Versions are not looked at: a znode that is deleted and created again can have the
// same.
//
// When the connection is another one, no znode is read to find out what has changed. The cache
// leaves all its watches again, in requests of 128 KiB of paths, together with the last transaction
// up to which it has been told everything. The server tells what has changed since, and that is
// read: less than two reads for each znode that has changed. A cache of more than 500 znodes waits
// for a random part of T/4 before, because many caches lose one server at the same time. T is the
// session timeout. The same serves a new session.
//
// A server can lag, and a new session may begin there. So the first request of a session is a
// transaction, as in Fresh; what comes after it is no older than what the cache has seen before.
// If the ensemble has gone back to a backup, everything is read again.
//
// What no event tells is found by a slow round of checks, one small read for each znode in
// [Config].Recheck: that somebody may read a znode again, or an event that a server has lost.
//
// A missing path is no error. It is looked for every T/4, and no watch is left on it.
//
// # Fresh, and the age of a state
//
// Fresh makes a transaction of the ensemble. It consists of one check: that the cache's own path
// exists, in whatever version. It changes no znode, needs no permission, and may fail: the answer
// counts, not what it says. A quorum has agreed on the answer, so it comes after everything that was
// acknowledged before; and events come before it on the connection. When all that they call for has
// been read, the state is as new as the moment at which Fresh was called.
//
// Sync cannot prove that. A leader that has been deposed, and does not know it yet, answers a sync
// without asking anybody.
//
// [Snapshot].AsOf and Age tell for which moment that was proved last: by Fresh, or at the
// beginning of the session. The cache proves nothing by itself between these. Call Fresh as often
// as you want to know.
//
// # Bounds
//
// A cache that would hold more than Config.MaxNodes or Config.MaxBytes ends with a
// [*TooLargeError], before it reads a list of children that is too long. 10,000 znodes with 100
// bytes of data take 3.3 MB: about 220 bytes for each besides its data. At the server
// there are two watches for each znode. [Cache.Next] keeps the state that was told last for each
// change that waits, so a consumer that does not keep up costs as much again, and no more.
//
// A znode that may not be read is there, as Denied, without data and children.
//
// # What is not promised
//
//   - Every state. A consumer that is slow, or a connection that is lost, leaves states out. What
//     is told is in order for each path, and the last state is always told. Between paths there is
//     no order.
//   - A state of one instant. Of two znodes that are set in one transaction, one may be seen
//     first. Put what belongs together into one znode.
//   - To hear of the creation of a missing path at once.
//   - Persistent recursive watches (addWatch, from 3.6 on), which would save the list of a directory
//     for each znode that is created in it, are not used. One-shot watches are the same on all servers.
//   - That the watches at the server go with Close: they stay until they fire or the connection
//     ends.
package cache
