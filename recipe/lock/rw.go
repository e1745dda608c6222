package lock

import (
	"context"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/claims"
	"github.com/zkrecipe/zkrecipe/recipe/internal/life"
	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
	"github.com/zkrecipe/zkrecipe/session"
)

// RW is a read-write lock: one writer holds it, or any number of readers. It is fair: a reader
// waits for the writers that came before it, a writer for all that came before it.
type RW struct{ read, write *Lock }

// NewRW returns the read-write lock at path. It checks its arguments as [New] does. A Lock of New
// at the same path is one more writer, unless contenders of other libraries use the path: they do
// not know it as one.
func NewRW(client *session.Client, path string, cfg Config) (*RW, error) {
	write, err := New(client, path, cfg)
	if err != nil {
		return nil, err
	}
	read := *write // the same events
	read.style, write.style = write.cfg.Style.reader(), write.cfg.Style.writer()
	read.shared, read.book = true, claims.New(read.clock)
	write.reader, read.reader = &read, &read
	return &RW{&read, write}, nil
}

// Read returns the lock for reading. [Lock.Do] and the other methods work as with any Lock.
func (rw *RW) Read() *Lock { return rw.read }

// Write returns the lock for writing. A writer can become a reader, see [Held.Downgrade].
func (rw *RW) Write() *Lock { return rw.write }

func (s Style) reader() line.Style {
	if s == StyleKazoo {
		return line.KazooRead
	}
	return line.Read
}

func (s Style) writer() line.Style {
	if s == StyleKazoo {
		return line.Kazoo
	}
	return line.Write
}

// downgrade is what Held.Downgrade asks for.
type downgrade struct {
	done chan struct{} // closed when the others are set
	held *Held
	err  error
}

// Downgrade makes a writer a reader. No other writer can get the lock in between. The Held for
// writing ends at once, with recipe.ReasonReleased, so the work must have stopped. The Held that is
// returned is for reading, and has the same token. ctx bounds the wait. If ctx ends first, or the
// attempt fails, nothing is held any more. If it fails because the lock is lost, the error is a
// [*recipe.EndedError]. A Held that cannot be downgraded stays as it is: one for reading, one of a
// Lock that is not of an [RW], and one under which the lock was acquired again ([ErrNested]). For
// one that has ended or was released the error is [recipe.ErrNotHeld], and no Release is needed.
//
// The reverse does not exist: two readers that wait to become writers would wait for each other.
func (h *Held) Downgrade(ctx context.Context) (*Held, error) {
	if h.at.lock.reader == nil || h.at.lock.shared {
		return nil, errDowngrade
	}
	d, err := h.askDowngrade()
	if err == recipe.ErrNotHeld {
		h.release() // nobody calls Release after that
	}
	if err != nil {
		return nil, err
	}
	select {
	case <-d.done:
		return d.held, d.err
	case <-ctx.Done():
		go func() { // nobody waits for the reader
			if <-d.done; d.held != nil {
				d.held.Release(ctx)
			}
		}()
		return nil, context.Cause(ctx)
	}
}

// askDowngrade ends what is held. The goroutine that keeps it then carries out the downgrade.
func (h *Held) askDowngrade() (*downgrade, error) {
	at := h.at
	at.mu.Lock()
	defer at.mu.Unlock()
	switch {
	case at.Ended() != nil || h.released.Load():
		return nil, recipe.ErrNotHeld
	case at.holders > 1:
		return nil, ErrNested
	}
	d := &downgrade{done: make(chan struct{})}
	at.downgrade, at.holders = d, 0
	h.released.Store(true)
	at.End(recipe.ReasonReleased, nil)
	close(at.letGo)
	return d, nil
}

// failedDowngrade is what Held.Downgrade tells of an attempt that failed with err in that session.
func failedDowngrade(s *session.Session, err error) error {
	switch {
	case s.Err() != nil:
		return &recipe.EndedError{Reason: recipe.ReasonSessionLost, Err: s.Err()}
	case err == line.ErrGone:
		return &recipe.EndedError{Reason: recipe.ReasonNodeDeleted}
	}
	return err
}

// asked returns what Held.Downgrade has asked for, or nil. The holding is over. It may have ended
// for another reason while somebody was about to ask.
func (h *holding) asked() *downgrade {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.downgrade
}

// downgraded makes the place a reader's, and returns what is held then. On an error the place has
// to be left. When the client is closed, late goes on for a while: the departure of a place can be
// announced only if it is known whether the downgrade has happened.
func (c *contender) downgraded(late context.Context, at *holding) (*holding, error) {
	ctx, cancel := life.Within(late, c.clock, 2*at.st.S.Timeout())
	defer cancel()
	at.Finish()
	if err := at.st.Downgrade(ctx, c.reader.style); err != nil {
		return nil, err
	}
	reader := &contender{Lock: c.reader, claim: c.reader.book.Begin(), values: c.values, life: c.life, last: c.last}
	next, err := reader.wait(ctx, at.st)
	if err != nil {
		reader.claim.GaveUp(false)
		return nil, err
	}
	next.acquired(0)
	return next, nil
}
