package main

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// members are the processes in simulated time: the keepers of all shards, on a host for each.
type members struct {
	s      *stage.Stage
	shards []string
	ids    []string
	turns  map[string]*stage.Turns[*election.Term] // of each shard: they compare its terms

	mu  sync.Mutex // guards now
	now spread     // whose term has begun last, of each shard
}

// gather starts processes, each at a server of its own. They end with the test.
func gather(s *stage.Stage, shards, processes int) *members {
	m := &members{s: s, shards: shardNames(shards), ids: processNames(processes), now: spread{}}
	m.turns = map[string]*stage.Turns[*election.Term]{}
	for _, shard := range m.shards {
		m.turns[shard] = &stage.Turns[*election.Term]{}
	}
	var all sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	for i, id := range m.ids {
		client := s.Client(id, s.Servers()[i].Addr())
		for _, shard := range m.shards {
			el, err := election.New(client, "/shards/"+shard, election.Config{ID: id, Logger: stage.Logger(id)})
			stage.Must(s.T, err)
			k := &keeper{shard: shard, me: id, processes: m.ids, el: el}
			k.work = func(ctx context.Context, shard string, term *election.Term) error {
				m.turns[shard].Begin(s.T, id+" at "+shard, term, false)
				m.mu.Lock()
				m.now[shard] = id
				m.mu.Unlock()
				<-ctx.Done()
				return context.Cause(ctx)
			}
			all.Go(func() { _ = k.run(ctx) })
		}
	}
	s.T.Cleanup(func() { stop(); all.Wait() })
	return m
}

// settle waits until each shard is led by the process that suits it best.
func (m *members) settle(processes []string) (now spread) {
	m.s.T.Helper()
	m.s.Eventually("spread by rank", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		now = maps.Clone(m.now)
		return now.isBest(m.shards, processes)
	})
	return now
}

// forget makes settle wait for another leader of each shard that a process leads.
func (m *members) forget(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.now, func(_, by string) bool { return by == id })
}

// A process is cut off, and its shards go to the others. Its terms are over when theirs begin, and
// it gets its shards back when it can be reached again.
func TestAMemberThatIsCutOffHasStoppedWhenOthersHaveItsShards(t *testing.T) {
	heal := func(h *zktest.Host, _ *zktest.Server) { h.Heal() }
	for name, fault := range map[string]struct {
		begin, end func(*zktest.Host, *zktest.Server) // of the process, and the one that it uses
	}{
		"cut":                 {func(h *zktest.Host, _ *zktest.Server) { h.Hold(); h.Cut() }, heal},
		"silent":              {func(h *zktest.Host, _ *zktest.Server) { h.Hold() }, heal},
		"it hears nothing":    {func(h *zktest.Host, _ *zktest.Server) { h.Hold(zktest.ToClient) }, heal},
		"it is not heard":     {func(h *zktest.Host, _ *zktest.Server) { h.Hold(zktest.ToServer) }, heal},
		"its server is alone": {func(_ *zktest.Host, s *zktest.Server) { s.Isolate() }, func(_ *zktest.Host, s *zktest.Server) { s.Rejoin() }},
	} {
		t.Run(name, func(t *testing.T) {
			stage.On(t, zktest.Config{}, func(s *stage.Stage) {
				m := gather(s, 9, 3)
				victim := m.settle(m.ids).busiest(m.ids)
				await.Sleep(stage.T)
				host, server := s.Host(victim), s.Servers()[slices.Index(m.ids, victim)]
				fault.begin(host, server)
				m.forget(victim)
				m.settle(without(m.ids, victim))
				await.Sleep(2 * stage.T) // its session expires, too
				fault.end(host, server)
				m.settle(m.ids)
			})
		})
	}
}
