// Package cache keeps a copy of one znode, of its children too, or of a whole tree, and follows
// what happens there: for configuration, routing tables, lists of services.
//
// It does not promise to hold the present state: somebody may have changed that at the servers a
// moment ago. It does not tell every state in between. And the states of its znodes may belong to
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
// A program to copy from: examples/config (a service that follows its configuration).
//
// # Following
//
// If the cache holds everything below its path, and the server has 3.6.0 or newer, one watch tells
// of the whole tree: of each znode that is created, changed or deleted. Otherwise each znode has
// two one-shot watches, one on its data and one on its list of children. Both ways tell of the same
// changes. Which one is used depends on the server of each connection. So during an upgrade of the
// servers a cache may change from one to the other. After an event the cache reads that znode
// again, and no other. With one-shot watches it reads the list of a directory, too, when a znode
// has been created there. With a watch on the whole tree it does not list a znode without children,
// which halves the reads of a load. A znode is identified by the transaction that created it
// (czxid), and its data by the transaction that set them last (mzxid). Versions are not looked at:
// a znode that is deleted and created again can have the same.
//
// After a reconnect the cache does not read all znodes to find out what has changed. It sets one-
// shot watches on all of them, in requests of 128 KiB of paths, with the zxid of the last
// transaction up to which it knows everything. The watch on the whole tree is set after them. The
// server answers with what has changed since, and the cache reads that: less than two reads for
// each znode that has changed. A cache of more than 500 znodes first waits for a random part of
// T/4, because many caches lose one server at the same time. T is the session timeout. A new
// session begins in the same way.
//
// A server can lag, and a new session may begin there. So the first request of a session is a
// transaction, as in Fresh; what comes after it is no older than what the cache has seen before. If
// the ensemble has gone back to a backup, everything is read again.
//
// Some changes cause no event: a znode becomes readable again, or a server has lost an event. A
// slow round of checks finds them. It makes one small read of each znode within the time
// [Config].Recheck.
//
// A missing path is no error. The cache looks for it every T/4, and sets no watch on it.
//
// # Refusals
//
// A request that fails is repeated, with a delay of up to 2 s, in this session or in the next one.
// [Status].Err is what went wrong last, until it is proved again that nothing is missing. The error
// of a call whose context ends, such as [Cache.Wait] or [Cache.Fresh], has it, too. The log of the
// client, session.Config.Logger, has it as "cannot follow", at most five times in 10 s.
//
// Some refusals are the same next time: the servers take no requests of clients that have not
// authenticated, or do not know the operation. If there was no complete state before, such a
// refusal ends the cache with a [*recipe.PermanentError]. If there was one, the cache holds what it
// has read and tries again, because somebody may be about to mend the configuration. A refused READ
// on some znodes does not end the cache: see Bounds.
//
// # Fresh, and the age of a state
//
// Fresh sends a transaction with one check: that the cache's own path exists, in any version. It
// changes no znode, needs no permission, and may fail. Only the arrival of its answer matters. A
// quorum has agreed on the answer, so it comes after everything that was acknowledged before. The
// events of all these changes arrive on the connection before the answer. When the cache has read
// what these events call for, its state is at least as new as the call of Fresh.
//
// Sync cannot prove that. A deposed leader that does not know it yet answers a sync without asking
// a quorum.
//
// [Snapshot].AsOf and Age tell for which moment that was proved last: by Fresh, or at the beginning
// of the session. At other times the cache proves nothing by itself. Call Fresh as often as you
// need the proof.
//
// # Bounds
//
// A cache that would hold more than Config.MaxNodes or Config.MaxBytes ends with a
// [*TooLargeError], before it reads a list of children that is too long. 10,000 znodes with 100
// bytes of data take 3.3 MB: about 220 bytes for each znode in addition to its data. At the server
// one-shot watches on them take 3.1 MB, one watch on the whole tree next to nothing. After a
// reconnect there are one-shot watches in any case, until they fire. For each change that waits,
// [Cache.Next] keeps the state that it returned last. So a slow consumer at most doubles the
// memory.
//
// A znode that the client has no permission to read is in the cache as Hidden, without data and
// children.
//
// # What is not promised
//
//   - Every state. A slow consumer or a lost connection misses states. For each path the changes
//     come in order, and the last state always comes. Between paths there is no order.
//   - A state of one instant. If one transaction sets two znodes, one of them may be seen first.
//     Put what belongs together into one znode.
//   - Immediate notice of the creation of a missing path.
//   - Events of a znode that the client has no permission to read. Servers from 3.7.3, 3.8.4 and
//     3.9.2 on do not send them. If it was created, the cache finds it when it reads the list of
//     its directory, when its data are changed after READ was granted, or at the latest by the
//     checks.
//   - What Stat says of a directory's children (Cversion, NumChildren, Pzxid) is as of the latest
//     list. With one watch on the whole tree the cache reads the list once. Later the checks read
//     it again if these figures differ.
//   - One-shot watches that end with Close: they stay at the server until they fire or the
//     connection ends. The watch on a whole tree is removed.
package cache
