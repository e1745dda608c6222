package stage

import (
	"sync"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A Trap waits for a request. Its method Requested is a zktest.Config.OnRequest.
type Trap struct {
	mu  sync.Mutex // guards met
	met func(zktest.Request) (spent bool)
}

// Set sets the function of the trap: met is called at each request until it returns true. Set
// replaces an earlier function.
func (t *Trap) Set(met func(zktest.Request) (spent bool)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.met = met
}

// Next calls do once, on a goroutine of its own, at the next request of that operation from host
// about path.
func (t *Trap) Next(host string, op zktest.Op, path string, do func()) {
	t.Set(func(r zktest.Request) bool {
		if r.Host != host || r.Op != op || r.Path != path {
			return false
		}
		go do()
		return true
	})
}

// Requested calls the trap's function with a request.
func (t *Trap) Requested(r zktest.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.met != nil && t.met(r) {
		t.met = nil
	}
}
