package semaphore_test

import (
	"context"
	"testing"

	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
)

// Each waits for the one ahead alone, and the first for the permits. A session begins to beat when
// its place comes near the front. If that beat is under way when the place is at the front, the
// permit's znode takes a request of its own and another beat. With 2 that wait, all beat already.
func TestAHandOverCostsTheSameHoweverManyWait(t *testing.T) {
	const size = 2
	shared.EachHandOverCostsTheSame(t, size, 1.5, func(s *shared.Stage, name string) shared.Member {
		p := (&stage{Stage: s, ledger: ledger{size: size}}).process(name)
		return shared.Member{
			Acquire: func(ctx context.Context) (func(context.Context) error, error) {
				permit, err := p.Acquire(ctx)
				if err != nil {
					return nil, err
				}
				return permit.Release, nil
			},
			Joined: func() int { return p.count(semaphore.EventJoined) },
		}
	})
}
