package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/internal/history"
)

// struck is some elections that a fault strikes.
type struck struct {
	l *lab
	fault
	post
	took sample

	queues []*queue
	struck int64            // when the fault struck all; 0: each queue has its own
	since  int64            // from when the time counts, if that is later
	server *ensemble.Server // of all leaders, if they know one only
	mu     sync.Mutex       // guards took, server and proxy while the lines work at the same time
	proxy  []*faultproxy.Proxy

	quiet, back []int // requests in a second: before the servers stand still, after their return
}

// run measures as often as the lab says; half as often where it takes long. A few more rounds make
// up for what did not come about, because this machine is overloaded.
func (s *struck) run() error {
	rounds := (s.l.faults + faultLines - 1) / faultLines
	if s.lease >= time.Second || s.elections > 1 {
		rounds = (rounds + 1) / 2
	}
	begun := time.Now()
	for round := 0; len(s.took) < rounds*s.lines && round < rounds+3; round++ {
		if err := s.round(); err != nil {
			return err
		}
	}
	tellTimes(s.name, s.lease, s.timeout, len(s.took), begun)
	return nil
}

// round forms the lines, strikes, and waits for the next leaders. Lines whose leaders have changed
// before do not count.
func (s *struck) round() error {
	s.queues, s.struck, s.since, s.server, s.proxy = make([]*queue, s.lines), 0, 0, nil, nil
	defer s.end()
	n := 3
	if s.elections > 1 {
		n = 2
	}
	if err := pipelined(s.lines, func(i int) (err error) {
		what, leaders := s.post, s.post.connect
		if s.servers != nil {
			if leaders, what.connect, err = s.servers(s); err != nil {
				return err
			}
		}
		s.queues[i], err = formQueue(s.l, what, n, leaders)
		return err
	}); errors.Is(err, errStuck) || errors.Is(err, errDeposed) {
		return nil
	} else if err != nil {
		return err
	}
	for _, q := range s.queues {
		q.all[0].all() // a leader of many may have led some of them twice by now
	}
	time.Sleep(max(s.lease, time.Second)) // the heir has been listening for a while
	time.Sleep(time.Duration(rand.Float64() * float64(s.lease) / 4))
	if err := s.strike(s); err != nil {
		return err
	}
	return pipelined(s.lines, func(i int) error {
		q := s.queues[i]
		struck := cmp.Or(s.struck, q.struck)
		since := max(struck, s.since)
		at, err := q.led(struck, since)
		if errors.Is(err, errDeposed) {
			return nil
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.took = append(s.took, time.Duration(at-since))
		return err
	})
}

// led waits until all elections of a queue have been led by somebody since an instant, and returns
// when the last was. If leaders changed before the fault, this machine is overloaded.
func (q *queue) led(struck, since int64) (last int64, err error) {
	n := 0
	for end := time.Now().Add(patience); time.Now().Before(end) && q.l.ctx.Err() == nil; time.Sleep(time.Millisecond) {
		for _, p := range q.all {
			for _, t := range p.all() {
				switch {
				case t.T <= struck && t.Event != "heir":
					return 0, errDeposed
				case t.T > since && t.Event == "elected":
					n, last = n+1, max(last, t.T)
				}
			}
		}
		if n >= q.elections {
			return last, nil
		}
	}
	return 0, fmt.Errorf("%d of %d elections led again: %w", n, q.elections, cmp.Or(context.Cause(q.l.ctx), errStuck))
}

// end mends everything and ends all processes. Those that cannot answer are killed.
func (s *struck) end() {
	if s.server != nil {
		_ = s.server.Thaw() // if not, the next round fails
	}
	for _, q := range s.queues {
		if q == nil {
			continue
		}
		for _, p := range q.all[:min(1, len(q.all))] {
			p.kill()
		}
		q.end()
	}
	for _, p := range s.proxy {
		p.Close()
	}
}

// toEach strikes all lines, each at any time between two beats.
func toEach(strike func(*queue)) func(*struck) error {
	return func(s *struck) error {
		return pipelined(len(s.queues), func(i int) error {
			q := s.queues[i]
			time.Sleep(time.Duration(rand.Float64() * float64(s.lease) / 4))
			q.struck = history.Now()
			strike(q)
			return nil
		})
	}
}

// behindProxies puts a proxy before each server, for one leader.
func behindProxies(s *struck) (leader, others string, err error) {
	var all []string
	for _, addr := range s.l.addrs {
		p, err := faultproxy.New(addr)
		if err != nil {
			return "", "", err
		}
		s.mu.Lock()
		s.proxy = append(s.proxy, p)
		s.mu.Unlock()
		all = append(all, p.Addr())
	}
	return strings.Join(all, ","), s.connect, nil
}

// swallow lets nothing pass between leaders and servers any more. Nobody is told.
func (s *struck) swallow() error {
	s.struck = history.Now()
	for _, p := range s.proxy {
		p.Drop(faultproxy.ToServer|faultproxy.ToClient, true)
	}
	return nil
}

// oneFollower is a server that follows, the same for all leaders. The others do not know it.
func oneFollower(s *struck) (leader, others string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		if s.server, err = s.l.ensemble.Follower(s.l.ctx); err != nil {
			return "", "", err
		}
	}
	rest := slices.DeleteFunc(slices.Clone(s.l.addrs), func(addr string) bool { return addr == s.server.Addr() })
	return s.server.Addr(), strings.Join(rest, ","), nil
}

func (s *struck) freeze() error {
	s.struck = history.Now()
	return s.server.Freeze()
}

// standstill stops all servers for two leases. The time counts from their return. Meanwhile it
// counts the requests: those of a second before, and those of the second after the return.
func (s *struck) standstill() error {
	before, err := s.l.received()
	if err != nil {
		return err
	}
	time.Sleep(time.Second)
	begin, err := s.l.received()
	if err != nil {
		return err
	}
	s.struck = history.Now()
	if err := s.l.eachServer((*ensemble.Server).Freeze); err != nil {
		return err
	}
	time.Sleep(2 * s.lease)
	s.since = history.Now()
	if err := s.l.eachServer((*ensemble.Server).Thaw); err != nil {
		return err
	}
	time.Sleep(time.Second)
	after, err := s.l.received()
	s.quiet, s.back = append(s.quiet, begin-before), append(s.back, after-begin)
	return err
}

// received is how many requests the servers say that they have received.
func (l *lab) received() (n int, err error) {
	ctx, cancel := context.WithTimeout(l.ctx, patience)
	defer cancel()
	err = l.eachServer(func(s *ensemble.Server) error {
		text, err := s.Command(ctx, "srvr")
		if err != nil {
			return err
		}
		_, rest, _ := strings.Cut(text, "Received: ")
		number, _, _ := strings.Cut(rest, "\n")
		its, err := strconv.Atoi(number)
		n += its
		return err
	})
	return n, err
}
