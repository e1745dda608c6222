package barrier_test

import (
	"errors"
	"testing"

	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/barrier"
)

// A member that was given another number of members than the round has does not enter. Its error
// tells both numbers.
func TestNobodyIsInARoundOfAnotherNumberThanItsOwn(t *testing.T) {
	for _, c := range []struct {
		agreed, other int
		says          string
	}{
		{2, 3, "has 2 members, and NewDouble was given 3"},
		{3, 2, "has 3 members, and NewDouble was given 2"},
	} {
		onStage(t, 1, func(t *testing.T, s *stage) {
			s.makePath()
			// It is cut off until all are there, so another one counts.
			odd := s.enter("odd", c.other)
			s.Eventually("its znode", func() bool { return len(s.listed()) == 1 })
			s.Host("odd").Hold()
			var all []*entering
			for _, h := range hosts(c.agreed - 1) {
				all = append(all, s.enter(h, c.agreed))
			}
			var rounds []*barrier.Round
			for _, e := range all {
				rounds = append(rounds, e.in(t))
			}
			s.Host("odd").Heal()
			err := odd.refused(t)
			if !errors.Is(err, barrier.ErrDisagree) {
				t.Errorf("%v", err)
			}
			shared.Says(t, err, c.says)
			leave(t, rounds...)
			s.Eventually("the end of its znode", func() bool { return len(s.listed()) == 0 })
		})
	}
}
