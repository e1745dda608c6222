package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/candidate"
	"github.com/zkrecipe/zkrecipe/examples/internal/child"
	"github.com/zkrecipe/zkrecipe/examples/internal/flags"
)

const (
	// beat is how often a leader proves that it leads, hence how exact times are.
	beat = 10 * time.Millisecond
	// calm is for the eye: how long nothing happens before the leader is attacked.
	calm = time.Second
	// aftermath is how long a crashed or paused candidate stays so after another leads.
	aftermath = 500 * time.Millisecond
)

// names are the candidates.
var names = []string{"alice", "bob", "carol"}

// show runs the candidates and makes them lose the leadership in turn.
type show struct {
	flags []string // of each candidate
	log   func(at int64, text string)

	mu       sync.Mutex // guards what follows; held for moments
	history  *history
	changed  chan struct{} // closed and replaced whenever history changes
	children map[string]process
	err      error // the first child's failure
	failed   chan struct{}
}

func newShow(connect, path string, times flags.Times, log func(int64, string)) *show {
	return &show{
		flags: append(times.Args(), "-zk", connect, "-path", path, "-beat", beat.String()),
		log:   log, history: newHistory(candidate.Monotonic(), names...),
		changed: make(chan struct{}), children: map[string]process{}, failed: make(chan struct{}),
	}
}

// run performs until ctx ends, then ends all children. The error is a child's failure.
func (s *show) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // ends with ctx
		select {
		case <-s.failed:
			cancel()
		case <-ctx.Done():
		}
	}()
	for _, id := range names {
		if err := s.start(id); err != nil {
			s.fail(err)
		}
	}
	s.perform(ctx)
	s.stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// perform goes through the acts again and again until ctx ends.
func (s *show) perform(ctx context.Context) {
	acts := []func(context.Context, process, int64) error{s.resignation, s.crash}
	if child.CanPause {
		acts = append(acts, s.pause)
	}
	s.say("Three candidates join the line; the first one leads.")
	for i := 0; ; i = (i + 1) % len(acts) {
		if s.until(ctx, (*history).settled) != nil || sleep(ctx, calm) != nil {
			return
		}
		s.mu.Lock()
		leader := s.history.leader()
		s.mu.Unlock()
		if leader == nil {
			continue // it has lost the leadership by itself
		}
		if acts[i](ctx, s.child(leader.id), leader.token) != nil {
			return
		}
	}
}

// resignation asks the leader to step down.
func (s *show) resignation(ctx context.Context, c process, token int64) error {
	s.act(token, "resigned", away, c.id+" is asked to resign.")
	c.Send("resign")
	next, gap, err := s.successor(ctx, token)
	if err == nil {
		s.say("%s resigned and deleted its znode; %s, its heir, led %s later.", c.id, next, gap)
	}
	return err
}

// crash kills the leader, and starts it again when another leads.
func (s *show) crash(ctx context.Context, c process, token int64) error {
	s.act(token, "crashed", killed, c.id+" is killed (kill -9): its heir hears no heartbeat any more, and takes over when its lease is over.")
	s.drop(c)
	c.Kill()
	next, gap, err := s.successor(ctx, token)
	if err != nil {
		return err
	}
	s.say("%s's lease is over: %s leads. Nobody did for %s; its session would go on.", c.id, next, gap)
	if err := sleep(ctx, aftermath); err != nil {
		return err
	}
	s.say("%s is started again: it joins at the end of the line.", c.id)
	if err := s.start(c.id); err != nil {
		s.fail(err)
	}
	return nil
}

// pause stops the leader's process for longer than its lease runs. It must not take
// itself for the leader when it goes on.
func (s *show) pause(ctx context.Context, c process, token int64) error {
	s.act(token, "paused", paused, c.id+" is paused (SIGSTOP): its lease runs out before another can lead.")
	c.Pause()
	next, gap, err := s.successor(ctx, token)
	if err != nil {
		return err
	}
	s.say("%s's lease is over: %s leads. Nobody did for %s.", c.id, next, gap)
	if err := sleep(ctx, aftermath); err != nil {
		return err
	}
	s.say("%s goes on (SIGCONT), not knowing that it was paused.", c.id)
	c.Resume()
	if err := s.until(ctx, func(h *history) bool { return h.find(token).deposed != 0 }); err != nil {
		return err
	}
	s.mu.Lock()
	sound := len(s.history.problems()) == 0
	s.mu.Unlock()
	if sound {
		s.say("%s woke up: its first Valid() was false, no beat with the old token.", c.id)
	}
	return sleep(ctx, calm)
}

// successor waits for a later term than that of token, and returns who leads and after
// what time without a leader.
func (s *show) successor(ctx context.Context, token int64) (id, gap string, err error) {
	err = s.until(ctx, func(h *history) bool {
		if h.newest() <= token {
			return false
		}
		for _, c := range h.changes() {
			if c.from.token == token {
				id, gap = c.to.id, short(c.gap)
			}
		}
		return true
	})
	return id, gap, err
}

// act notes what is about to be done to a leader.
func (s *show) act(token int64, ending string, to state, text string) {
	now := candidate.Monotonic()
	s.mu.Lock()
	t := s.history.find(token)
	t.ending = ending
	if to != away { // one that resigns says so itself
		s.history.member(t.id).enter(now, to)
	}
	s.mu.Unlock()
	s.say("%s", text)
}

// say tells what happens.
func (s *show) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if text := fmt.Sprintf(format, args...); text != s.history.now {
		s.history.now = text
		s.log(candidate.Monotonic(), "> "+text)
	}
}

// until waits for a condition.
func (s *show) until(ctx context.Context, condition func(*history) bool) error {
	for {
		s.mu.Lock()
		ok, changed := condition(s.history), s.changed
		s.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tell takes in a line of a candidate.
func (s *show) tell(l candidate.Line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := s.history.add(l)
	if text != "" {
		s.log(l.T, text)
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// start starts a candidate and watches over it: it must not end by itself.
func (s *show) start(id string) error {
	c, err := startCandidate(id, s.flags, s.tell)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.children[id] = c
	s.history.member(id).enter(candidate.Monotonic(), away)
	s.mu.Unlock()
	go func() { // ends with the child, for which stop waits
		<-c.Done()
		if s.child(id) == c {
			s.fail(errors.Join(fmt.Errorf("candidate %s has ended by itself", id), c.failure()))
		}
	}()
	return nil
}

func (s *show) child(id string) process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.children[id]
}

// drop says that the child will be ended on purpose.
func (s *show) drop(c process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.children, c.id)
}

// fail notes the first failure, which ends the show.
func (s *show) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
		close(s.failed)
	}
}

// stop ends the children, the leader last: nobody else is elected for a moment.
func (s *show) stop() {
	s.say("The end: all candidates leave.")
	s.mu.Lock()
	leader := ""
	if t := s.history.leader(); t != nil {
		leader = t.id
	}
	s.mu.Unlock()
	for _, last := range []bool{false, true} {
		for _, id := range names {
			c := s.child(id)
			if c.Child == nil || (id == leader) != last {
				continue
			}
			s.drop(c)
			if err := c.Stop("quit"); err != nil {
				s.fail(err)
			}
		}
	}
}
