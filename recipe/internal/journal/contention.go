package journal

import (
	"context"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// If many write one znode, only one write per version succeeds, and the others cost as much. The
// writer that has just succeeded knows the version without a read. So it makes some more writes in
// a row, while the others pause. The number in a row is bounded. The pauses are multiples of the
// time that a write takes.
const (
	// minTook is the shortest time that counts as the time of a write.
	minTook = time.Millisecond
	// The longest pause after the n-th conflict in a row is 2^(n+1) writes, up to maxPause. When
	// more than longChange writes' time has passed since the first conflict of a change, its pauses
	// are at most minPause.
	minPause, maxPause, longChange = 8, 256, 800
	// maxInRow is how many writes a Znode makes in a row if others want to write, too. Then it
	// pauses for the time of betweenRows writes.
	maxInRow, betweenRows = 32, 3
	// contendedFor is for how long after a conflict a Znode assumes that others still want to
	// write.
	contendedFor = time.Second
)

// contention is what a Znode knows of others that write the same znode.
type contention struct {
	took  time.Duration // how long a write takes, as far as is known
	inRow int           // how many writes have succeeded since the latest conflict or pause
	first clock.Instant // the first conflict of the present change
	met   clock.Instant // the latest conflict
}

// wrote notes a write that has succeeded. If a server stands still, one write can take a thousand
// times as long as the others. Pauses by that measure would last for minutes. So one write at most
// doubles or halves the time that counts as the time of a write.
func (c *contention) wrote(took time.Duration) {
	c.took = max(minTook, min(max(took, c.took/2), 2*c.took))
	c.inRow++
}

// conflict notes the n-th conflict of a change, and returns the longest pause that is to follow.
func (c *contention) conflict(now clock.Instant, n int) time.Duration {
	if c.met, c.inRow = now, 0; n == 1 {
		c.first = now
	}
	took := max(c.took, minTook)
	if now.Sub(c.first) > longChange*took {
		return took * minPause
	}
	return took * time.Duration(min(maxPause, 1<<min(n+1, 10)))
}

// pauseAfterConflict pauses after the n-th conflict of a change.
func (z *Znode) pauseAfterConflict(ctx context.Context, n int) error {
	longest := z.contention.conflict(z.clock.Now(), n)
	return clock.Sleep(ctx, z.clock, time.Duration(float64(longest)*z.clock.Random()))
}

// pauseAfterWrites pauses after many writes in a row, if others want to write, too.
func (z *Znode) pauseAfterWrites(ctx context.Context) error {
	c := &z.contention
	if c.inRow < maxInRow || c.met.Add(contendedFor).Passed(z.clock.Now()) {
		return nil
	}
	c.inRow = 0
	return clock.Sleep(ctx, z.clock, betweenRows*c.took)
}
