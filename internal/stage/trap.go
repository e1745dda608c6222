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

// Set replaces what was set before: met is called at each request until it says that the trap is spent.
func (t *Trap) Set(met func(zktest.Request) (spent bool)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.met = met
}

// Next calls do once, on a goroutine of its own, at the next request of that operation from host about path.
func (t *Trap) Next(host string, op zktest.Op, path string, do func()) {
	t.Set(func(r zktest.Request) bool {
		if r.Host != host || r.Op != op || r.Path != path {
			return false
		}
		go do()
		return true
	})
}

// Requested looks at a request.
func (t *Trap) Requested(r zktest.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.met != nil && t.met(r) {
		t.met = nil
	}
}
