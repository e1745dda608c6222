package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

const drainTimeout = 5 * time.Second

// The rates of the processes' clocks differ by a little less than the 6 % that are assumed.
const slowest, fastest = 0.971, 1.029

// proc is one client process: a host, a clock, a client, candidates and observers.
type proc struct {
	w       *world
	name    string
	host    *zktest.Host
	clock   *procClock
	client  *session.Client
	cancel  context.CancelFunc
	running sync.WaitGroup
	crashed atomic.Bool

	candidates map[string]int  // how many, by election
	observes   map[string]bool // the elections that it observes
}

func (w *world) startProc(name string, seed int64) *proc {
	rng := rand.New(rand.NewSource(seed))
	p := &proc{
		w: w, name: name, host: w.ens.Host(name), clock: newProcClock(slowest+(fastest-slowest)*rng.Float64(), rng.Int63()),
		candidates: map[string]int{}, observes: map[string]bool{},
	}
	ctx, cancel := context.WithCancel(clock.With(context.Background(), p.clock))
	p.cancel = cancel
	cfg := session.Config{Timeout: w.plan.Timeout, Lease: w.plan.Lease, Dial: p.host.Dial, Context: ctx}
	if w.check.tracing {
		cfg.Logger = slog.New(traceHandler{w.check, name})
	}
	connect := w.ens.ConnectString()
	if rng.Intn(3) == 0 { // it cannot move away from a server that has lost the others
		connect = w.ens.Server(1 + rng.Intn(3)).Addr()
	}
	client, err := session.Open(connect, cfg)
	if err != nil {
		panic(err)
	}
	p.client = client
	w.procs = append(w.procs, p)
	if w.plan.Semaphores > 0 {
		p.runSemaphores(ctx, cfg.Logger, rng)
	}
	for n := range w.plan.Elections {
		for i := range 1 + rng.Intn(2) {
			p.runCandidate(ctx, electionPath(n), fmt.Sprintf("%s.%d", name, i), cfg.Logger, rng.Int63())
		}
		if rng.Intn(2) == 0 {
			p.runObserver(ctx, electionPath(n))
		}
	}
	if w.plan.Locks > 0 {
		p.runContenders(ctx, cfg.Logger, rng.Int63())
	}
	if w.plan.Others {
		p.runOthers(ctx, cfg.Logger, rng.Int63())
	}
	return p
}

func electionPath(n int) string { return "/e/" + strconv.Itoa(n) }
func workPath(n string) string  { return "/work" + n[len("/e"):] }

func (p *proc) runCandidate(ctx context.Context, path, id string, log *slog.Logger, seed int64) {
	el, err := election.New(p.client, path, election.Config{ID: id, DrainTimeout: drainTimeout, Logger: log})
	if err != nil {
		panic(err)
	}
	p.candidates[path]++
	rng := rand.New(rand.NewSource(seed))
	p.running.Go(func() {
		err := el.Run(ctx, func(ctx context.Context, term *election.Term) error {
			p.w.check.began(p, path, id, term)
			defer p.w.check.stopped(term)
			return p.lead(ctx, term, path, rng)
		})
		if !errors.Is(err, context.Canceled) && !errors.Is(err, session.ErrClosed) {
			p.w.check.report("run", "Run of %s for %s returned %v", id, path, err)
		}
	})
}

// lead is a leader's work: guarded writes now and then, and different ways to stop.
func (p *proc) lead(ctx context.Context, term *election.Term, path string, rng *rand.Rand) error {
	end := time.Duration(rng.ExpFloat64() * float64(time.Minute))
	slow := time.Duration(0)
	if rng.Intn(3) == 0 && len(p.w.plan.Faults) > 0 {
		slow = time.Duration(rng.Int63n(int64(2 * drainTimeout)))
	}
	begun := p.clock.Now()
	for ctx.Err() == nil && p.clock.Now().Sub(begun) < end {
		p.w.check.look(term)
		if rng.Intn(2) == 0 {
			term.Multi(ctx, &zk.SetDataRequest{Path: workPath(path), Data: []byte(strconv.FormatInt(term.Token(), 10)), Version: -1})
		}
		clock.Sleep(ctx, p.clock, time.Duration(rng.Int63n(int64(3*time.Second))))
	}
	if ctx.Err() == nil && rng.Intn(3) == 0 {
		term.Resign()
	}
	// Stop slowly, whatever the context says. One that is stopping still tries to write.
	if slow > 0 {
		for range 10 {
			p.w.check.look(term)
			clock.Sleep(context.Background(), p.clock, slow/10)
		}
		late, cancel := clock.WithTimeout(context.Background(), p.clock, time.Second)
		defer cancel()
		term.Multi(late, &zk.SetDataRequest{Path: workPath(path), Data: []byte(strconv.FormatInt(term.Token(), 10)), Version: -1})
	}
	if rng.Intn(4) == 0 {
		return errors.New("the work failed")
	}
	return nil
}

func (p *proc) runObserver(ctx context.Context, path string) {
	el, err := election.New(p.client, path, election.Config{})
	if err != nil {
		panic(err)
	}
	o := el.Observe()
	p.observes[path] = true
	p.running.Go(func() {
		defer o.Close()
		var last int64
		for {
			l, err := o.Next(ctx)
			if err != nil {
				return
			}
			p.w.check.observed(p.name, path, &last, l)
		}
	})
}

// stop ends the process in good order.
func (p *proc) stop() {
	p.cancel()
	p.running.Wait()
	p.client.Close()
}

// traceHandler writes the library's log into the trace.
type traceHandler struct {
	check *checker
	who   string
}

func (h traceHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h traceHandler) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h traceHandler) WithGroup(string) slog.Handler            { return h }
func (h traceHandler) Handle(_ context.Context, r slog.Record) error {
	line := h.who + ": " + r.Message
	r.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	h.check.logf("%s", line)
	return nil
}
