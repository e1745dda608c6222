// Leader shows an election at work. It runs three candidates, each in a process of its own, and
// takes the leadership away in turn: by resignation, by a crash (kill -9) and by a pause longer
// than the lease (SIGSTOP). It measures how long nobody led, and watches that never two did.
//
//	go run ./examples/leader                          until Ctrl-C
//	go run ./examples/leader -for 10s                 each of them once, then exit
//	go run ./examples/leader -zk zk1:2181,zk2:2181    on an ensemble of yours
//
// On a terminal it draws a picture of 80 columns and 24 lines (in no colors if NO_COLOR is set),
// elsewhere it writes plain lines. It exits with 1 if two candidates ever led at the same time, or
// one failed.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/candidate"
	"github.com/zkrecipe/zkrecipe/examples/internal/child"
	"github.com/zkrecipe/zkrecipe/examples/internal/example"
	"github.com/zkrecipe/zkrecipe/examples/internal/lines"
)

func main() {
	p, length := program()
	if child.Is() {
		candidate.Main(p)
	}
	p.Demonstrate(nil, func(ctx context.Context) error { return run(ctx, p, *length) })
}

// program has the flags. With the default lease, the next one leads less than half a second after a
// crash.
func program() (p *example.Program, length *time.Duration) {
	p = example.New("leader", "/zkrecipe/leader", 10*time.Second, 400*time.Millisecond)
	return p, p.Flags.Duration("for", 0, "how long to go on (default until Ctrl-C)")
}

// run runs the show and draws it, and then prints a summary.
func run(ctx context.Context, p *example.Program, length time.Duration) error {
	if length < 0 {
		return example.Mistake(fmt.Errorf("-for is %v; want a positive duration such as 10s", length))
	}
	if length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, length)
		defer cancel()
	}
	h := newHistory(lines.Now())
	h.about = fmt.Sprintf("ZooKeeper: %s; session timeout %v, lease %v", p.Servers, p.Session.Timeout, p.Session.Lease)
	s := &show{history: h}
	s.Group = child.NewGroup(append(p.Args(), "-beat", beat.String()), func(_ string, line []byte) error {
		var l lines.Line
		err := json.Unmarshal(line, &l)
		if err == nil {
			h.add(l)
		}
		return err
	})
	view := func(ctx context.Context) { s.draw(ctx, p.Session.Lease) }
	if !canDraw(os.Stdout) {
		fmt.Fprintln(example.Stdout, h.about)
		h.log, view = example.Say, s.logStandings
	}
	viewing, stop := context.WithCancel(context.Background())
	var viewed sync.WaitGroup
	viewed.Go(func() { view(viewing) })
	err := s.run(ctx)
	stop()
	viewed.Wait()
	return errors.Join(err, h.conclude())
}

const (
	beat      = 10 * time.Millisecond  // how often a leader proves that it leads, hence how exact times are
	calm      = time.Second            // for the eye: how long nothing happens before the leader is attacked
	aftermath = 500 * time.Millisecond // how long a crashed or paused candidate stays so after another leads
)

var names = []string{"alice", "bob", "carol"} // the candidates

// show runs the candidates and makes them lose the leadership in turn.
type show struct {
	*child.Group // its lock guards history
	history      *history
}

// run runs the show until ctx ends or a candidate fails. Then it stops all candidates, the leader
// last.
func (s *show) run(ctx context.Context) error {
	s.say("Three candidates join the line; the first one leads.")
	for _, id := range names {
		s.Start(id)
	}
	_ = s.perform(ctx) // a failure of a candidate is what Stop returns
	s.say("The end: all candidates leave.")
	last := "" // the leader
	s.Do(func() {
		if t := s.history.leader(); t != nil {
			last = t.id
		}
	})
	return s.Stop("quit", last)
}

// perform does one thing after another to the leader, again and again.
func (s *show) perform(ctx context.Context) error {
	acts := []func(context.Context, *term) error{s.resignation, s.crash}
	if child.CanPause {
		acts = append(acts, s.pause)
	}
	for i := 0; ; {
		if err := s.Until(ctx, "leader with an heir", s.history.settled); err != nil {
			return err
		}
		if err := example.Sleep(ctx, calm); err != nil {
			return err
		}
		var leader *term
		s.Do(func() { leader = s.history.leader() })
		if leader == nil {
			continue // it has lost the leadership by itself
		}
		if err := acts[i%len(acts)](ctx, leader); err != nil {
			return err
		}
		i++
	}
}

// resignation asks the leader to step down.
func (s *show) resignation(ctx context.Context, t *term) error {
	s.say("%s is asked to resign.", t.id)
	s.Do(func() { t.ending = "resigned" })
	s.Child(t.id).Send("resign")
	next, err := s.successor(ctx, t)
	if err == nil {
		s.say("%s resigned and deleted its znode; %s, its heir, led %v later.", t.id, next.to.id, short(next.gap))
	}
	return err
}

// crash kills the leader, and starts it again when another leads.
func (s *show) crash(ctx context.Context, t *term) error {
	s.say("%s is killed (kill -9): its heir takes over when its lease is over.", t.id)
	s.Kill(t.id)
	if err := s.takeover(ctx, t, "crashed", killed); err != nil {
		return err
	}
	s.say("%s is started again: it joins at the end of the line.", t.id)
	s.Do(func() { s.history.member(t.id).state = away })
	s.Start(t.id)
	return nil
}

// pause stops the leader's process for longer than its lease runs. It must not take itself for the
// leader when it goes on.
func (s *show) pause(ctx context.Context, t *term) error {
	s.say("%s is paused (SIGSTOP): its lease runs out before another can lead.", t.id)
	s.Child(t.id).Pause()
	if err := s.takeover(ctx, t, "paused", paused); err != nil {
		return err
	}
	s.say("%s goes on (SIGCONT), not knowing that it was paused.", t.id)
	s.Child(t.id).Resume()
	sound := false
	err := s.Until(ctx, "end of the paused term", func() bool {
		_, sound = s.history.verdict()
		return t.deposed != 0
	})
	if err != nil {
		return err
	}
	if sound {
		s.say("%s woke up: its first Valid() was false, no beat with the old token.", t.id)
	}
	return example.Sleep(ctx, calm)
}

// takeover notes what has been done to the leader of a term, and waits until another leads when the
// lease is over.
func (s *show) takeover(ctx context.Context, t *term, ending string, to state) error {
	s.Do(func() { t.ending, s.history.member(t.id).state = ending, to })
	next, err := s.successor(ctx, t)
	if err != nil {
		return err
	}
	s.say("%s's lease is over: %s leads. Nobody did for %v; its session would go on.", t.id, next.to.id, short(next.gap))
	return example.Sleep(ctx, aftermath)
}

// successor waits until the leadership has gone from a term to the next.
func (s *show) successor(ctx context.Context, t *term) (next change, err error) {
	err = s.Until(ctx, "successor", func() bool {
		for _, c := range s.history.changes() {
			if c.from == t {
				next = c
			}
		}
		return next.from != nil
	})
	return next, err
}

// say tells what the show does.
func (s *show) say(format string, args ...any) {
	s.Do(func() { s.history.say("> "+format, args...) })
}

// logStandings writes a line now and then that says how all stand.
func (s *show) logStandings(ctx context.Context) {
	for example.Sleep(ctx, 500*time.Millisecond) == nil {
		s.Do(func() {
			now := lines.Now()
			var all []string
			for _, m := range s.history.members {
				all = append(all, m.id+" "+m.standing(now))
			}
			s.history.log("  [%s]", strings.Join(all, "; "))
		})
	}
}
