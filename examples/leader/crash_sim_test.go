package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/example"
	"github.com/zkrecipe/zkrecipe/examples/internal/lines"
	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// rehearsal is the show in simulated time: the candidates are goroutines, on hosts of their own.
type rehearsal struct {
	s     *stage.Stage
	begin time.Time

	mu      sync.Mutex // guards what follows
	history *history
	dead    string // the candidate that has crashed
}

// rehearse lets the candidates start at different times: heartbeats, and what an heir reads, follow
// from that.
func rehearse(s *stage.Stage, p *example.Program, rng *rand.Rand) *rehearsal {
	r := &rehearsal{s: s, begin: time.Now(), history: newHistory(0)}
	for _, id := range names {
		await.Sleep(time.Duration(rng.Int64N(int64(calm))))
		r.start(p, id)
	}
	return r
}

// start lets a candidate stand for election with the program's configuration.
func (r *rehearsal) start(p *example.Program, id string) {
	el, err := election.New(r.s.Open(id, p.Session), p.Path, election.Config{ID: id, OnEvent: func(ev election.Event) {
		r.tell(id, ev.Kind.String(), ev.Token)
	}})
	stage.Must(r.s.T, err)
	go el.Run(r.s.T.Context(), func(ctx context.Context, term *election.Term) error {
		ticker := time.NewTicker(beat)
		defer ticker.Stop()
		for term.Valid() {
			r.tell(id, "beat", term.Token())
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return nil
			}
		}
		return nil
	})
}

// tell is a candidate's line. One that has crashed writes none.
func (r *rehearsal) tell(id, event string, token int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id != r.dead {
		r.history.add(lines.Line{T: int64(time.Since(r.begin)), ID: id, Event: event, Token: token})
	}
}

// until waits until the history is as it should be.
func (r *rehearsal) until(what string, ok func(*history) bool) {
	r.s.T.Helper()
	r.s.Eventually(what, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return ok(r.history)
	})
}

// crash kills the leader: its connection breaks, and it tells nothing any more.
func (r *rehearsal) crash() {
	r.mu.Lock()
	r.dead = r.history.leader().id
	r.history.leader().ending = "crashed"
	r.history.member(r.dead).state = killed
	r.mu.Unlock()
	r.s.Host(r.dead).Drop()
	r.s.Host(r.dead).Cut()
}

// The crash comes at any time between two heartbeats of the leader, and between two reads of its
// heir.
func TestAfterACrashNobodyLeadsForLessThanHalfASecond(t *testing.T) {
	var longest time.Duration
	for seed := range int64(100) {
		p, _ := program()
		stage.Must(t, p.Parse(nil))
		cfg := zktest.Config{Tick: p.Session.Timeout / 10, Latency: time.Millisecond / 10, Seed: seed + 1} // on one machine
		stage.On(t, cfg, func(s *stage.Stage) {
			rng := rand.New(rand.NewPCG(7, uint64(seed)))
			r := rehearse(s, p, rng)
			r.until("leader with an heir", (*history).settled)
			await.Sleep(calm + time.Duration(rng.Int64N(int64(calm))))
			r.crash()
			var changes []change
			r.until("next leader", func(h *history) bool {
				changes = h.changes()
				return len(changes) > 0
			})
			if longest = max(longest, time.Duration(changes[0].gap)); changes[0].gap >= 500*ms {
				s.T.Errorf("%v", changes[0])
			}
		})
	}
	t.Logf("nobody led for up to %v", longest)
}
