package lock

import (
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe"
)

// A lock is lost at the moment at which a Downgrade asks. The goroutine that ends it waits until it
// knows what was asked. Otherwise nobody would ever answer the Downgrade.
func TestADowngradeOfALockThatEndsIsAnswered(t *testing.T) {
	at := endless()
	found := make(chan *downgrade, 1)
	at.mu.Lock() // as askDowngrade, which has found that it is not over
	at.End(recipe.ReasonLeaseExpired, nil)
	go func() { found <- at.asked() }()
	select {
	case <-found:
		t.Fatal("it ends although somebody is asking")
	case <-time.After(50 * time.Millisecond):
	}
	d := &downgrade{}
	at.downgrade = d
	at.mu.Unlock()
	if got := <-found; got != d {
		t.Errorf("%v is answered", got)
	}
	if _, err := at.first.askDowngrade(); err != recipe.ErrNotHeld {
		t.Errorf("error %v afterwards; want ErrNotHeld", err)
	}
}
