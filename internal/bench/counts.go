package main

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
)

// measureCounts counts frames, one by one, with a proxy before each session: what one failover
// costs, and what an election costs while nothing happens.
func measureCounts(l *lab) error {
	t := table{
		title: "Frames of one failover, all candidates together, and of an election at rest:",
		head: []string{"candidates", "sessions", "requests", "events", "other candidates woken", "bytes both ways",
			"at rest: writes per D", "reads per D, all together"},
	}
	for _, sc := range []struct{ candidates, sessions int }{{3, 3}, {10, 5}, {100, 10}, {1000, 10}} {
		one, rest, err := countFailover(l, sc.candidates, sc.sessions)
		if err != nil {
			return fmt.Errorf("%d candidates: %w", sc.candidates, err)
		}
		t.add(sc.candidates, sc.sessions, one.requests, one.events, one.woken, one.bytes, fmt.Sprintf("%.1f", rest.writes),
			fmt.Sprintf("%.1f", rest.reads))
	}
	t.print(l.out)
	return measureAcquisitions(l)
}

// cost is what has passed on the wire. Pings, heartbeats, the reading of heartbeats, and the
// periodic re-checks are left out. The re-checks are all requests of exists.
type cost struct {
	requests int // of all candidates
	events   int // of watches, to all candidates
	woken    int // of those, to others than the one who has left
	bytes    int // with answers
}

// atRest is what passes in one lease, D, when nothing happens.
type atRest struct{ writes, reads float64 }

const countTimeout, countLease = 4 * time.Second, 2 * time.Second

// tapped is a client behind a proxy that counts.
type tapped struct {
	*ours
	proxy *faultproxy.Proxy

	mu     sync.Mutex // guards frames
	frames []faultproxy.Frame
}

func openTapped(l *lab, server string) (*tapped, error) {
	p, err := faultproxy.New(server)
	if err != nil {
		return nil, err
	}
	t := &tapped{proxy: p}
	p.OnFrame(func(f faultproxy.Frame) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.frames = append(t.frames, f)
	})
	if t.ours, err = openOurs(l, p.Addr(), countTimeout, countLease); err != nil {
		p.Close()
		return nil, err
	}
	return t, nil
}

// openTappedAll opens n clients, on the servers in turn.
func openTappedAll(l *lab, n int) ([]*tapped, func(), error) {
	return openEach(n, func(i int) (*tapped, error) { return openTapped(l, l.server(i)) }, func(t *tapped) {
		t.Close()
		t.proxy.Close()
	})
}

// untapped returns the clients.
func untapped(all []*tapped) (clients []*ours) {
	for _, t := range all {
		clients = append(clients, t.ours)
	}
	return clients
}

// take returns what has passed since the last call.
func (t *tapped) take() []faultproxy.Frame {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer func() { t.frames = nil }()
	return t.frames
}

// errMoved: a session has changed its connection meanwhile, which costs requests of its own: this
// machine is overloaded.
var errMoved = errors.New("a session has changed its connection meanwhile")

// unmoved tries again if a session has changed its connection, because that costs requests of its
// own.
func unmoved(try func() error) (err error) {
	for range 15 {
		if err = try(); !errors.Is(err, errMoved) {
			break
		}
	}
	return err
}

// countFailover counts one failover in which no connection is lost.
func countFailover(l *lab, candidates, sessions int) (one cost, rest atRest, err error) {
	err = unmoved(func() (err error) {
		one, rest, err = tryFailover(l, candidates, sessions)
		return err
	})
	return one, rest, err
}

func tryFailover(l *lab, candidates, sessions int) (one cost, rest atRest, err error) {
	all, closeAll, err := openTappedAll(l, sessions)
	if err != nil {
		return one, rest, err
	}
	defer closeAll()
	ln, err := form(l, candidates, untapped(all))
	if err != nil {
		return one, rest, err
	}
	defer ln.close()
	if _, err := next(l, []*line{ln}, (*line).ready); err != nil {
		return one, rest, err
	}
	time.Sleep(countTimeout / 4) // answers under way
	for _, t := range all {
		t.take()
	}
	begun := time.Now()
	time.Sleep(countTimeout)
	if rest, err = countRest(all, float64(time.Since(begun))/float64(countLease)); err != nil {
		return one, rest, err
	}

	leaver := ln.leader.who
	if err := ln.leave(); err != nil {
		return one, rest, err
	}
	if candidates > 2 { // all the way until there is an heir again
		if _, err := next(l, []*line{ln}, (*line).ready); err != nil {
			return one, rest, err
		}
	}
	for _, t := range all {
		frames := t.take()
		if moved(frames) {
			return one, rest, errMoved
		}
		one.add(frames, t.ours == leaver.client, ln.gone)
	}
	return one, rest, nil
}

// add counts frames; gone is the znode of the one who has left.
func (c *cost) add(frames []faultproxy.Frame, leavers bool, gone string) {
	counted := map[int32]bool{} // requests whose replies count
	own := leavers              // the first such event there is the leaver's own
	asks := false               // a session that has heard of a departure reads the record
	for _, f := range frames {
		switch {
		case f.Op == faultproxy.OpEvent:
			c.events++
			c.bytes += f.Bytes
			asks = asks || f.Path == gone && !own
			switch {
			case own && f.Path == gone:
				own = false
			case noticed(f): // the one that is woken has the deletion as well
			default:
				c.woken++
			}
		case f.Op == faultproxy.OpPing, f.Op == faultproxy.OpExists && !noticed(f), f.Op == faultproxy.OpConnect, beating(f),
			f.Dir == faultproxy.ToServer && f.Path == path.Dir(gone) && f.Op == faultproxy.OpGetData && !asks:
		case f.Dir == faultproxy.ToServer:
			c.requests++
			c.bytes += f.Bytes
			counted[f.Xid] = true
			asks = asks && f.Path != path.Dir(gone)
		case counted[f.Xid]:
			c.bytes += f.Bytes
		}
	}
}

// noticed reports whether a frame is about a notice.
func noticed(f faultproxy.Frame) bool { return strings.HasPrefix(f.Path, beats+"_c_") }

// beating reports whether a request sets or reads a heartbeat.
func beating(f faultproxy.Frame) bool {
	if f.Dir != faultproxy.ToServer {
		return false
	}
	return strings.HasPrefix(f.Path, beats) && !noticed(f) || f.Op == faultproxy.OpMulti && f.First == faultproxy.OpCheck
}

// beats is the default of session.Config.Beats.
const beats = "/zkrecipe/beats/"

func moved(frames []faultproxy.Frame) bool {
	return slices.ContainsFunc(frames, func(f faultproxy.Frame) bool { return f.Op == faultproxy.OpConnect })
}

func countRest(all []*tapped, leases float64) (rest atRest, err error) {
	for _, t := range all {
		frames := t.take()
		if moved(frames) {
			return rest, errMoved
		}
		for _, f := range frames {
			if f.Dir != faultproxy.ToServer {
				continue
			}
			switch f.Op {
			case faultproxy.OpPing:
			case faultproxy.OpExists, faultproxy.OpGetData, faultproxy.OpGetChildren2:
				rest.reads++
			default:
				rest.writes++
			}
		}
	}
	return atRest{rest.writes / leases, rest.reads / leases}, nil
}
