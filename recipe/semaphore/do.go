package semaphore

import (
	"context"
	"errors"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/tenure"
)

// Do acquires a permit, calls f, and releases the permit when f has returned. The context that f is
// given ends with ctx, and when the permit is lost; f should then return. After the end of ctx the
// permit is kept until f has returned, but not longer than DrainTimeout, and only while the lease
// is extended.
//
// The error is that of Acquire, or f's. If the permit was lost before f returned, the error wraps a
// [*recipe.EndedError] that tells why, and f's error if there is one. What f has done since then
// may overlap with the next permit.
func (s *Semaphore) Do(ctx context.Context, f func(context.Context, *Permit) error) error {
	if f == nil {
		return errors.New("semaphore: Do was given a nil function")
	}
	p, err := s.Acquire(ctx)
	if err != nil {
		return err
	}
	defer p.claim.Running()()
	defer p.Release(ctx) // also when f panics
	defer context.AfterFunc(ctx, func() { p.held.End(recipe.ReasonCancelled, context.Cause(ctx)) })()
	err = f(p.Context(), p)
	return tenure.Result(p.lost(), err)
}
