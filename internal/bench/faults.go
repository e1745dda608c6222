package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
)

var (
	faultLeases   = []time.Duration{200 * time.Millisecond, 400 * time.Millisecond, time.Second, 4 * time.Second}
	faultTimeouts = []time.Duration{10 * time.Second, 30 * time.Second}
)

// faultLines is how many elections a fault strikes at the same time.
const faultLines = 4

// fault ends leaderships.
type fault struct {
	name   string
	within func(D time.Duration) time.Duration // the next one should lead
	// servers returns the connect strings of a leader and of the others. Default: all servers.
	servers func(*struck) (leader, others string, err error)
	// strike breaks something in all elections at the same time, and notes when.
	strike func(*struck) error
	lines  int
	many   int // elections of each line; default 1
}

func withinOne(D time.Duration) time.Duration  { return D * 135 / 100 }
func withinTwo(D time.Duration) time.Duration  { return D * 27 / 10 }
func withinMany(D time.Duration) time.Duration { return D*16/10 + time.Second }

const killOfLeader, standstill = "kill -9 of the leader", "all servers stand still for 2 D"

var faults = []fault{
	{name: killOfLeader, within: withinOne, lines: faultLines,
		strike: toEach(func(q *queue) { q.all[0].kill() })},
	{name: "SIGSTOP of the leader", within: withinOne, lines: faultLines,
		strike: toEach(func(q *queue) { _ = q.all[0].cmd.Process.Signal(syscall.SIGSTOP) })},
	{name: "black hole around the leader", within: withinOne, lines: faultLines, servers: behindProxies, strike: (*struck).swallow},
	{name: "the leader's only server freezes", within: withinOne, lines: faultLines, servers: oneFollower, strike: (*struck).freeze},
	{name: "kill -9 of leader and heir", within: withinTwo, lines: faultLines,
		strike: toEach(func(q *queue) { q.all[0].kill(); q.all[1].kill() })},
	{name: standstill, within: withinOne, lines: faultLines, strike: (*struck).standstill},
	{name: "kill -9 of one that leads 1,000", within: withinMany, lines: 1, many: 1000,
		strike: toEach(func(q *queue) { q.all[0].kill() })},
}

// measureFaults measures how long it takes after a fault until the next one leads, on servers that
// have the default limits of session timeouts.
func measureFaults(l *lab) error {
	if l.ensemble.External() {
		return errors.New("the servers are not ours to freeze")
	}
	// Before 3.8.5, and in 3.9.0 and 3.9.1, an ensemble that has stood still for longer than
	// syncLimit may never commit again: an acknowledgement of a proposal that overtakes that of
	// NEWLEADER is lost. So syncLimit is longer than any standstill here.
	e, err := ensemble.Start(l.ctx, ensemble.Config{Tick: 2 * time.Second, SyncLimit: 10})
	if err != nil {
		return err
	}
	defer e.Close()
	own := *l
	own.ensemble, own.addrs = e, e.Addrs()
	return own.measureFaults()
}

func (l *lab) measureFaults() error {
	t := table{
		title: "Default limits of session timeouts, from the fault (or the servers' return) until the next one leads:",
		head:  []string{"fault", "lease D", "timeout T", "times", "p50, x D", "max, x D", "asked at most", "max, ms", "zk.Lock, p50, ms"},
	}
	storm := table{
		title: "Requests per second at all servers, around a standstill of 2 D:",
		head:  []string{"lease D", "timeout T", "elections", "quiet", "the second after the return"},
	}
	err := l.strikeAll(&t, &storm)
	t.print(l.out)
	storm.print(l.out)
	return err
}

func (l *lab) strikeAll(t, storm *table) error {
	expiry, err := l.lockExpiries()
	if err != nil {
		return fmt.Errorf("zk.Lock: %w", err)
	}
	for _, f := range faults {
		for _, D := range faultLeases {
			for _, T := range faultTimeouts {
				all := &struck{l: l, fault: f, post: post{connect: l.ensemble.ConnectString(), timeout: T, lease: D, elections: max(1, f.many)}}
				if err := all.run(); err != nil {
					return fmt.Errorf("%s, D = %v, T = %v: %w", f.name, D, T, err)
				}
				p50, longest, ms, other := "-", "-", "-", ""
				if len(all.took) > 0 {
					p50, longest, ms = ratio(all.took.at(0.5), D), ratio(all.took.max(), D), millis(all.took.max())
				}
				if f.name == killOfLeader {
					other = millis(expiry[T])
				}
				t.add(f.name, D, T, len(all.took), p50, longest, ratio(f.within(D), D), ms, other)
				if f.name == standstill {
					storm.add(D, T, f.lines, most(all.quiet), most(all.back))
				}
			}
		}
	}
	if err := l.ensemble.Close(); err != nil { // the next has servers of its own
		return err
	}
	return l.cutFollowers(t)
}

func most(all []int) string {
	if len(all) == 0 {
		return "-"
	}
	return strconv.Itoa(slices.Max(all))
}

// lockExpiries measures how long it takes with zk.Lock after kill -9 of its holder: until the
// session has expired. The timeouts are measured at the same time.
func (l *lab) lockExpiries() (map[time.Duration]time.Duration, error) {
	f := faults[0]
	f.lines = 2
	took := make([]sample, len(faultTimeouts))
	err := pipelined(len(faultTimeouts), func(i int) error {
		s := &struck{l: l, fault: f, post: post{connect: l.ensemble.ConnectString(), timeout: faultTimeouts[i], elections: 1}}
		err := s.round()
		took[i] = s.took
		return err
	})
	by := map[time.Duration]time.Duration{}
	for i, T := range faultTimeouts {
		by[T] = took[i].at(0.5)
	}
	return by, err
}

// followerCut is the campaign's fault for a follower that is cut from the quorum while the leader
// knows no other server.
const followerCut = "1a follower cut, alone"

// cutRow is what a row of the campaign's table has after the name: how many rounds there were, and
// p50, p95 and the maximum in units of D.
var cutRow = regexp.MustCompile(`^ *(\d+) .*?(\d+\.\d\d) / \d+\.\d\d / (\d+\.\d\d)`)

// cutFollowers has the campaign measure what takes networks of its own, where it can be held. Its
// servers have a shorter tick, on which the time does not depend. One rig goes through all rounds:
// a second one would disturb the first.
func (l *lab) cutFollowers(t *table) error {
	for _, D := range faultLeases {
		for _, T := range faultTimeouts {
			begun := time.Now()
			cmd := exec.CommandContext(l.ctx, "go", "run", "github.com/zkrecipe/zkrecipe/internal/campaign/cmd/campaign", "-rigs", "1",
				"-rounds", strconv.Itoa(l.faults), "-faults", "^"+followerCut+"$", "-lease", D.String(), "-timeout", T.String())
			out, err := cmd.Output()
			_, row, _ := strings.Cut(string(out), "\n"+followerCut)
			found := cutRow.FindStringSubmatch(row)
			if found == nil {
				why := fmt.Sprint(err)
				if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
					why = string(exit.Stderr)
				}
				fmt.Fprintf(os.Stderr, "SKIP: THE FAULT OF A FOLLOWER THAT IS CUT OFF IS NOT MEASURED: %s\n", why)
				return context.Cause(l.ctx)
			}
			const name = "the leader's follower is cut off"
			t.add(name, D, T, found[1], found[2], found[3], ratio(withinOne(D), D), "", "")
			tellTimes(name, D, T, found[1], begun)
		}
	}
	return nil
}

// tellTimes tells how often something was measured, and how long that took.
func tellTimes(name string, D, T time.Duration, times any, begun time.Time) {
	fmt.Fprintf(os.Stderr, "%s, D = %v, T = %v: %v times, %v\n", name, D, T, times, time.Since(begun).Round(time.Second))
}
