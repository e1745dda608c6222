package semaphore

import (
	"slices"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// Those who leave, whether they have had their turn or not, delay nobody's turn.
func TestEachHasOneTurnInARound(t *testing.T) {
	var owners []int64
	for o := range int64(3*listenTo + 5) {
		owners = append(owners, o)
	}
	var h hearing
	now := clock.Instant{Mono: 1, Boot: 1}
	turn := func(want []int64) {
		t.Helper()
		if got := h.whose(slices.Clone(owners), now, time.Second); !slices.Equal(got, want) {
			t.Fatalf("it is the turn of %v, want %v", got, want)
		}
	}
	turn(owners[:listenTo])
	owners = owners[listenTo:] // all of them were silent, and have been taken over from
	turn(nil)
	now = now.Add(time.Second)
	turn(owners[:listenTo])
	owners = append(owners[:1:1], owners[2:]...)
	turn(owners[:listenTo-1])
	now = now.Add(time.Second)
	turn(owners[listenTo-1 : 2*listenTo-1])
	now = now.Add(time.Second)
	turn(owners[2*listenTo-1:])
	now = now.Add(time.Second)
	turn(owners[:listenTo])
	owners = owners[:listenTo]
	turn(owners)
}
