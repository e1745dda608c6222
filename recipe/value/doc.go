// Package value keeps a value or a counter in a znode, which many programs change at the same time.
//
// No change counts twice, and no change that was carried out is reported as failed. If an answer is
// lost, the library finds out the outcome. The outcome of a change stays unknown only if its
// session ends meanwhile, its caller does not wait, or somebody deletes the journal or takes away
// the permission to write it. Then the error is an [UnknownError], which has the value before and
// the value after. The change is not retried after that. With every other error of a change,
// nothing was written and nothing will be. [session.OutcomeOf] tells which of the two it is.
//
//	n, err := value.NewCounter(client, "/orders/next", value.CounterConfig{})
//	if err != nil {
//		return err // a mistake in the arguments: NewCounter does no I/O
//	}
//	first, err := n.Reserve(ctx, 1000) // first to first+999 are ours alone
//
// A Value or a Counter that the program keeps needs no Close, see Costs. What it does in the
// background ends with the client.
//
// A program to copy from: examples/counter.
//
// All changes and Gets are linearizable, also those that fail: a [ConflictError] has a value that
// the znode had during the call, and so has an Update whose function returns an error.
//
// # What is not promised
//
//   - To know the outcome when the session ends and an answer is lost with it. With
//     [Config.Durable] that is known, too, unless somebody deletes the journal or takes away the
//     permission to write it.
//   - Changes while somebody deletes the znode and creates it again. A change may overwrite the new
//     znode, and be based on the value before, if the change begins less than a second after that,
//     or while the server of this client lags (up to syncLimit ticks). Somebody who sets the data
//     at any version may overwrite a change. A Get is still correct.
//   - Fairness among many that change one znode. Each of them succeeds in the end.
//   - Speed. Each change of one znode is a quorum write, one after the other.
//
// # How it works
//
// Each change is one transaction of two writes: of the znode at the version that is known, and of a
// journal, a znode that belongs to this [Value] or [Counter] alone. A transaction whose answer is
// lost is sent again as it is. It cannot be carried out twice, and the journal tells whether it was
// carried out. If it is then refused, the journal is written alone before the change is reported as
// not done, or begun anew. After that no transaction sent before is carried out, however late it
// arrives. Curator's and kazoo's counters have no journal: they may add again.
//
// # On the wire
//
// The znode holds nothing but the value, so programs of other libraries may change it, too. This
// package promises nothing about their changes. Its promises about ours hold. The journals are
// ephemeral znodes in the directory [Config.Journals]. An empty one may be left there until the
// session ends, if the answer to its creation was lost.
//
//	EncodingDecimal   kazoo's Counter                                "42"
//	EncodingInt64     Curator's DistributedAtomicLong                8 bytes, big-endian
//	EncodingInt32     Curator's SharedCount, kazoo's Counter with    4 bytes, big-endian
//	                  support_curator
//
// A znode's version wraps after 2^31 changes, and servers take -1 for any version. After 2^30 the
// znode is deleted and created again in one transaction, with Config.ACL. This is not done if the
// znode has children.
//
// # Costs
//
// A change is one quorum write while nobody else changes the znode. The first one in a session
// needs another write before it, which creates the journal; with [Config.Durable] only the first of
// all does. A refusal after a lost answer costs another write. After a second without a change, a
// change or a Get needs one read more. After a conflict it waits for a moment, reads and tries
// again. A Counter carries the additions of many goroutines in one write. Get is a quorum write
// that changes nothing, and a read after it, so that it is never old. A change that finds a
// conflict costs the same. So does an Update whose function returns an error. A Watcher reads once
// for each change that it sees.
//
// A journal is an ephemeral znode, and stays as long as its session. A session has room for some
// 15,000 ephemeral znodes of all kinds (session.Config.EphemeralBytes). So keep a Value or Counter
// and do not make one for each change, or call Close.
package value
