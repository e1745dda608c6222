// Package cache keeps a copy of one znode, of its children too, or of a whole tree, and follows
// what happens there: for configuration, routing tables, lists of services.
//
// It does not promise that what it holds is the present: the servers may have changed it a moment
// ago. It does not tell every state in between. And the states of its znodes may belong to
// different instants. It promises that it does not stay wrong, and [Cache.Fresh] makes it hold
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
// one on its list of children. After an event the cache reads that znode again, and no other. A
// znode is identified by the transaction that created it (czxid), and its data by the transaction
// that set them last (mzxid). Versions are not looked at: a znode that is deleted and created
// again can have the same.
//
// After a reconnect the cache does not read all znodes to find out what has changed. It sets all
// its watches again, in requests of 128 KiB of paths, with the zxid of the last transaction up to
// which it knows everything. The server answers with what has changed since, and the cache reads
// that: less than two reads for each znode that has changed. A cache of more than 500 znodes first
// waits for a random part of T/4, because many caches lose one server at the same time. T is the
// session timeout. A new session begins in the same way.
//
// A server can lag, and a new session may begin there. So the first request of a session is a
// transaction, as in Fresh; what comes after it is no older than what the cache has seen before.
// If the ensemble has gone back to a backup, everything is read again.
//
// Some changes cause no event: a znode becomes readable again, or a server has lost an event. A
// slow round of checks finds them, with one small read for each znode in [Config].Recheck.
//
// A missing path is no error. The cache looks for it every T/4, and sets no watch on it.
//
// # Fresh, and the age of a state
//
// Fresh sends a transaction with one check: that the cache's own path exists, in any version. It
// changes no znode, needs no permission, and may fail. Only the arrival of its answer matters. A
// quorum has agreed on the answer, so it comes after everything that was acknowledged before, and
// the events of that come before it on the connection. When the cache has read what these events
// call for, its state is at least as new as the call of Fresh.
//
// Sync cannot prove that. A deposed leader that does not know it yet answers a sync without asking
// a quorum.
//
// [Snapshot].AsOf and Age tell for which moment that was proved last: by Fresh, or at the
// beginning of the session. Between these the cache proves nothing by itself. Call Fresh as often
// as you need the proof.
//
// # Bounds
//
// A cache that would hold more than Config.MaxNodes or Config.MaxBytes ends with a
// [*TooLargeError], before it reads a list of children that is too long. 10,000 znodes with 100
// bytes of data take 3.3 MB: about 220 bytes for each znode in addition to its data. At the
// server there are two watches for each znode. For each change that waits, [Cache.Next] keeps the
// state that it returned last. So a slow consumer at most doubles the memory.
//
// A znode that the client may not read is in the cache as Denied, without data and children.
//
// # What is not promised
//
//   - Every state. A slow consumer or a lost connection misses states. For each path the changes
//     come in order, and the last state always comes. Between paths there is no order.
//   - A state of one instant. Of two znodes that are set in one transaction, one may be seen
//     first. Put what belongs together into one znode.
//   - To hear of the creation of a missing path at once.
//   - Persistent recursive watches (addWatch, from 3.6 on), which would save the list of a directory
//     for each znode that is created in it, are not used. One-shot watches are the same on all servers.
//   - That the watches at the server go with Close: they stay until they fire or the connection
//     ends.
package cache
