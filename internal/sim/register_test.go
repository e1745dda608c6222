package sim

import "testing"

// holder is a holder of a lock as a test decides.
type holder struct{ valid bool }

func (h *holder) Valid() bool { return h.valid }

func TestARegisterTellsWhetherItsLockHolds(t *testing.T) {
	a, b := &holder{true}, &holder{true}
	nothing := func() {}
	for name, c := range map[string]struct {
		use  func(r *register)
		good bool
	}{
		"in turn": {func(r *register) {
			r.use(a.Valid, false, nothing)
			r.use(b.Valid, true, nothing)
			r.use(b.Valid, false, nothing)
		}, true},
		"two writers": {func(r *register) {
			r.use(a.Valid, false, func() { r.use(b.Valid, false, nothing) })
		}, false},
		"a reader beside a writer": {func(r *register) {
			r.use(a.Valid, true, func() { r.use(b.Valid, false, nothing) })
		}, false},
		"two readers": {func(r *register) {
			r.use(a.Valid, false, nothing)
			r.use(a.Valid, true, func() { r.use(b.Valid, true, nothing) })
		}, true},
		"one that has lost the lock": {func(r *register) {
			lost := &holder{true}
			r.use(lost.Valid, false, func() { lost.valid = false; r.use(b.Valid, false, nothing) })
		}, true},
		"two writers, after the path was deleted": {func(r *register) {
			r.use(a.Valid, false, func() { r.use(b.Valid, false, r.expel) })
		}, true},
	} {
		r := &register{}
		if c.use(r); r.linearizable() != c.good {
			t.Errorf("%s: linearizable %v; want %v", name, !c.good, c.good)
		}
	}
}
