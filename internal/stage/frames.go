package stage

import (
	"context"
	"errors"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A Fault may happen at any request of a process: to the process, or to the request.
type Fault struct {
	do      func(h *zktest.Host) // what happens to the process, if anything
	lose    bool                 // the request or its answer is lost
	effect  zktest.Effect        // that is how
	cancels bool                 // the context of the call ends
	expires bool                 // the session ends
	brief   bool                 // -short tries it, too
}

var faults = map[string]Fault{
	"cancel":            {cancels: true, brief: true},
	"cut":               {do: (*zktest.Host).Cut},
	"cut and cancel":    {do: (*zktest.Host).Cut, cancels: true, brief: true},
	"silence":           {do: silence},
	"silence and leave": {do: silence, cancels: true},
	"lost request":      {lose: true, effect: zktest.LoseRequest},
	"lost answer":       {lose: true, effect: zktest.LoseReply},
	"expiry":            {expires: true},
}

func silence(h *zktest.Host) { h.Hold() }

// EachFault runs a test with each Fault, or with few of them if the tests are to be short.
func EachFault(t *testing.T, name string, test func(t *testing.T, f Fault)) {
	for fault, f := range faults {
		if f.brief || !testing.Short() {
			t.Run(name+", "+fault, func(t *testing.T) { test(t, f) })
		}
	}
}

// longest is how long the next one may wait after a Fault: until a session has expired, and a lease
// has lapsed.
const longest = 2*D + T

// bound is how long the next one may wait after the Fault. Who is connected announces that it gives
// up, so nobody waits for its lease.
func (f Fault) bound() time.Duration {
	if f.cancels && f.do == nil {
		return D / 2
	}
	return longest
}

// explains reports whether a call may return that error because of the Fault. A request that is cut
// and cancelled at one instant may tell of either.
func (f Fault) explains(err error) bool {
	is := func(what error) bool { return errors.Is(err, what) }
	return f.cancels && (is(context.Canceled) || f.do != nil && is(zk.ErrConnectionClosed)) ||
		f.expires && (is(recipe.ReasonSessionLost) || is(recipe.ReasonNodeDeleted) || is(session.ErrExpired) || is(session.ErrNoHeartbeat))
}

// faulty is the host of the process that Faults happen to.
const faulty = "a"

// A Call is a call of the process on the host "a", at whose n-th request a Fault happens.
type Call struct {
	// Late says that the next one may wait for a lease, although nothing was lost.
	Late bool

	s     *Stage
	fault Fault
	nth   int
	made  atomic.Bool   // the call is under way
	count atomic.Int64  // its requests so far
	hit   chan struct{} // closed at the n-th
	last  bool          // there were fewer
}

// AtEachRequest runs a test again and again, each time in a bubble of its own: with the Fault at
// the first request of a call, then at the one that is stride requests later, until the call has no
// more of them. The test prepares what the call needs, and makes it by Call.Make. In the end all
// goroutines of recipes must have ended.
func AtEachRequest(t *testing.T, f Fault, stride int, test func(s *Stage, c *Call)) {
	t.Helper()
	for nth := 1; ; nth += stride {
		c := &Call{fault: f, nth: nth}
		On(t, zktest.Config{Seed: int64(nth), OnRequest: c.requested}, func(s *Stage) {
			c.s, c.hit = s, make(chan struct{})
			test(s, c)
			for _, stack := range working() {
				t.Errorf("this goroutine has not ended: %s", stack)
			}
		})
		if t.Failed() {
			t.Fatalf("at request %d", nth)
		}
		if c.last {
			if nth == 1 {
				t.Fatal("the call made no request, so no fault has happened")
			}
			t.Logf("fewer than %d requests", nth)
			return
		}
	}
}

func (c *Call) requested(r zktest.Request) {
	if r.Host == faulty && c.made.Load() && r.Op != zktest.OpPing && c.count.Add(1) == int64(c.nth) {
		close(c.hit)
	}
}

// Make makes the call, which has to call held when it holds something. It ends the Fault when the
// call has returned, or after a second. The error has to be one of the Fault, or one of others. If
// the context of the call ends, the call has to return at once, and with an error if it holds
// nothing at that moment.
func (c *Call) Make(call func(ctx context.Context, held func()) error, others ...error) error {
	t, host := c.s.T, c.s.Host(faulty)
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var rule *zktest.Rule
	if c.fault.lose {
		rule = c.s.On(zktest.Match{Host: faulty, Nth: c.nth}, c.fault.effect)
	}
	var holds atomic.Bool
	done := make(chan error, 1)
	c.made.Store(true)
	go func() { done <- call(ctx, func() { holds.Store(true) }) }()
	select {
	case <-c.hit:
	case err := <-done:
		done <- err
		c.last = true
	}
	begun, held := time.Now(), holds.Load()
	if !c.last {
		c.happen(host, cancel)
	}
	heal := time.AfterFunc(time.Second, host.Heal)
	err := <-done
	took := time.Since(begun)
	heal.Stop()
	host.Heal()
	c.made.Store(false)
	if rule != nil { // it counts pings, too
		c.last = rule.Hits() == 0
		rule.Remove()
	}
	if c.fault.cancels && !c.last && (took > 0 || err == nil && !held) {
		t.Errorf("error %v, %v after the end of the context", err, took)
	}
	other := slices.ContainsFunc(others, func(e error) bool { return errors.Is(err, e) })
	if err != nil && !other && (c.last || !c.fault.explains(err)) {
		t.Error(err)
	}
	return err
}

// happen lets happen what happens to the process.
func (c *Call) happen(host *zktest.Host, cancel func()) {
	if c.fault.do != nil {
		c.fault.do(host)
	}
	if c.fault.expires {
		c.s.Expire(faulty)
	}
	if c.fault.cancels {
		cancel()
	}
}

// InTime demands that the next one does not wait for longer than it has to after the Fault.
func (c *Call) InTime(next func()) {
	c.s.T.Helper()
	bound, begun := c.fault.bound(), time.Now()
	if c.Late {
		bound = longest
	}
	next()
	if took := time.Since(begun); took > bound {
		c.s.T.Errorf("the next one waits for %v, want at most %v", took, bound)
	}
}

// NothingLeft demands that nothing is left below these paths when what is under way has ended.
func (c *Call) NothingLeft(paths ...string) {
	c.s.T.Helper()
	await.Sleep(2 * T)
	for _, path := range paths {
		for _, n := range c.s.Below(path) {
			c.s.T.Errorf("%s is left", n.Path)
		}
	}
}

// ofRecipe is a function of a recipe, but not of its tests.
var ofRecipe = regexp.MustCompile(`github\.com/zkrecipe/zkrecipe/recipe/[a-z/]+\.`)

// working returns the stacks of the goroutines of recipes.
func working() (stacks []string) {
	all := make([]byte, 1<<20)
	for stack := range strings.SplitSeq(string(all[:runtime.Stack(all, true)]), "\n\n") {
		if ofRecipe.MatchString(stack) {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}
