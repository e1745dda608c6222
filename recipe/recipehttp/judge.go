package recipehttp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
)

// verdict is the judgement about one recipe.
type verdict struct {
	path, id string
	line     string // in words
	ok       bool
	err      error // what went wrong last
}

// judge tells the state of a recipe, and whether that is fine.
func (cfg HealthConfig) judge(r any, now time.Time) verdict {
	switch r := r.(type) {
	case *election.Election:
		return cfg.election(r.Status(), now)
	case *lock.Lock:
		return cfg.claims(r.Status(), now)
	case *semaphore.Semaphore:
		return cfg.claims(r.Status(), now)
	case *group.Member:
		return cfg.member(r.Status(), now)
	case *group.Members:
		return cfg.members(r.Status())
	case *cache.Cache:
		return cfg.cache(r.Status())
	}
	panic(fmt.Sprintf("recipehttp: Health was given a %T; want a pointer to an Election, Lock, RW, Semaphore, Member, Members or Cache", r))
}

// triedTooLong reports whether something has been tried for too long.
func (cfg HealthConfig) triedTooLong(d time.Duration) bool {
	return cfg.JoinWithin >= 0 && d > cfg.JoinWithin
}

func (cfg HealthConfig) election(st election.Status, now time.Time) verdict {
	v := verdict{path: st.Path, id: st.ID, err: st.Err, ok: true}
	in, trying := short(now.Sub(st.Since)), now.Sub(st.TryingSince)
	switch {
	case overruns(st) && cfg.Overrun >= 0 && now.Sub(st.Since) > cfg.Overrun:
		v.line, v.ok = fmt.Sprintf("FAILING: the term ended %s ago (%s), its work still runs, and another may lead", in, st.LastReason.String()), false
	case !st.TryingSince.IsZero() && cfg.triedTooLong(trying):
		v.line, v.ok = fmt.Sprintf("FAILING: could not get into the line for %s", short(trying)), false
	case st.State == election.StateLeading:
		v.line = fmt.Sprintf("leading for %s, token %d, lease %s", in, st.Token, short(st.LeaseRemaining))
	case st.State == election.StateDraining:
		v.line = fmt.Sprintf("draining for %s (%s)", in, st.LastReason.String())
	case !st.TryingSince.IsZero():
		v.line = fmt.Sprintf("%v, has tried to stand in line for %s", st.State, short(trying))
	default:
		v.line = fmt.Sprintf("%v for %s", st.State, in)
	}
	return v
}

// overruns reports whether the work of a term goes on although another may lead. A term that was
// ended by choice keeps its znode, and with it the leadership, for DrainTimeout.
func overruns(st election.Status) bool {
	return st.State == election.StateDraining && (st.Node == "" || !st.LastReason.Chosen())
}

// claims judges locks and semaphores.
func (cfg HealthConfig) claims(st recipe.Status, now time.Time) verdict {
	v := verdict{path: st.Path, id: st.ID, ok: true}
	what := "lock"
	switch {
	case st.Reader:
		v.path += " for reading"
	case st.Size > 0:
		what = "permit"
	}
	n := map[recipe.ClaimState]int{}
	for _, c := range st.Claims {
		n[c.State]++
		if c.Err != nil {
			v.err = c.Err
		}
		over := now.Sub(c.Since)
		// What was ended by choice keeps its znode for DrainTimeout, as above. A caller of Acquire
		// need not tell that its work has stopped.
		overruns := c.Running && c.State == recipe.ClaimEnding && (c.Node == "" || !c.Reason.Chosen())
		switch trying := now.Sub(c.TryingSince); {
		case overruns && cfg.Overrun >= 0 && over > cfg.Overrun:
			v.line, v.ok = fmt.Sprintf("FAILING: the %s ended %s ago (%s), its work still runs, and another may hold it", what, short(over), c.Reason.String()), false
		case v.ok && !c.TryingSince.IsZero() && cfg.triedTooLong(trying):
			v.line, v.ok = fmt.Sprintf("FAILING: could not get into the line for %s", short(trying)), false
		}
	}
	if v.ok {
		v.line = fmt.Sprintf("%d held, %d waiting, %d ending", n[recipe.ClaimHeld], n[recipe.ClaimWaiting], n[recipe.ClaimEnding])
	}
	return v
}

func (cfg HealthConfig) member(st group.MemberStatus, now time.Time) verdict {
	v := verdict{path: st.Path, id: st.ID, err: st.Err, ok: true}
	in := now.Sub(st.Since)
	switch {
	case st.Over != nil:
		v.line, v.err = "left the group", st.Over
	case st.Listed:
		v.line = fmt.Sprintf("listed for %s", short(in))
	case cfg.triedTooLong(in):
		v.line, v.ok = fmt.Sprintf("FAILING: could not be listed for %s", short(in)), false
	default:
		v.line = fmt.Sprintf("has tried to be listed for %s", short(in))
	}
	return v
}

func (cfg HealthConfig) members(st group.MembersStatus) verdict {
	v := verdict{path: st.Path, id: "members", err: st.Err, ok: true, line: "not known yet"}
	switch {
	case failed(st.Over):
		v.line, v.ok, v.err = "FAILING: nothing is followed any more", false, st.Over
	case st.Over != nil:
		v.line = "closed"
	case st.Proved && cfg.triedTooLong(st.Age):
		v.line, v.ok = fmt.Sprintf("FAILING: the list is %s old", short(st.Age)), false
	case st.Known:
		v.line = fmt.Sprintf("members: %d, as of %s ago", st.Members, short(st.Age))
	}
	return v
}

func (cfg HealthConfig) cache(st cache.Status) verdict {
	v := verdict{path: st.Path, id: "cache", err: st.Err, ok: true}
	switch {
	case failed(st.Over):
		v.line, v.ok, v.err = "FAILING: nothing is followed any more", false, st.Over
	case st.Over != nil:
		v.line = "closed"
	case !st.Loaded:
		v.line = fmt.Sprintf("loading, %d znodes", st.Nodes)
	case !st.Following:
		v.line = fmt.Sprintf("%d znodes, not following", st.Nodes)
	default:
		v.line = fmt.Sprintf("%d znodes, following", st.Nodes)
	}
	return v
}

// failed reports whether something has ended for another reason than that it was closed.
func failed(err error) bool {
	return err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, session.ErrClosed)
}

// short rounds a duration for people.
func short(d time.Duration) time.Duration {
	switch {
	case d > time.Minute:
		return d.Round(time.Second)
	case d > time.Second:
		return d.Round(100 * time.Millisecond)
	}
	return max(d, 0).Round(time.Millisecond)
}
