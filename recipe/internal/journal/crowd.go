package journal

import (
	"context"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// Many who write one znode disturb each other: only one write per version succeeds, and the others
// cost as much. The one that has just written knows the version without a read. So it is best if
// it goes on for a while and the others wait, but not for too long. All times here are multiples
// of what a write takes.
const (
	// minTook is what a write takes at least.
	minTook = time.Millisecond
	// The longest pause after the n-th conflict in a row is 2^(n+1) writes, up to maxPause. A change
	// that has taken longer than patience writes makes pauses of at most minPause.
	minPause, maxPause, patience = 8, 256, 800
	// maxStreak is how many writes a Znode makes in a row if others want to write, too. Then it
	// leaves them time for recess writes.
	maxStreak, recess = 32, 3
	// crowded is for how long after a conflict a Znode assumes that others still want to write.
	crowded = time.Second
)

// crowd is what a Znode knows of others who write it.
type crowd struct {
	took   time.Duration // by a write, as far as is known
	streak int           // how many writes have succeeded since the latest conflict or recess
	first  clock.Instant // the first conflict of the present change
	met    clock.Instant // the latest conflict
}

// wrote notes a write that has succeeded. If a server stands still, one write can take a thousand times as
// long as the others, and pauses of that length would last for minutes. So one write at most doubles or
// halves the time that counts as usual.
func (c *crowd) wrote(took time.Duration) {
	c.took = max(minTook, min(max(took, c.took/2), 2*c.took))
	c.streak++
}

// conflict notes the n-th conflict of a change, and returns the longest pause that is to follow.
func (c *crowd) conflict(now clock.Instant, n int) time.Duration {
	if c.met, c.streak = now, 0; n == 1 {
		c.first = now
	}
	took := max(c.took, minTook)
	if now.Sub(c.first) > patience*took {
		return took * minPause
	}
	return took * time.Duration(min(maxPause, 1<<min(n+1, 10)))
}

// giveWay waits after the n-th conflict of a change.
func (z *Znode) giveWay(ctx context.Context, n int) error {
	longest := z.crowd.conflict(z.clock.Now(), n)
	return clock.Sleep(ctx, z.clock, time.Duration(float64(longest)*z.clock.Random()))
}

// rest waits after many writes in a row, if there are others.
func (z *Znode) rest(ctx context.Context) error {
	c := &z.crowd
	if c.streak < maxStreak || c.met.Add(crowded).Passed(z.clock.Now()) {
		return nil
	}
	c.streak = 0
	return clock.Sleep(ctx, z.clock, recess*c.took)
}
