package cache

import "time"

// Status is the state of a cache at one moment.
type Status struct {
	// Path is the cache's.
	Path string
	// Nodes is how many znodes it holds, with those whose data have not been read yet; Bytes is how
	// long their names and data are together.
	Nodes int
	Bytes int64
	// Loaded is whether there has been a first complete state.
	Loaded bool
	// Following is whether the server will tell of each change. It is false while there is no
	// connection.
	Following bool
	// Unread is how many znodes are being read or wait for it.
	Unread int
	// Untold is how many changes wait for Next.
	Untold int
	// AsOf and Age are as in [Snapshot]; zero before the first complete state.
	AsOf time.Time
	Age  time.Duration
	// Counts are totals.
	Counts Counts
	// Err is what went wrong last, nil since the latest proof. The client's Status tells what is
	// wrong with the servers.
	Err error
	// Over is why the cache has ended, nil while it has not.
	Over error
}

// Counts are totals since the cache was made.
type Counts struct {
	// Reads are requests for data, lists and Stats.
	Reads uint64
	// Events are those that the servers have sent.
	Events uint64
	// Restores is how often the watches were left on a new connection.
	Restores uint64
	// Proofs is how often it was proved that nothing is missing.
	Proofs uint64
	// Changes are those of all znodes, told or not.
	Changes uint64
}

// Status returns the present state of the cache. It never blocks.
func (c *Cache) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	st := Status{
		Path: c.path, Nodes: c.nodes, Bytes: c.bytes, Loaded: c.loaded(), Following: c.watch != nil && c.watch.Armed(),
		Untold: c.changes.order.Len(), AsOf: c.proved.wall, Counts: c.counts,
		Err: c.failure, Over: c.err,
	}
	for _, n := range c.open {
		st.Unread += n
	}
	if c.loaded() {
		st.Age = c.clock.Now().Sub(c.proved.begun)
	}
	return st
}
