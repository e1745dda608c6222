package retry

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/clock"
)

func TestDelaysGrowToTheLongestAndNeverStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(clock.System, 100*time.Millisecond, 2*time.Second)
		if d := b.Next(); d < 50*time.Millisecond || d > 150*time.Millisecond {
			t.Errorf("first delay = %v, want 100ms ± 50%%", d)
		}
		await.Sleep(24 * time.Hour) // far past the 15 minutes after which the default stops
		for range 1000 {
			if d := b.Next(); d <= 0 || d > 3*time.Second {
				t.Fatalf("delay = %v, want within (0, 3s]", d)
			}
		}
		if d := b.Next(); d < time.Second {
			t.Errorf("delay after a thousand failures = %v, want 2s ± 50%%", d)
		}
		b.Reset()
		if d := b.Next(); d > 150*time.Millisecond {
			t.Errorf("delay after Reset = %v, want 100ms ± 50%%", d)
		}
	})
}
