package election_test

import (
	"context"
	"sync"
)

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
