package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
)

// A row is one measurement, by the name under which -rows chooses it.
type row struct {
	name    string
	about   string
	measure func(*lab) error
}

var rows = []row{
	{"handover", "graceful failover, heir ready", measureHandOvers},
	{"quick", "hand-overs in quick succession", measureQuick},
	{"lock", "locks, alone and contended", measureLocks},
	{"disk", "hand-overs on servers that wait for the disk", measureDisk},
	{"far", "hand-overs of clients that are far from the servers", measureFar},
	{"counts", "frames of a failover and at rest", measureCounts},
	{"semaphore", "permits that change hands", measureSemaphore},
	{"crash", "crashed leaders", measureCrash},
	{"faults", "how soon the next one leads, for each fault", measureFaults},
	{"margin", "leaders, or servers, that stand still", measureMargin},
	{"undisturbed", "leaders that nobody disturbs", measureUndisturbed},
	{"frozen", "a frozen server", measureFrozen},
	{"join", "a thousand candidates join one line", measureJoin},
	{"many", "one client in many elections", measureMany},
	{"restart", "a thousand sessions and a restart of all servers", measureRestart},
}

func main() {
	become(asCandidate, 5, stand)
	become(asContender, 3, contendOnDemand)
	var names []string
	for _, r := range rows {
		names = append(names, r.name)
	}
	chosen := flag.String("rows", strings.Join(names, ","), "what to measure, separated by commas")
	failovers := flag.Int("failovers", 1000, "failovers of each kind")
	crashes := flag.Int("crashes", 30, "crashes of leaders at each lease")
	faultRuns := flag.Int("faults", 8, "times of each fault, half as many where it takes long")
	quick := flag.Int("quick", 500, "hand-overs in quick succession of each kind")
	pauses := flag.Int("pauses", 2, "times that everybody is stopped for each length")
	undisturbed := flag.Duration("undisturbed", time.Minute, "how long leaders lead undisturbed")
	only := flag.Int("candidates", 0, "measure hand-overs with this many candidates only")
	elections := flag.Int("elections", 1000, "of one client in many")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	l := &lab{ctx: ctx, failovers: *failovers, crashes: *crashes, faults: *faultRuns, quick: *quick, pauses: *pauses, undisturbed: *undisturbed, only: *only, elections: *elections, out: os.Stdout}
	if err := run(l, strings.Split(*chosen, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(l *lab, chosen []string) error {
	for _, name := range chosen {
		if !slices.ContainsFunc(rows, func(r row) bool { return r.name == name }) {
			return fmt.Errorf("there is no row %q", name)
		}
	}
	e, err := ensemble.Start(l.ctx, ensemble.Config{MaxSessionTimeout: crashTimeout})
	if err != nil {
		return err
	}
	defer e.Close()
	l.ensemble, l.addrs = e, e.Addrs()
	fmt.Fprintln(l.out, describeMachine())
	for _, r := range rows {
		if !slices.Contains(chosen, r.name) {
			continue
		}
		begun := time.Now()
		if err := r.measure(l); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		fmt.Fprintf(os.Stderr, "%s: %s, %v\n", r.name, r.about, time.Since(begun).Round(time.Second))
	}
	return nil
}

// lab is what all measurements share.
type lab struct {
	ctx         context.Context
	ensemble    *ensemble.Ensemble
	addrs       []string // under which clients reach the servers
	where       string   // begins the titles of tables: what is special about servers and addrs
	failovers   int
	crashes     int
	faults      int // times of each
	quick       int
	pauses      int
	undisturbed time.Duration
	only        int // candidates in a hand-over; 0: every scale
	elections   int // of one client in many
	out         io.Writer
}

// path returns a path that nobody has used.
func (l *lab) path(what string) string {
	return fmt.Sprintf("/%s-%x-%d", what, began.UnixNano(), paths.Add(1))
}

var paths atomic.Int64

// title returns a table's title.
func (l *lab) title(format string, args ...any) string { return l.where + fmt.Sprintf(format, args...) }

// server returns the address of the i-th server, round and round.
func (l *lab) server(i int) string {
	return l.addrs[i%len(l.addrs)]
}

// patience bounds whatever should be over in a moment.
const patience = time.Minute

var errStuck = fmt.Errorf("nothing has happened for %v", patience)

// receive waits for c, though not for ever.
func receive[T any](l *lab, c <-chan T) (v T, err error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case v = <-c:
		return v, nil
	case <-timer.C:
		return v, errStuck
	case <-l.ctx.Done():
		return v, context.Cause(l.ctx)
	}
}
