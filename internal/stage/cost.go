package stage

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Member is one of those who take turns, with a session of its own.
type Member struct {
	// Acquire waits for a turn. release ends it.
	Acquire func(context.Context) (release func(context.Context) error, err error)
	// Joined returns how often it has joined the line.
	Joined func() int
}

// slow is the servers' unit of time where requests are counted one by one.
const slow = 3 * time.Minute

// handOvers are counted at each scale.
const handOvers = 30

// EachHandOverCostsTheSame compares what a hand-over costs with 2, 16 and 100 members that wait: a
// member releases and joins the line again, and the next one acquires. holders have a turn at the
// same time. Sessions and leases are so long that hardly anything is asked from time to time, and
// nothing has to be extended. Each member has had a turn before anything is counted, so each lease
// runs.
//
// most is how many more requests of a kind a hand-over may cost, where more of them wait. It has to
// be far less than 8: if each tenth waiter sent one request, 100 waiting would send 8 more than 16.
func EachHandOverCostsTheSame(t *testing.T, holders int, most float64, member func(s *Stage, name string) Member) {
	t.Helper()
	scales := []int{2, 16, 100}
	costs := make([]map[string]int, len(scales))
	for i, waiting := range scales {
		On(t, zktest.Config{Tick: slow}, func(s *Stage) {
			s.Config.Timeout, s.Config.Lease = 20*slow, 10*slow
			costs[i] = s.countHandOvers(holders, waiting, member)
		})
		t.Logf("%d hand-overs with %d waiting: %v", handOvers, waiting, costs[i])
		for j, fewer := range costs[:i] {
			for kind, n := range costs[i] {
				if float64(n) > float64(fewer[kind])+most*handOvers {
					t.Errorf("%d hand-overs: %d %s with %d waiting, %d with %d", handOvers, n, kind, waiting, fewer[kind], scales[j])
				}
			}
		}
	}
}

// had is a turn that a member has.
type had struct {
	of      Member
	release func(context.Context) error
}

func (s *Stage) countHandOvers(holders, waiting int, member func(s *Stage, name string) Member) map[string]int {
	ctx, cancel := context.WithCancel(s.T.Context())
	turns := make(chan had, holders+waiting)
	var all sync.WaitGroup
	begin := func(m Member) {
		all.Go(func() {
			release, err := m.Acquire(ctx)
			if err == nil {
				turns <- had{m, release}
			} else if ctx.Err() == nil {
				s.T.Error(err)
			}
		})
	}
	join := func(m Member) {
		before := m.Joined()
		begin(m)
		s.Eventually("place in line", func() bool { return m.Joined() > before })
		// What is under way arrives. In a longer time more members would ask something.
		time.Sleep(20 * time.Millisecond)
	}
	for i := range holders + waiting {
		m := member(s, fmt.Sprint("member ", i))
		if i >= holders {
			join(m)
			continue
		}
		begin(m)
		s.Eventually("turn", func() bool { return len(turns) > i })
	}
	handOver := func() {
		one := <-turns
		if err := one.release(ctx); err != nil {
			s.T.Error(err)
		}
		join(one.of)
	}
	for range holders + waiting {
		handOver()
	}
	before := s.cost()
	for range handOvers {
		handOver()
	}
	added := s.cost()
	for kind, n := range before {
		if added[kind] -= n; added[kind] == 0 {
			delete(added, kind)
		}
	}
	cancel()
	all.Wait()
	return added
}

// cost returns how many requests of each kind the servers have got, without pings, and how many
// events they have sent.
func (s *Stage) cost() map[string]int {
	counts := s.Counts()
	c := map[string]int{"events": counts.Events}
	for op, n := range counts.Requests {
		if op != zktest.OpPing {
			c[op.String()] = n
		}
	}
	return c
}
