package sim

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A Violation is a promise that was broken.
type Violation struct {
	Invariant string
	At        time.Duration // since the run began
	Detail    string
}

func (v Violation) String() string {
	return fmt.Sprintf("%s at %v: %s", v.Invariant, v.At, v.Detail)
}

// checker sees everything that happens in a run, and judges it.
type checker struct {
	begin       time.Time
	timeout     time.Duration // T
	lease       time.Duration // D
	line        line
	undisturbed bool // as the plan says

	mu         sync.Mutex // guards what follows
	elections  map[string]*record
	semaphores map[string]*permits
	violations []Violation
	terms      int
	trace      []string
	tracing    bool
	next       []func(*proc) // to be called when the next term begins
}

// record is what is known of one election.
type record struct {
	terms []*termRecord // those that may still matter
	token int64         // the largest
}

type termRecord struct {
	holding
	term *election.Term
}

// holding is what is known of a term and of a permit alike.
type holding struct {
	proc    *proc
	id      string
	node    string
	over    bool      // it was seen not to be valid
	ended   time.Time // when its context was cancelled
	stopped bool      // its work has stopped
}

// endsWith notes when the context of a holding is cancelled.
func (c *checker) endsWith(t *holding, ctx context.Context) {
	context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		t.ended = time.Now()
	})
}

// released is called when the session of a holding deletes its znode.
func (c *checker) released(t *holding) {
	if t.stopped || c.line.excused(t.node) {
		return
	}
	// The clock that measures DrainTimeout may run 3 % fast.
	if t.ended.IsZero() || time.Since(t.ended) < drainTimeout*9/10 {
		c.violate("drain", "%s releases %s while its work goes on; what it had ended at %v", t.id, t.node, t.ended.Sub(c.begin))
	}
}

func newChecker(timeout, lease time.Duration) *checker {
	return &checker{begin: time.Now(), timeout: timeout, lease: lease, elections: map[string]*record{}, semaphores: map[string]*permits{}, line: newLine(lease)}
}

func (c *checker) logf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log(format, args...)
}

func (c *checker) log(format string, args ...any) {
	if c.tracing {
		c.trace = append(c.trace, fmt.Sprintf("%12.6f  ", time.Since(c.begin).Seconds())+fmt.Sprintf(format, args...))
	}
}

func (c *checker) violate(invariant, format string, args ...any) {
	v := Violation{invariant, time.Since(c.begin), fmt.Sprintf(format, args...)}
	c.violations = append(c.violations, v)
	c.log("VIOLATION %v", v)
}

func (c *checker) violated() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.violations) > 0
}

func (c *checker) record(path string) *record {
	r := c.elections[path]
	if r == nil {
		r = &record{}
		c.elections[path] = r
	}
	return r
}

// valid asks a term whether it is valid. Once a term is invalid it must not become valid again.
func (c *checker) valid(t *termRecord) bool {
	v := t.term.Valid()
	if v && t.over {
		c.violate("overlap", "the term of %s with token %d is valid again", t.id, t.term.Token())
	}
	t.over = !v
	return v
}

// began is called first thing in a term. A term's Valid goes from true to false once, so looking at
// all others whenever one begins finds every overlap.
func (c *checker) began(p *proc, path, id string, term *election.Term) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.terms++
	c.begun(p)
	c.log("%s leads %s with token %d, lease %v", id, path, term.Token(), term.Remaining())
	r := c.record(path)
	t := &termRecord{holding{proc: p, id: id, node: term.Node()}, term}
	excused := c.line.excused(term.Node())
	if term.Token() <= r.token && !excused {
		c.violate("token", "%s leads %s with token %d after %d", id, path, term.Token(), r.token)
	}
	r.token = max(r.token, term.Token())
	keep := []*termRecord{t}
	for _, old := range r.terms {
		cancelled := closed(old.term.Context().Done()) && closed(old.term.DrainContext().Done())
		valid := c.valid(old)
		switch {
		case excused || c.line.excused(old.node):
		case valid && c.valid(t):
			c.violate("overlap", "%s leads %s while %s still does, for %v more", id, path, old.id, old.term.Remaining())
		case !cancelled && !old.proc.clock.excused(c.lease):
			c.violate("context", "%s leads %s while the context or the drain of %s goes on", id, path, old.id)
		}
		if valid || !cancelled || !old.stopped {
			keep = append(keep, old)
		}
	}
	r.terms = keep
	c.endsWith(&t.holding, term.Context())
}

// begun calls the functions of onNext. The caller holds c.mu.
func (c *checker) begun(p *proc) {
	for _, f := range c.next {
		f(p)
	}
	c.next = nil
}

// onNext calls f when the next term begins, or the next permit or lock is held; f must not call the
// checker or the ensemble.
func (c *checker) onNext(f func(*proc)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next = append(c.next, f)
}

// onNextDone forgets the functions of onNext.
func (c *checker) onNextDone() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next = nil
}

// look is called now and then while the work of a term goes on.
func (c *checker) look(term *election.Term) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.elections {
		for _, t := range r.terms {
			if t.term == term {
				c.valid(t)
			}
		}
	}
}

// stopped is called last thing in a term.
func (c *checker) stopped(term *election.Term) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.elections {
		for _, t := range r.terms {
			t.stopped = t.stopped || t.term == term
		}
	}
}

// leaves is called when a candidate's session deletes a znode.
func (c *checker) leaves(node string) {
	for _, r := range c.elections {
		for _, t := range r.terms {
			if t.node == node {
				c.released(&t.holding)
			}
		}
	}
}

// resumed is called when a process was paused, before any of its timers fires.
func (c *checker) resumed(p *proc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.permitsResumed(p)
	for path, r := range c.elections {
		for _, t := range r.terms {
			if t.proc != p {
				continue
			}
			remaining := t.term.Remaining()
			replaced := t.term.Token() < r.token && !c.line.excused(t.node)
			over := remaining <= 0 || replaced
			if over && c.valid(t) {
				c.violate("pause", "%s finds its term of %s valid after the pause", t.id, path)
			}
			if over && t.term.Context().Err() == nil {
				c.violate("pause", "%s finds its context of %s alive after the pause", t.id, path)
			}
			if replaced && t.term.DrainContext().Err() == nil {
				c.violate("pause", "%s finds its drain of %s alive after the pause, and another leads", t.id, path)
			}
		}
	}
}

// committed sees every transaction.
func (c *checker) committed(commit zktest.Commit) {
	if commit.Err != zktest.CodeOK {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ch := range commit.Changes {
		switch {
		case ch.Op == zktest.OpCreate && strings.HasPrefix(ch.Path, "/e"):
			c.line.created(ch, commit.Zxid)
			c.log("zxid 0x%x: %s created", commit.Zxid, ch.Path)
		case ch.Op == zktest.OpDelete && strings.HasPrefix(ch.Path, "/e"):
			c.log("zxid 0x%x: %s deleted", commit.Zxid, ch.Path)
			// Its own session gives it up, by a delete or a multi. It does not go with the session.
			if commit.Op != zktest.OpCloseSession && commit.Session == c.line.owner(ch.Path) {
				c.leaves(ch.Path)
			}
			c.line.deleted(ch.Path)
		case strings.HasPrefix(ch.Path, semaphoreDir):
			c.permitChanged(ch, commit)
		case ch.Op == zktest.OpSetData && strings.HasPrefix(ch.Path, "/slotwork/"):
			c.slotWritten(ch)
		case ch.Op == zktest.OpSetData && strings.HasPrefix(ch.Path, "/work"):
			token, _ := strconv.ParseInt(string(ch.Data), 10, 64)
			if r := c.record("/e" + strings.TrimPrefix(ch.Path, "/work")); token < r.token {
				c.violate("guard", "the leader with token %d wrote to %s after the one with %d began", token, ch.Path, r.token)
			}
		}
	}
}

// doom is called before an administrator deletes a candidate's znode with the whole path.
func (c *checker) doom(node string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log("admin deletes %s", node)
	c.line.doom(node)
}

// forget is called before an administrator deletes the record of a line. The record also tells of
// holders whose znodes are gone, and whose leases may run still: nothing is promised about them,
// from now until one lease after the deletion, which is when the function that forget returns is
// called.
func (c *checker) forget(path string) (forgotten func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var gone []string
	note := func(node string, valid bool) {
		if valid && c.line.owner(node) == 0 {
			gone = append(gone, node)
			c.line.doom(node)
		}
	}
	if r := c.elections[path]; r != nil {
		for _, t := range r.terms {
			note(t.node, t.term.Valid())
		}
	}
	if s := c.semaphores[path]; s != nil {
		for _, h := range s.held {
			note(h.permit.Node(), h.permit.Valid())
		}
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, node := range gone {
			c.line.doomed[node] = time.Now()
		}
	}
}

// observed is called by an observer.
func (c *checker) observed(who, path string, last *int64, l election.Candidate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log("%s sees %q lead %s (token %d)", who, l.ID, path, l.Token)
	if l.Node == "" {
		return
	}
	if l.Token < *last {
		c.violate("observer", "%s sees the leader of %s with token %d after %d", who, path, l.Token, *last)
	}
	*last = max(*last, l.Token)
	if n := c.line.all[birth{l.Node, l.Token}]; n == nil || n.id != l.ID || !n.first {
		c.violate("observer", "%s sees %q lead %s with token %d, but %+v", who, l.ID, path, l.Token, n)
	}
}

// leads reports whether somebody leads an election now.
func (c *checker) leads(path string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.record(path).terms {
		if c.valid(t) && !closed(t.term.Context().Done()) {
			return true
		}
	}
	return false
}

func (c *checker) report(invariant, format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.violate(invariant, format, args...)
}

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}
