package group

import (
	"context"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/held"
	"github.com/zkrecipe/zkrecipe/session"
)

// A Listing is one period in which a member knows without interruption that it is listed. Processes
// that hand out work to the member have seen a certain znode; [Listing.Token] tells which one. If
// the next listing has the same token, the znode was there all the time. All methods may be called
// from any goroutine.
type Listing struct {
	held  *held.Held
	lease bool
}

// Context ends with the listing: StopBefore before the lease ends, or when the znode is known to be
// gone, or the session or the membership is over. The cause is a [*recipe.EndedError]. It has the
// values of the context that was given to Join. In a process that was paused, the first call of its
// Err already returns the error. A context derived from it (context.WithTimeout,
// errgroup.WithContext) ends by a timer, which may be late in such a process. So work under a
// derived context has to ask Valid before each unit of work.
func (l *Listing) Context() context.Context { return l.held.Context() }

// Valid reports whether the member is listed at this moment, in the sense of [Member.Valid].
func (l *Listing) Valid() bool { return l.lease && l.held.Valid() }

// Remaining returns how long Valid stays true if nothing extends the lease.
func (l *Listing) Remaining() time.Duration {
	if !l.lease {
		return 0
	}
	return l.held.Remaining()
}

// Token is the czxid of the member's znode, as [Entry.Token] has it. A later znode has a larger
// one.
func (l *Listing) Token() int64 { return l.held.Token() }

// Node is the path of the member's znode.
func (l *Listing) Node() string { return l.held.Node() }

// noLease is the lease of a member without one. It never ends a listing.
type noLease struct{}

func (noLease) Valid() bool              { return false }
func (noLease) Remaining() time.Duration { return 1<<63 - 1 }
func (noLease) Deadline() time.Time      { return time.Time{} }

// newListing begins a listing by a lease, or by none.
func (st *stay) newListing(lease *session.Lease) *Listing {
	cfg := held.Config{
		Clock: st.m.clock, Lease: noLease{}, StopBefore: st.stopBefore,
		Node: st.m.node, Token: st.token,
	}
	if lease != nil {
		cfg.Lease = lease
	}
	l := &Listing{held: held.New(st.m.ctx, cfg), lease: lease != nil}
	if lease != nil {
		l.held.Watch()
	}
	return l
}

// end ends the listing at once. Only the first reason counts.
func (l *Listing) end(reason recipe.Reason, err error) {
	l.held.End(reason, err)
	l.held.Finish()
}
