package lock

import "context"

// A context that comes from a Held carries what is held. So a second acquisition under it is
// noticed. A goroutine has no identity by which that could be noticed.

// under is the key of that value.
type under struct{}

// chain is what is held under a context, the latest first.
type chain struct {
	holding *holding
	next    *chain
}

// chain returns what is held under ctx, and this.
func (h *holding) chain(ctx context.Context) *chain {
	next, _ := ctx.Value(under{}).(*chain)
	return &chain{h, next}
}

// nested looks whether ctx comes from a Held of this lock.
func (l *Lock) nested(ctx context.Context) (*Held, error) {
	c, _ := ctx.Value(under{}).(*chain)
	for ; c != nil; c = c.next {
		h := c.holding
		if h.lock.client != l.client || h.lock.path != l.path || !h.kept() {
			continue
		}
		if h.lock.shared && !l.shared {
			return nil, ErrUpgrade
		}
		if l.cfg.Reentrant && h.again() {
			return &Held{at: h, nested: true}, nil
		}
		if h.kept() {
			return nil, ErrNested
		}
	}
	return nil, nil
}
