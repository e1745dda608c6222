package sim

import (
	"context"
	"fmt"
	"math"
	"sort"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Result is what came of a run.
type Result struct {
	Violations []Violation
	Terms      int
	Acquired   int // how often a lock was, or a permit
	Faults     int
	Length     time.Duration // simulated
	Trace      []string      // if it was asked for
}

// world is one run.
type world struct {
	plan      Plan
	ens       *zktest.Ensemble
	check     *checker
	locks     *lockChecker
	others    *others // nil without
	registers registers
	procs     []*proc
	started   int
	admin     *session.Client

	mu       sync.Mutex // guards what follows
	triggers []trigger
}

// A trigger waits for a request of a process.
type trigger struct {
	p  *proc
	op zktest.Op
	do func(zktest.Request)
}

// onRequest calls f when the next such request of a process reaches a server; f must not call the
// ensemble.
func (w *world) onRequest(p *proc, op zktest.Op, f func(zktest.Request)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.triggers = append(w.triggers, trigger{p, op, f})
}

func (w *world) requested(r zktest.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, t := range w.triggers {
		if t.p.name == r.Host && t.op == r.Op {
			w.triggers = append(w.triggers[:i:i], w.triggers[i+1:]...)
			t.do(r)
			return
		}
	}
}

// run carries out a plan. It must be called in a testing/synctest bubble.
func run(plan Plan, tracing bool) Result {
	w := &world{plan: plan, check: newChecker(plan.Timeout, plan.Lease)}
	w.check.tracing, w.check.undisturbed = tracing, plan.undisturbed()
	if plan.Others {
		w.others = newOthers(w.check)
	}
	w.registers.byPath = map[string]*register{}
	w.locks = &lockChecker{
		checker: w.check, locks: map[string]*lockRecord{}, places: newLine(0), askings: map[string]*asking{}, doomed: map[string]time.Time{},
	}
	ens, err := zktest.New(zktest.Config{
		Servers: 3, InMemory: true, Tick: tick, SyncLimit: syncLimit, Seed: plan.Seed, Latency: plan.Latency, Jitter: 2 * plan.Latency, SequenceWraps: plan.Wraps,
		Logf:     func(format string, args ...any) { w.check.logf("zktest: "+format, args...) },
		OnCommit: w.committed, OnRequest: w.requested,
	})
	if err != nil {
		panic(err)
	}
	w.ens = ens
	w.setUp()
	for ; w.started < plan.Procs; w.started++ {
		w.startProc(fmt.Sprintf("p%d", w.started), plan.Seed*100+int64(w.started))
		time.Sleep(time.Millisecond + time.Duration(w.started)) // two things at one instant happen in any order
	}
	w.carryOut()
	w.healAll()
	w.awaitLeaders()
	w.awaitHolders()
	time.Sleep(2*plan.Timeout + 2*tick + 2*drainTimeout) // for those who were slow to stop, and the sessions of the crashed
	w.checkPlaces()
	if plan.Others {
		w.compare()
	}
	if plan.undisturbed() && !plan.Others && plan.Semaphores == 0 && plan.Locks == 0 {
		w.checkEvents()
	}
	w.tearDown()
	w.checkRegisters()
	acquired := w.acquisitions()
	for n := range plan.Locks {
		acquired += w.locks.acquisitions(lockPath(n))
	}
	return Result{
		Acquired:   acquired,
		Violations: w.check.violations, Terms: w.check.terms, Faults: len(plan.Faults),
		Length: time.Since(w.check.begin), Trace: w.check.trace,
	}
}

func (w *world) committed(c zktest.Commit) {
	w.check.committed(c)
	w.locks.committed(c)
	if w.others != nil {
		w.others.committed(c)
	}
}

// setUp makes the znodes that guarded writes go to.
func (w *world) setUp() {
	// On a clock from the seed, because every jitter and every choice of a server comes from it.
	seeded := clock.With(context.Background(), newProcClock(1, w.plan.Seed))
	admin, err := session.Open(w.ens.ConnectString(), session.Config{Timeout: 20 * tick, Dial: w.ens.Host("admin").Dial, Context: seeded})
	if err != nil {
		panic(err)
	}
	w.admin = admin
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := admin.Session(ctx)
	if err != nil {
		panic(err)
	}
	w.setUpSemaphores(ctx, s)
	if w.plan.Others {
		if err := s.EnsurePath(ctx, treePath, zk.WorldACL(zk.PermAll)); err != nil {
			panic(err)
		}
	}
	for n := range w.plan.Elections {
		if err := s.EnsurePath(ctx, workPath(electionPath(n)), zk.WorldACL(zk.PermAll)); err != nil {
			panic(err)
		}
		if w.plan.Wraps || w.plan.Sticks {
			if err := s.EnsurePath(ctx, electionPath(n), zk.WorldACL(zk.PermAll)); err != nil {
				panic(err)
			}
			w.startSequence(electionPath(n))
		}
	}
	for n := range w.plan.Locks {
		if w.plan.Wraps || w.plan.Sticks {
			if err := s.EnsurePath(ctx, lockPath(n), zk.WorldACL(zk.PermAll)); err != nil {
				panic(err)
			}
			w.startSequence(lockPath(n))
		}
		for _, path := range []string{guarded(lockPath(n)), registerPath(lockPath(n))} {
			if err := s.EnsurePath(ctx, path, zk.WorldACL(zk.PermAll)); err != nil {
				panic(err)
			}
		}
	}
}

// startSequence lets the numbers of a line begin shortly before the last one.
func (w *world) startSequence(path string) { w.ens.StartSequence(path, math.MaxInt32-5) }

// carryOut lets the faults happen. A violation ends the run: nothing begins after it.
func (w *world) carryOut() {
	type step struct {
		at     time.Duration
		do     func()
		always bool // after a violation, too
	}
	var steps []step
	next := func(s step) {
		i := sort.Search(len(steps), func(i int) bool { return steps[i].at > s.at })
		steps = append(steps[:i], append([]step{s}, steps[i:]...)...)
	}
	begin := time.Now()
	for _, f := range w.plan.Faults {
		next(step{at: f.At, do: func() {
			if end := w.apply(f); end != nil {
				next(step{f.At + f.For, func() { w.check.logf("ENDS %v", f); end() }, true})
			}
		}})
	}
	if w.plan.undisturbed() {
		for at := time.Second; at < w.plan.Length; at += time.Second {
			next(step{at: at, do: w.checkWatches})
		}
	}
	next(step{at: w.plan.Length, do: func() {}})
	for len(steps) > 0 {
		s := steps[0]
		steps = steps[1:]
		if !s.always && w.check.violated() {
			continue
		}
		time.Sleep(s.at - time.Since(begin))
		s.do()
	}
}

// healAll ends what faults may have left, also faults that go on after their time.
func (w *world) healAll() {
	w.check.onNextDone()
	w.mu.Lock()
	w.triggers = nil
	w.mu.Unlock()
	time.Sleep(4*w.plan.Timeout + syncLimit*tick)
	for _, s := range w.ens.Servers() {
		s.Start() // an error says that it runs
		s.Thaw()
		s.Rejoin()
	}
	for _, p := range w.procs {
		p.heal()
	}
}

// awaitLeaders demands that, with all faults over, somebody leads each election before long.
func (w *world) awaitLeaders() {
	w.check.logf("all faults are over")
	// A session's last moments; those of one that joined meanwhile; a slow callback; and the
	// longest delays before a session is opened and an election entered again.
	bound := 4*w.plan.Timeout + 2*drainTimeout + 7500*time.Millisecond + 15*time.Second
	w.awaitPermits(bound)
	for n := range w.plan.Elections {
		end := time.Now().Add(bound)
		for !w.check.leads(electionPath(n)) {
			if time.Now().After(end) {
				w.check.report("liveness", "nobody leads %s, %v after the last fault", electionPath(n), bound)
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
}

// tearDown stops every process and looks at what they leave behind.
func (w *world) tearDown() {
	if w.others != nil {
		w.others.end()
	}
	for _, p := range w.procs {
		if p.crashed.Load() { // the process is gone, but its goroutines have to end
			w.check.resumed(p)
			w.locks.resumed(p)
			p.host.Cut()
			p.host.Heal()
			p.clock.resume()
		}
	}
	for _, p := range w.procs {
		p.stop()
	}
	time.Sleep(2*w.plan.Timeout + 2*tick) // for the sessions of processes that could not close them
	w.admin.Close()
	time.Sleep(tick)
	w.checkLocks()
	if w.others != nil {
		w.checkSum()
	}
	for _, n := range w.ens.Nodes() {
		if n.Stat.EphemeralOwner != 0 {
			w.check.report("census", "znode %s of session 0x%x is left", n.Path, n.Stat.EphemeralOwner)
		}
	}
	for _, s := range w.ens.Sessions() {
		w.check.report("census", "session 0x%x is left", s.ID)
	}
	for _, x := range w.ens.Watches() {
		w.check.report("census", "a watch of session 0x%x on %s is left", x.Session, x.Path)
	}
	w.ens.Close()
}
