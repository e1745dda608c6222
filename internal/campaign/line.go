//go:build linux

package campaign

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/history"
)

// start starts a candidate, again if there was one of this name. It lives in the home of its name;
// on all servers unless some are given.
func (r *Round) start(id string, on ...*ensemble.Server) (*candidate, error) {
	if len(on) == 0 {
		on = r.rig.Servers()
	}
	i := slices.Index(names, id)
	return r.startIn(r.rig.homes[i], id, addrs(on...))
}

func (r *Round) startIn(home *namespace, id, zk string) (*candidate, error) {
	c := r.named(id)
	if c == nil {
		c = &candidate{id: id}
		r.candidates = append(r.candidates, c)
	}
	c.home, c.zk = home, zk
	return c, r.launch(c)
}

func (r *Round) launch(c *candidate) error {
	exe, started := r.exe, history.Line{Event: "started", Of: c.id, Recipe: c.recipe}
	if c.recipe != "" {
		exe = r.contend(c.kind)
	}
	if c.recipe == "semaphore" {
		started.Size, started.Slots = permits, r.slots
	}
	paths := strings.Join(r.pathsOf(c.kind), ",")
	if c.paths != "" {
		started.Path = paths // that of a single lock; each line of a set has its own
	}
	r.mark(started)
	return startCandidate(exe, c, paths, r.T, r.lease, r.tell)
}

func (r *Round) named(id string) *candidate {
	for _, c := range r.candidates {
		if c.id == id {
			return c
		}
	}
	return nil
}

// lineUp starts n candidates on all servers.
func (r *Round) lineUp(ctx context.Context, n int) error {
	for _, id := range names[:n] {
		if _, err := r.start(id); err != nil {
			return err
		}
	}
	return r.settled(ctx)
}

// lineUpAt starts a leader who knows one server alone, and two who know others.
func (r *Round) lineUpAt(ctx context.Context, at *ensemble.Server, rest ...*ensemble.Server) (l line, err error) {
	a, err := r.start("a", at)
	if err == nil {
		err = r.settled(ctx)
	}
	if err != nil {
		return l, err
	}
	for _, id := range names[1:3] {
		if _, err := r.start(id, rest...); err != nil {
			return l, err
		}
	}
	l, err = r.line(ctx)
	if err == nil && l.leader != a {
		err = fmt.Errorf("%w: %s came first and does not lead", errAgain, a.id)
	}
	return l, err
}

// line is how all stand: in line, one leads, another is heir.
type line struct {
	leader  *candidate
	term    standing     // the leader's
	waiting []*candidate // the heir first
}

// line waits until everybody who lives stands in line and one of them leads.
func (r *Round) line(ctx context.Context) (l line, err error) {
	since := history.Now()
	err = r.until(ctx, "all stand in line and one leads", func(now map[string]*standing) bool {
		living, heirs := 0, 0
		l = line{}
		for _, c := range r.candidates {
			if c.killed {
				continue
			}
			living++
			s := now[c.id]
			switch {
			case s == nil || !s.inLine:
				return false
			case s.leading && s.beat > since && l.leader == nil:
				l.leader, l.term = c, *s
			case s.leading:
				return false
			case s.heir:
				heirs++
				l.waiting = append([]*candidate{c}, l.waiting...)
			default:
				l.waiting = append(l.waiting, c)
			}
		}
		return l.leader != nil && (r.peers || heirs == min(1, living-1))
	})
	return l, err
}

func (r *Round) settled(ctx context.Context) error {
	_, err := r.line(ctx)
	return err
}

func number(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// leader returns the candidate that leads with the newest token at this moment, as far as is known,
// or nil.
func (r *Round) leader() (leader *candidate) {
	var newest int64
	for _, c := range r.candidates {
		if s := r.of(c.id); s.leading && s.token > newest {
			leader, newest = c, s.token
		}
	}
	return leader
}

// successor waits until a term with a larger token has begun, and returns when it did.
func (r *Round) successor(ctx context.Context, token int64) (elected int64, err error) {
	err = r.until(ctx, fmt.Sprintf("somebody leads after token %d", token), func(now map[string]*standing) bool {
		for _, s := range now {
			if s.token > token && s.beat >= s.elected {
				elected = s.elected
				return true
			}
		}
		return false
	})
	return elected, err
}

// patiently runs a wait that need not succeed: after so long the fault ends anyway.
func (r *Round) patiently(ctx context.Context, d time.Duration, wait func(context.Context) error) (bool, error) {
	limited, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	err := wait(limited)
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	return err == nil, nil
}

// pause stops a candidate's process.
func (r *Round) pause(c *candidate) error {
	if err := c.pause(); err != nil {
		return err
	}
	r.mark(history.Line{Event: "paused", Of: c.id})
	return nil
}

func (r *Round) resume(c *candidate) {
	r.mark(history.Line{Event: "continued", Of: c.id})
	c.resume()
}

func (r *Round) kill(c *candidate) (since int64) {
	since = history.Now()
	c.kill()
	r.mark(history.Line{Event: "killed", Of: c.id})
	return since
}

// resign tells a candidate to resign, or a contender to release what it holds, and returns when.
func (r *Round) resign(c *candidate) (since int64) {
	word := "resign"
	if c.recipe != "" {
		word = "release"
	}
	r.mark(history.Line{Event: "asked", Of: c.id})
	since = r.fault("%s is to %s", c.id, word)
	c.command(word)
	return since
}

// expel deletes a candidate's znode as an administrator does.
func (r *Round) expel(ctx context.Context, node string) error {
	s, err := r.rig.admin.Session(ctx)
	if err != nil {
		return err
	}
	return s.EnsureDeleted(ctx, node) // also when the first answer is lost with a server
}
