package journal

import (
	"context"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

const (
	// minTook is what a write takes at least, for the pauses after a conflict.
	minTook = time.Millisecond
	// maxDoublings bounds the pauses after many conflicts.
	maxDoublings = 5
)

// giveWay waits after the n-th conflict of a change: so long that the others can write meanwhile.
// Each of them knows the version that its own write has made, and needs no read as long as nobody
// comes in between.
func (z *Znode) giveWay(ctx context.Context, n int) error {
	longest := max(z.took, minTook) << min(n, maxDoublings)
	return clock.Sleep(ctx, z.clock, time.Duration(float64(longest)*z.clock.Random()))
}
