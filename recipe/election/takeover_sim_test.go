package election_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/rounds"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// leases are lengths of a lease, and of session timeouts that do not matter for what follows.
var leases = []session.Config{
	{Lease: 400 * time.Millisecond, Timeout: 10 * time.Second},
	{Lease: 400 * time.Millisecond, Timeout: 30 * time.Second},
	{Lease: time.Second, Timeout: 15 * time.Second},
	{Lease: 4 * time.Second, Timeout: 10 * time.Second},
	{Lease: 4 * time.Second, Timeout: 30 * time.Second},
}

// atEachLease runs f with each of leases, and with a few seeds, which decide the moments.
func atEachLease(t *testing.T, seeds int64, f func(t *testing.T, s *stage, rng *rand.Rand)) {
	for _, cfg := range leases {
		t.Run(fmt.Sprintf("D %v, T %v", cfg.Lease, cfg.Timeout), func(t *testing.T) {
			for seed := int64(0); seed < seeds; seed += int64(rounds.Stride(4)) {
				onStage(t, zktest.Config{Seed: seed}, func(t *testing.T, s *stage) {
					s.Config = cfg
					f(t, s, rand.New(rand.NewPCG(7, uint64(seed))))
				})
			}
		})
	}
}

// The stage itself checks that no term begins before the one before it has ended.
func TestACrashedLeaderIsReplacedWithinTheLease(t *testing.T) {
	atEachLease(t, 10, func(t *testing.T, s *stage, rng *rand.Rand) {
		all, first := s.lineUp("a", "b", "c")
		D := s.Config.Lease
		await.Sleep(D + time.Duration(rng.Int64N(int64(D))))
		all[0].host.Drop()
		crash := time.Now()
		second := all[1].term()
		if took := time.Since(crash); took > D*135/100 {
			t.Errorf("the next leads after %v, %.2f D", took, float64(took)/float64(D))
		}
		if ev := all[1].events.wait(election.EventTookOver, 1); ev.Node != first.Node() {
			t.Errorf("it took over from %s; want %s", ev.Node, first.Node())
		}
		if n := all[1].events.count(election.EventWithheld); n != 0 {
			t.Errorf("%d times withheld: the silence was waited for already", n)
		}
		await.Sleep(3 * D)
		if !second.Valid() || s.leading() != 1 {
			t.Errorf("afterwards %d lead", s.leading())
		}
	})
}

func TestALeaderAndItsHeirThatCrashTogetherAreReplacedWithinTwiceTheLease(t *testing.T) {
	atEachLease(t, 10, func(t *testing.T, s *stage, rng *rand.Rand) {
		all, _ := s.lineUp("a", "b", "c", "d")
		D := s.Config.Lease
		await.Sleep(5*D + time.Duration(rng.Int64N(int64(D))))
		all[0].host.Drop()
		all[1].host.Drop()
		crash := time.Now()
		all[2].term()
		if took := time.Since(crash); took > D*27/10 {
			t.Errorf("the third leads after %v, %.2f D", took, float64(took)/float64(D))
		}
		all[2].events.wait(election.EventTookOver, 2)
	})
}

// An administrator deletes the leader's znode, and the leader does not hear of it.
func TestTheNextWaitsForALeaderWhoseZnodeIsDeleted(t *testing.T) {
	for name, deaf := range map[string]func(*candidate){
		"that hears of it":     func(*candidate) {},
		"that hears nothing":   func(a *candidate) { a.host.Hold(zktest.ToClient) },
		"whose host is silent": func(a *candidate) { a.host.Hold() },
	} {
		t.Run(name, func(t *testing.T) {
			atEachLease(t, 5, func(t *testing.T, s *stage, rng *rand.Rand) {
				all, first := s.lineUp("a", "b", "c")
				admin, D := s.Admin(), s.Config.Lease
				await.Sleep(2*D + time.Duration(rng.Int64N(int64(D))))
				deaf(all[0])
				if err := admin.Delete(t.Context(), first.Node(), -1); err != nil {
					t.Fatal(err)
				}
				gone := time.Now()
				all[1].term()
				if took := time.Since(gone); took < D || took > D*9/8 {
					t.Errorf("the next leads %v after the deletion, %.2f D", took, float64(took)/float64(D))
				}
				if ev := all[1].events.wait(election.EventWithheld, 1); ev.Delay < D || ev.Delay > D*17/16 {
					t.Errorf("it says that it waits for %v", ev.Delay)
				}
			})
		})
	}
}

// One session leads many elections and is the heir of none; another is the heir of all. The first
// one dies: its heartbeat is revoked once, and all elections are led again.
func TestAllElectionsOfADeadSessionAreLedAgain(t *testing.T) {
	var mu sync.Mutex // guards revoked
	revoked := 0
	cfg := zktest.Config{OnCommit: func(c zktest.Commit) {
		mu.Lock()
		defer mu.Unlock()
		for _, ch := range c.Changes {
			if ch.Op == zktest.OpSetData && strings.HasPrefix(string(ch.Data), "revoked") && c.Err == 0 {
				revoked++
			}
		}
	}}
	onStage(t, cfg, func(t *testing.T, s *stage) {
		const elections = 50
		s.Config = session.Config{Lease: time.Second, Timeout: 15 * time.Second}
		enter := func(host string) (events []*events) {
			client := s.Client(host)
			for i := range elections {
				ev := newEvents(t, fmt.Sprint(host, i))
				events = append(events, ev)
				s.stand(client, fmt.Sprintf("/many/%d", i), election.Config{OnEvent: ev.Add})
			}
			return events
		}
		a := enter("a")
		for _, ev := range a {
			ev.wait(election.EventElected, 1)
		}
		b := enter("b")
		for _, ev := range b {
			ev.wait(election.EventHeir, 1)
		}
		await.Sleep(3 * time.Second)
		s.Host("a").Drop()
		crash := time.Now()
		for i, ev := range b {
			ev.wait(election.EventElected, 1)
			if d := a[i].wait(election.EventDeposed, 1); d.Time.After(ev.wait(election.EventElected, 1).Time) {
				t.Errorf("%d: the first was deposed after the next was elected", i)
			}
		}
		if took := time.Since(crash); took > 1500*time.Millisecond {
			t.Errorf("all lead after %v", took)
		}
		mu.Lock()
		defer mu.Unlock()
		if revoked != 1 {
			t.Errorf("the heartbeat was revoked %d times", revoked)
		}
	})
}

// Somebody sets the leader's heartbeat to "revoked" by hand. The leader believes it, and nobody
// else does: its heir waits for the silence, as ever.
func TestALeaderWhoseHeartbeatIsRevokedByHandEndsItsTermAndReturns(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		all, first := s.lineUp("a", "b")
		id := all[0].client.Status().Session
		path := s.Session(all[0].client).HeartbeatPath(id)
		if _, err := s.Admin().Set(t.Context(), path, []byte("revoked"), -1); err != nil {
			t.Fatal(err)
		}
		all[1].term()
		ev := all[0].events.wait(election.EventDeposed, 1)
		if ev.Reason != recipe.ReasonSessionLost || !errors.Is(ev.Err, session.ErrRevoked) || first.Valid() {
			t.Errorf("deposed for %v (%v), valid: %v", ev.Reason, ev.Err, first.Valid())
		}
		if back := all[0].events.wait(election.EventJoined, 2); back.Session == id {
			t.Error("it is back in the session that it lost")
		}
		if slices.ContainsFunc(s.Sessions(), func(x zktest.Session) bool { return x.ID == id }) {
			t.Error("the old session lives on")
		}
	})
}

// The session of a leader that was cut off goes on, but its heartbeat is revoked. A candidate in
// such a session can never lead, and if it left without an announcement, the next one would wait.
func TestALeaderThatWasTakenOverReturnsInANewSession(t *testing.T) {
	atEachLease(t, 5, func(t *testing.T, s *stage, rng *rand.Rand) {
		all, _ := s.lineUp("a", "b", "c")
		D := s.Config.Lease
		await.Sleep(D + time.Duration(rng.Int64N(int64(D))))
		all[0].host.Hold()
		second := all[1].term()
		await.Sleep(D / 4)
		all[0].host.Heal()
		await.Sleep(3 * D)
		old := all[0].events.wait(election.EventJoined, 1).Session
		if now := all[0].Status(); now.Session == old || now.Position != 2 {
			t.Errorf("in session %x, once %x, with %d ahead; events:\n%v", now.Session, old, now.Position, all[0].events)
		}
		second.Resign()
		resigned := time.Now()
		all[2].term()
		if took := time.Since(resigned); took > D/4 {
			t.Errorf("the next leads after %v", took)
		}
	})
}
