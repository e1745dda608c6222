package election_test

import (
	"context"
	"sync"
	"testing"
	"time"
)

// eventually waits for what sends no signal.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for guard := time.After(patience); !ok(); {
		select {
		case <-tick.C:
		case <-guard:
			t.Fatalf("no %s", what)
		}
	}
}

// healthVerdict is a Config.Healthy whose answer the test sets.
type healthVerdict struct {
	mu  sync.Mutex // guards err
	err error
}

func (v *healthVerdict) set(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.err = err
}

func (v *healthVerdict) ask(context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.err
}
