package lock

import (
	"context"
	"errors"
)

// InTurn acquires several locks one after another, in the order in which they are given, and holds
// them together like [All]. It is for lines in which another library takes several locks one by
// one, for example with Curator's InterProcessMultiLock. There, All may wait for a lock that such a
// process holds, while that process waits behind All for the next one. InTurn does not, if
// everybody takes the locks that they share in the same order. Where all use this library, take
// All: no order matters, and it sends fewer requests.
//
// While it waits for one lock, it holds those before it. If one of these is lost meanwhile, it
// releases the others and begins again. ctx and the errors are those of [Lock.Acquire], and what
// All says of nesting holds here, too. On an error nothing is held: what was acquired is released
// in the background.
func InTurn(ctx context.Context, locks ...*Lock) (*Set, error) {
	if err := checkAll(ctx, "InTurn", locks); err != nil {
		return nil, err
	}
	for {
		helds, err := inTurn(ctx, locks)
		if err == nil {
			return newSet(ctx, helds), nil
		}
		if !errors.Is(err, errLostInTurn) {
			return nil, err
		}
	}
}

// errLostInTurn ends the wait for a lock when one that was acquired before is lost.
var errLostInTurn = errors.New("lock: one of several that were acquired is lost")

// inTurn acquires the locks once. The error is errLostInTurn if one is lost meanwhile.
func inTurn(ctx context.Context, locks []*Lock) (helds []*Held, err error) {
	waiting, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	defer func() {
		if err != nil {
			lose(nil) // nothing waits for the releases
			for _, h := range helds {
				h.Release(waiting)
			}
			helds = nil
		}
	}()
	for _, one := range locks {
		h, err := one.Acquire(waiting)
		if err != nil {
			if ctx.Err() == nil && context.Cause(waiting) == errLostInTurn {
				err = errLostInTurn
			}
			return helds, err
		}
		helds = append(helds, h)
		defer context.AfterFunc(h.Context(), func() { lose(errLostInTurn) })()
	}
	for _, h := range helds {
		if !h.Valid() {
			return helds, errLostInTurn
		}
	}
	return helds, nil
}
