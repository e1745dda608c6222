package sim

import (
	"context"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe"
)

// ghost is a holder of a lock as a test decides, which writes to value.
type ghost struct {
	valid bool
	value *string
	lost  bool // the answers to its writes
}

func (g *ghost) Valid() bool { return g.valid }

func (g *ghost) Multi(_ context.Context, ops ...any) ([]zk.MultiResponse, error) {
	if !g.valid {
		return nil, recipe.ErrNotHeld
	}
	*g.value = string(ops[0].(*zk.SetDataRequest).Data)
	if g.lost {
		return nil, zk.ErrConnectionClosed
	}
	return nil, nil
}

// user lets a ghost use a register.
type user func(g *ghost, read bool, pass func())

func TestARegisterTellsWhetherItsLockHolds(t *testing.T) {
	const reads, writes = true, false
	for name, c := range map[string]struct {
		use  func(use user, r *register, a, b *ghost)
		good bool
	}{
		"in turn": {func(use user, _ *register, a, b *ghost) {
			use(a, writes, nil)
			use(b, reads, nil)
			use(b, writes, nil)
		}, true},
		"two writers": {func(use user, _ *register, a, b *ghost) {
			use(a, writes, func() { use(b, writes, nil) })
		}, false},
		"a reader beside a writer": {func(use user, _ *register, a, b *ghost) {
			use(a, reads, func() { use(b, writes, nil) })
		}, false},
		"two readers": {func(use user, _ *register, a, b *ghost) {
			use(a, writes, nil)
			use(a, reads, func() { use(b, reads, nil) })
		}, true},
		"one that has lost the lock": {func(use user, _ *register, a, b *ghost) {
			use(a, writes, func() { a.valid = false; use(b, writes, nil) })
		}, true},
		"two writers, after the path was deleted": {func(use user, r *register, a, b *ghost) {
			use(a, writes, func() { use(b, writes, r.expel) })
		}, true},
		"a lost answer": {func(use user, _ *register, a, b *ghost) {
			a.lost = true
			use(a, writes, nil)
			use(b, reads, nil)
		}, true},
		"a lost request": {func(use user, _ *register, a, b *ghost) {
			a.lost, a.value = true, new(string)
			use(a, writes, nil)
			use(b, writes, nil)
			use(b, reads, nil)
		}, true},
		"a write with a lost answer that overtakes another's": {func(use user, _ *register, a, b *ghost) {
			a.lost = true
			use(a, writes, func() { use(b, writes, nil) })
			use(b, reads, nil)
		}, false},
	} {
		r, now := &register{}, ""
		use := func(g *ghost, read bool, pass func()) {
			if pass == nil {
				pass = func() {}
			}
			get := func(context.Context) (string, error) { return now, nil }
			r.use(t.Context(), "/l", g, read, get, pass)
		}
		c.use(use, r, &ghost{valid: true, value: &now}, &ghost{valid: true, value: &now})
		if r.linearizable() != c.good {
			t.Errorf("%s: linearizable %v; want %v", name, !c.good, c.good)
		}
	}
}
