package election_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/session"
)

// A wire is what connects one client with the ensemble: a proxy in front of each server.
type wire struct {
	faultproxy.Proxies
	t *testing.T
}

func wireTo(t *testing.T, e shared.Servers) *wire {
	t.Helper()
	return &wire{shared.Proxies(t, e), t}
}

// cut breaks the connection; the client makes another.
func (w *wire) cut() { w.Each(func(p *faultproxy.Proxy) { p.Cut(false) }) }

// crash is the end of the client's process as the ensemble sees it.
func (w *wire) crash() {
	w.Each(func(p *faultproxy.Proxy) { p.Refuse(true) })
	w.cut()
}

// heal undoes crash.
func (w *wire) heal() { w.Each(func(p *faultproxy.Proxy) { p.Refuse(false) }) }

// on arms one fault that strikes the first request for which match holds, whichever server it goes
// to. match is called for one frame at a time.
func (w *wire) on(action faultproxy.Action, match func(faultproxy.Frame) bool) *oneFault {
	f := &oneFault{t: w.t, struck: make(chan struct{})}
	var mu sync.Mutex
	var done atomic.Bool
	for _, p := range w.Proxies {
		f.faults = append(f.faults, p.On(func(frame faultproxy.Frame) bool {
			mu.Lock()
			defer mu.Unlock()
			return !done.Load() && match(frame) && done.CompareAndSwap(false, true)
		}, 1, action))
	}
	var once sync.Once
	for _, fault := range f.faults {
		go func() {
			select {
			case <-fault.Done():
				once.Do(func() { f.frame = fault.Frame(); close(f.struck) })
			case <-w.t.Context().Done():
			}
		}()
	}
	w.t.Cleanup(f.release)
	return f
}

// oneFault is the same fault at every proxy, of which one strikes.
type oneFault struct {
	t      *testing.T
	faults []*faultproxy.Fault
	struck chan struct{}
	frame  faultproxy.Frame // after struck
}

func (f *oneFault) wait() {
	f.t.Helper()
	select {
	case <-f.struck:
	case <-within(f.t).Done():
		f.t.Fatal("the fault has not happened")
	}
}

// release lets go what is held, and disarms what has not struck.
func (f *oneFault) release() {
	for _, fault := range f.faults {
		fault.Cancel()
	}
}

func is(op faultproxy.Op) func(faultproxy.Frame) bool {
	return func(f faultproxy.Frame) bool { return f.Op == op }
}

// creates holds for the create of a session's first place in a line, which comes with its
// heartbeat.
func creates(f faultproxy.Frame) bool {
	return f.Op == faultproxy.OpMulti && f.First == faultproxy.OpCreate && strings.HasPrefix(f.Path, beats)
}

// departs holds for a departure from the line at path: its announcement and the deletion in one.
func departs(f faultproxy.Frame, path string) bool {
	return f.Op == faultproxy.OpMulti && f.First == faultproxy.OpSetData && f.Path == path
}

// nth holds for the n-th frame for which match holds.
func nth(n int, match func(faultproxy.Frame) bool) func(faultproxy.Frame) bool {
	return func(f faultproxy.Frame) bool {
		if match(f) {
			n--
			return n == 0
		}
		return false
	}
}

// request matches all that a client asks by itself.
func request(f faultproxy.Frame) bool {
	return f.Op != faultproxy.OpConnect && f.Op != faultproxy.OpPing && f.Op != faultproxy.OpEvent && f.Op != faultproxy.OpRaw
}

// requests and replies return how many there were of each kind, at all servers together.
func (w *wire) requests() map[faultproxy.Op]int {
	return w.sum(func(c faultproxy.Counts) map[faultproxy.Op]faultproxy.Count { return c.Requests })
}

func (w *wire) replies() map[faultproxy.Op]int {
	return w.sum(func(c faultproxy.Counts) map[faultproxy.Op]faultproxy.Count { return c.Replies })
}

func (w *wire) sum(of func(faultproxy.Counts) map[faultproxy.Op]faultproxy.Count) map[faultproxy.Op]int {
	n := map[faultproxy.Op]int{}
	w.Each(func(p *faultproxy.Proxy) {
		for op, c := range of(p.Counts()) {
			n[op] += c.Frames
		}
	})
	return n
}

// silence waits until the client has no connection open.
func (w *wire) silence() {
	w.t.Helper()
	w.Each(func(p *faultproxy.Proxy) {
		if err := p.WaitConnections(within(w.t), 0); err != nil {
			w.t.Error(err)
		}
	})
}

// admins returns the client of one who looks after the ensemble: one for each test, straight to the
// servers.
func admins(t *testing.T, e shared.Servers) *session.Client {
	t.Helper()
	adminOf.Lock()
	defer adminOf.Unlock()
	if c := adminOf.of[t]; c != nil {
		return c
	}
	c := open(t, e, session.Config{})
	t.Cleanup(func() {
		adminOf.Lock()
		defer adminOf.Unlock()
		delete(adminOf.of, t)
	})
	if adminOf.of == nil {
		adminOf.of = map[*testing.T]*session.Client{}
	}
	adminOf.of[t] = c
	return c
}

var adminOf struct {
	sync.Mutex
	of map[*testing.T]*session.Client
}
