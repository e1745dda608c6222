package session

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Counts are totals over all sessions of a client since Open, for metrics.
type Counts struct {
	// Sessions were granted by a server. Lost is how many of them have ended otherwise
	// than by being closed.
	Sessions, Lost uint64
	// Reconnects took a session to another connection, on the same server or another.
	Reconnects uint64
	// Renewals of the lease succeeded. FailedRenewals were not answered on their
	// connection, or refused, as happens where the own znode is gone.
	Renewals, FailedRenewals uint64
	// RenewalTime is how long the successful renewals took, all together, each until its
	// answer was there. One that takes T/8 counts as lost, and the session moves to another
	// server.
	RenewalTime time.Duration
	// RenewalsWithin tells how they were spread: the element i counts those that took at
	// most 1 ms << i. Faster ones are counted again in every element that follows.
	RenewalsWithin [13]uint64
}

// counts are a client's Counts while they grow. Each is read and written on its own.
type counts struct {
	sessions, lost, reconnects, failedRenewals atomic.Uint64

	renewalTime atomic.Int64
	// Successful renewals by the first element of RenewalsWithin that counts them; the
	// last one is for those slower than all.
	renewals [14]atomic.Uint64
}

// renewed counts a successful renewal.
func (c *counts) renewed(took time.Duration) {
	took = max(took, 0)
	c.renewalTime.Add(int64(took))
	// The number of bits of n is the smallest i with n < 1 << i.
	within := bits.Len64(uint64(max(took-1, 0) / time.Millisecond))
	c.renewals[min(within, len(c.renewals)-1)].Add(1)
}

// read adds up. While renewals go on, the parts may differ by the latest one.
func (c *counts) read() Counts {
	out := Counts{
		Sessions: c.sessions.Load(), Lost: c.lost.Load(), Reconnects: c.reconnects.Load(),
		FailedRenewals: c.failedRenewals.Load(), RenewalTime: time.Duration(c.renewalTime.Load()),
	}
	for i := range c.renewals {
		out.Renewals += c.renewals[i].Load()
		if i < len(out.RenewalsWithin) {
			out.RenewalsWithin[i] = out.Renewals
		}
	}
	return out
}
