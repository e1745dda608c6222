package session_test

import (
	"context"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/session"
)

// usage is what a process uses.
type usage struct {
	goroutines, files int
	heap              uint64
}

// measure waits until what ends by itself has ended, and measures the usage.
func measure(t *testing.T) usage {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("SKIP: no /proc on this system")
	}
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{runtime.NumGoroutine(), len(files), m.HeapAlloc}
}

// settled measures until no value is above the bound any more, or until its time is over.
func settled(t *testing.T, bound usage) usage {
	t.Helper()
	for end := time.Now().Add(hang); ; runtime.Gosched() {
		u := measure(t)
		if u.goroutines <= bound.goroutines && u.files <= bound.files && u.heap <= bound.heap || time.Now().After(end) {
			return u
		}
	}
}

// flat demands that the usage has not grown by more than a little.
func flat(t *testing.T, before usage, what string) {
	t.Helper()
	bound := usage{before.goroutines + 5, before.files + 5, before.heap + 1<<20}
	after := settled(t, bound)
	t.Logf("%s: goroutines %d -> %d, files %d -> %d, heap %d KiB -> %d KiB",
		what, before.goroutines, after.goroutines, before.files, after.files, before.heap>>10, after.heap>>10)
	if after.goroutines > bound.goroutines || after.files > bound.files || after.heap > bound.heap {
		t.Errorf("%s: grew from %+v to %+v", what, before, after)
	}
}

// quietly opens a client without a log, because a log would grow.
func quietly(t *testing.T, e *ensemble.Ensemble, cfg session.Config) (*faultproxy.Proxy, *session.Client) {
	t.Helper()
	p := faultproxy.ForTest(t, e.Addrs()[0])
	cfg.Context = hurried(t)
	return p, open(t, p.Addr()+stage.Path(t), cfg)
}

func TestAThousandReconnectsLeaveNothingBehind(t *testing.T) {
	p, client := quietly(t, three(t), session.Config{Timeout: steady})
	s := established(t, client)
	must(t, s.EnsurePath(within(t, hang), "/w", nil))
	w := s.Watch("/w", make(chan struct{}, 1))
	defer w.Stop()
	ctx := within(t, 2*hang)
	suspended := make(chan struct{}, 1)
	defer s.Subscribe(func(state session.State) {
		if state == session.StateSuspended {
			suspended <- struct{}{}
		}
	})()
	reconnect := func() {
		p.Cut(true)
		<-suspended // until then this clock repeats the read without a pause
		_, _, err := w.Get(ctx)
		must(t, err)
	}
	for range 20 {
		reconnect()
	}
	before := measure(t)
	n := 1000
	var m1, m2 runtime.MemStats
	runtime.ReadMemStats(&m1)
	begin := time.Now()
	for range n {
		reconnect()
	}
	runtime.ReadMemStats(&m2)
	each := (m2.TotalAlloc - m1.TotalAlloc) / uint64(n)
	t.Logf("%d reconnects in %v, %d KiB allocated for each, the proxy's part included", n, time.Since(begin), each>>10)
	if each > 64<<10 { // zk's own buffer alone would be 1.5 MiB
		t.Errorf("a reconnect allocates %d bytes", each)
	}
	flat(t, before, "reconnects")
	if s.Err() != nil {
		t.Error(s.Err())
	}
}

func TestAHundredSessionsLeaveNothingBehind(t *testing.T) {
	e := three(t)
	one := func() {
		client, err := session.Open(e.ConnectString()+stage.Path(t), session.Config{Timeout: steady})
		must(t, err)
		s := established(t, client)
		p, _ := held(t, s)
		client.Close()
		<-p.ended
	}
	for range 5 {
		one()
	}
	before := measure(t)
	for range 100 {
		one()
	}
	flat(t, before, "sessions")
}

func TestAHundredExpiriesLeaveNothingBehind(t *testing.T) {
	p, client := quietly(t, three(t), session.Config{Timeout: 2 * time.Second})
	expire := func() {
		s := established(t, client)
		p.FailReply(faultproxy.OpConnect, 1, 0)
		p.Cut(false)
		over(t, s)
	}
	for range 5 {
		expire()
	}
	established(t, client)
	before := measure(t)
	for range 100 {
		expire()
	}
	established(t, client)
	flat(t, before, "expiries")
}

// If callers give up during an outage, none of their requests is carried out later.
func TestAnOutageQueuesNoCalls(t *testing.T) {
	p, client := quietly(t, three(t), session.Config{Timeout: steady})
	s := established(t, client)
	p.Refuse(true)
	p.Cut(false)
	await.Until(t, "end of the connection", func() bool { return s.State() != session.StateConnected })
	before := measure(t)
	for range 200 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		s.Sync(ctx, "/")
		s.CreateProtected(ctx, "/e", "n-", nil, nil)
		s.Create(ctx, "/e", nil, 0, nil)
		cancel()
	}
	flat(t, before, "an outage")
	p.Refuse(false)
	must(t, s.Sync(within(t, hang), "/"))
	sent := p.Counts().Requests
	if n := sent[faultproxy.OpCreate].Frames + sent[faultproxy.OpMulti].Frames; n != 0 {
		t.Errorf("%d creates were carried out after all", n)
	}
}
