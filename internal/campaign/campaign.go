//go:build linux

package campaign

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/history"
)

// Config says what a campaign is to do.
type Config struct {
	Rounds int            // of each fault
	Hours  float64        // instead of rounds: go on for so long, the rigs' times added up
	Faults *regexp.Regexp // by name; nil means all
	Short  bool           // leaves out what is slow
	Seed   uint64         // of the first round; the next have the next ones
	Rigs   int            // that work in parallel
	T      time.Duration  // session timeout of the candidates; 0: the fault's
	Lease  time.Duration  // D of the candidates, where a fault asks for no other; 0: usualLease, or drawn

	Candidate string    // the program, perhaps with first arguments: examples/candidate, or one that takes its flags
	Contender string    // the same of examples/contender
	Peers     bool      // the candidates are another library's: they tell of no heir, and leave when they read "quit"
	Dir       string    // for the rigs; the caller removes it
	Keep      string    // where the histories of failed rounds are kept
	KeepAll   bool      // the others too
	Log       io.Writer // a line for each round
}

// job is a round to go through.
type job struct {
	fault Fault
	seed  uint64
}

// campaign is a campaign at work.
type campaign struct {
	Config
	begin time.Time
	debug bool // the servers listen for a debugger, because a fault needs it

	mu    sync.Mutex // guards what follows
	table Table
	spent time.Duration // by all rigs, in rounds
	next  int           // round
}

// Run goes through a campaign in the present network namespace, which must be the process's own and
// needs root. It returns what has been found by the time it ends or ctx does; the error is why the
// campaign could not be held.
func Run(ctx context.Context, cfg Config) (*Table, error) {
	if err := run(ctx, "ip", "link", "set", "lo", "up"); err != nil {
		return nil, err
	}
	c := &campaign{Config: cfg, begin: time.Now()}
	jobs := c.jobs()
	if len(jobs) == 0 {
		return nil, fmt.Errorf("no fault is called %v", cfg.Faults)
	}
	c.debug = slices.ContainsFunc(jobs, func(j job) bool { return j.fault.Held })
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for n := range min(cfg.Rigs, len(jobs)) {
		wg.Go(func() {
			if err := c.work(ctx, n+1, jobs); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	c.table.Title = fmt.Sprintf("%d rounds, seeds from %d on, in %v on %d rigs: %.2f hours of rigs. Tick %v, syncLimit %v, T = %v, D = %v unless a fault says otherwise or draws them.",
		c.table.Rounds(), cfg.Seed, time.Since(c.begin).Round(time.Second), cfg.Rigs, c.spent.Hours(), tick, syncLimit*tick, cmp.Or(cfg.T, usualT), cmp.Or(cfg.Lease, usualLease))
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return &c.table, err
	}
	return &c.table, nil
}

// jobs lists the rounds, the first of each fault first, so that a campaign that is stopped early
// has seen every fault.
func (c *campaign) jobs() (all []job) {
	for i := range max(1, c.Rounds) {
		for _, f := range Faults {
			if c.Faults != nil && !c.Faults.MatchString(f.Name) || c.Short && f.Slow || c.Peers && f.Contend {
				continue
			}
			all = append(all, job{f, c.Seed + uint64(i)})
		}
	}
	return all
}

// take returns the next round. A campaign by the hour begins again at the end, with other seeds.
func (c *campaign) take(jobs []job) (j job, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.next
	c.next++
	if c.Hours == 0 {
		if n >= len(jobs) {
			return job{}, false
		}
		return jobs[n], true
	}
	j = jobs[n%len(jobs)]
	j.seed += uint64(n / len(jobs) * max(1, c.Rounds))
	return j, c.spent.Hours() < c.Hours
}

// work goes through rounds. If a rig could not do its round, the next round has a new rig.
func (c *campaign) work(ctx context.Context, n int, jobs []job) error {
	var r *rig
	defer func() {
		if r != nil {
			_ = r.close() // nothing is left of it anyway once we end
		}
	}()
	for ctx.Err() == nil {
		j, ok := c.take(jobs)
		if !ok {
			return nil
		}
		for builds := 1; r == nil; builds++ {
			var err error
			if r, err = c.build(ctx, n); err != nil && (builds == 3 || ctx.Err() != nil) {
				return err
			}
		}
		if !c.round(ctx, r, j) && ctx.Err() == nil {
			_ = r.close()
			r = nil
		}
	}
	return nil
}

// buildWithin is how long a rig may take to come up when all come up at once on a busy machine.
const buildWithin = 3 * time.Minute

func (c *campaign) build(ctx context.Context, n int) (*rig, error) {
	ctx, cancel := context.WithTimeout(ctx, buildWithin)
	defer cancel()
	if err := os.RemoveAll(filepath.Join(c.Dir, fmt.Sprint("rig", n))); err != nil {
		return nil, err
	}
	unwire(ctx, n)
	return newRig(ctx, n, c.Dir, c.debug)
}

// round goes through one round and tells whether the rig is fit for another.
func (c *campaign) round(ctx context.Context, rg *rig, j job) (fit bool) {
	for attempt := 1; ; attempt++ {
		begin := time.Now()
		r, err := c.attempt(ctx, rg, j, attempt)
		switch {
		case ctx.Err() != nil:
			return false // stopped early: that shows nothing
		case errors.Is(err, errAgain) && attempt < 5 && len(history.Check(r.all()).Violations) == 0:
			c.logf("rig %d %s, seed %d: %v", rg.n, j.fault.Name, j.seed, err)
			continue
		case err != nil:
			r.broken(history.Unfinished, "%v", err)
		}
		rep := c.finish(j, r, time.Since(begin))
		return err == nil && rep.Diverged == ""
	}
}

// attempt goes through a round. A bug in a fault must not cost the other rigs' work: a panic is an
// error.
func (c *campaign) attempt(ctx context.Context, rg *rig, j job, n int) (r *Round, err error) {
	name := fnv.New64a()
	io.WriteString(name, j.fault.Name)
	r = &Round{
		record: newRecord(), rig: rg, attempt: n, exe: c.Candidate, contender: c.Contender, peers: c.Peers, rng: rand.New(rand.NewPCG(j.seed, name.Sum64())),
		path: fmt.Sprintf("/%s-%d-%d", j.fault.number(), j.seed, history.Now()),
	}
	r.T, r.lease = cmp.Or(c.T, j.fault.T, usualT), cmp.Or(j.fault.Lease, c.Lease, usualLease)
	if j.fault.Drawn && c.T == 0 && c.Lease == 0 && !c.Peers {
		r.draw()
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return r, r.run(ctx, j.fault, j.seed)
}

// logf writes a line with the time since the campaign began.
func (c *campaign) logf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(c.Log, "%6.0fs "+format+"\n", append([]any{time.Since(c.begin).Seconds()}, args...)...)
}

// finish judges a round, keeps what there is of it if it broke a promise, and enters it into the
// table.
func (c *campaign) finish(j job, r *Round, spent time.Duration) (rep *history.Report) {
	lines := r.all()
	rep = history.Check(lines)
	kept, err := "", error(nil)
	if len(rep.Violations) > 0 || rep.Diverged != "" || c.KeepAll {
		kept, err = c.keep(j, r, lines)
	}
	c.logf("rig %d %s, seed %d, T %v, D %v: %d changes, without a leader %s ms, %d violations, in %.1fs", r.rig.n, j.fault.Name, j.seed, r.T, r.lease,
		rep.Changes, percentiles(rep.Gaps, time.Millisecond, "%.0f"), len(rep.Violations), spent.Seconds())
	for _, v := range rep.Violations {
		if !c.Peers { // else they are what is looked for, by the dozen
			c.logf("VIOLATION %v", v)
		}
	}
	if rep.Diverged != "" {
		c.logf("the servers' data have diverged: %s", rep.Diverged)
	}
	if err != nil {
		c.logf("the history could not be kept: %v", err)
	}
	if kept != "" && !c.Peers {
		c.logf("kept in %s; again: make campaign FAULTS='^%s$' SEED=%d ROUNDS=1", kept, j.fault.Name, j.seed)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spent += spent
	c.table.row(j.fault).add(rep, r)
	return rep
}

// keep writes what there is of a round into a directory of its own: the history, and what
// candidates and servers have logged.
func (c *campaign) keep(j job, r *Round, lines []history.Line) (dir string, err error) {
	dir = filepath.Join(c.Keep, fmt.Sprintf("%s-seed%d-rig%d", j.fault.number(), j.seed, r.rig.n))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return dir, err
	}
	var logs strings.Builder
	for _, c := range r.candidates {
		fmt.Fprintf(&logs, "--- candidate %s, its last process\n%s\n", c.id, c.stderr.String())
	}
	for _, s := range r.rig.Servers() {
		fmt.Fprintf(&logs, "--- server %d\n%s\n", s.ID(), s.LogTail(300))
	}
	return dir, errors.Join(
		history.Save(filepath.Join(dir, "history.jsonl"), lines),
		os.WriteFile(filepath.Join(dir, "logs.txt"), []byte(logs.String()), 0o644))
}
