package value_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/value"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

const chaosClients = 4

// chaos disturbs the clients until stop is closed.
func chaos(s *stage, rng *rand.Rand, stop <-chan struct{}) {
	heal := func() {}
	for {
		select {
		case <-stop:
			heal()
			return
		case <-time.After(time.Duration(rng.Int64N(int64(stageT / 2)))):
		}
		heal()
		heal = func() {}
		name := fmt.Sprint(rng.IntN(chaosClients))
		host := s.Host(name)
		server := s.Server(1 + rng.IntN(3))
		switch rng.IntN(9) {
		case 0:
			s.On(zktest.Match{Op: zktest.OpMulti, Nth: 1 + rng.IntN(3)}, zktest.LoseReply)
		case 1:
			s.On(zktest.Match{Op: zktest.OpMulti, Nth: 1 + rng.IntN(3)}, zktest.LoseRequest)
		case 2:
			// The session goes with an answer, or before a request has arrived.
			effect := []zktest.Effect{zktest.LoseReply, zktest.LoseRequest}[rng.IntN(2)]
			id := s.owner(name)
			rule := s.On(zktest.Match{Op: zktest.OpMulti, Host: name, Nth: 1 + rng.IntN(2)}, effect)
			select {
			case <-rule.Fired():
			case <-time.After(stageT / 4):
			}
			s.ExpireSession(id)
		case 3:
			host.Cut()
		case 4:
			host.Hold(zktest.ToClient)
			heal = host.Heal
		case 5: // it lags, and answers
			server.Isolate()
			heal = server.Rejoin
		case 6:
			server.Freeze()
			heal = server.Thaw
		case 7:
			server.Slow(50 * time.Millisecond)
			heal = func() { server.Slow(0) }
		case 8:
			s.On(zktest.Match{Nth: 1 + rng.IntN(5)}, zktest.LoseReply)
		}
	}
}

// underChaos lets clients work on one counter while they are disturbed. It returns what they have
// seen, and the number at the end.
func underChaos(t *testing.T, seed int64, cfg value.CounterConfig, work func(t *testing.T, w worker, rng *rand.Rand)) (h *history, end int64) {
	onStage(t, seed, func(t *testing.T, s *stage) {
		h = &history{}
		stop := make(chan struct{})
		var disturber, workers sync.WaitGroup
		disturber.Go(func() { chaos(s, rand.New(rand.NewPCG(1, uint64(seed))), stop) })
		for i := range chaosClients {
			rng := rand.New(rand.NewPCG(uint64(i+2), uint64(seed)))
			own := cfg
			if own.Durable != "" {
				own.Durable += fmt.Sprint(i)
			}
			client := s.Client(fmt.Sprint(i))
			n, err := value.NewCounter(client, path, own)
			must(t, err)
			v, err := value.New(client, path, value.Config{})
			must(t, err)
			workers.Go(func() { work(t, worker{i, n, v, h}, rng) })
		}
		workers.Wait()
		close(stop)
		disturber.Wait()
		var err error
		end, err = s.counter("judge", value.CounterConfig{Encoding: cfg.Encoding}).Get(within(t))
		must(t, err)
	})
	return h, end
}

func seeds(all int64) int64 {
	if testing.Short() {
		return all / 4
	}
	return all
}

func TestHistoriesAreLinearizable(t *testing.T) {
	unknown := 0
	for seed := range seeds(40) {
		h, _ := underChaos(t, seed, value.CounterConfig{}, func(t *testing.T, w worker, rng *rand.Rand) {
			for range 12 {
				w.work(t, 1, rng.IntN)
				time.Sleep(time.Duration(rng.Int64N(int64(stageT / 4))))
			}
		})
		if !h.linearizable() {
			t.Fatalf("seed %d: not linearizable: %v", seed, h.ops)
		}
		unknown += h.unknown()
	}
	t.Logf("%d outcomes unknown", unknown)
}

// adds makes a thousand additions, several at a time.
func adds(t *testing.T, w worker, rng *rand.Rand) {
	var group sync.WaitGroup
	for range 5 {
		pause := time.Duration(rng.Int64N(int64(stageT / 10)))
		group.Go(func() {
			for range 50 {
				err := w.h.record(w.id, call{"add", 0, 1}, func() (int64, error) { return w.n.Add(within(t), 1) })
				if err != nil && !isUnknown(err) {
					t.Error(err)
				}
				time.Sleep(pause)
			}
		})
	}
	group.Wait()
}

func TestSumsAreExactButForTheUnknown(t *testing.T) {
	unknown := 0
	for seed := range seeds(8) {
		h, end := underChaos(t, seed, value.CounterConfig{Encoding: value.EncodingInt64}, adds)
		h.sum(t, end)
		unknown += h.unknown()
	}
	t.Logf("%d outcomes unknown", unknown)
}

func TestDurableSumsAreExact(t *testing.T) {
	for seed := range seeds(8) {
		h, end := underChaos(t, seed, value.CounterConfig{Config: value.Config{Durable: "w"}}, adds)
		h.sum(t, end)
		if n := h.unknown(); n > 0 {
			t.Errorf("seed %d: %d outcomes unknown", seed, n)
		}
	}
}
