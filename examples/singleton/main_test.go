//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/lines"
	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/proc"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

var exe string

// asJob as first argument makes the test's own binary a job: see testJob.
const asJob = "job-of-a-test"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == asJob {
		os.Exit(testJob(os.Args[2:]))
	}
	// Under nohup SIGHUP is ignored, in the background of a script SIGINT is, and they would be in
	// all that is started from here. A signal that is caught is not passed on as ignored.
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	var remove func()
	exe, remove = proc.Build()
	m.Run()
	remove()
}

// T and D are the session timeout and the lease of all singletons. A busy machine loses shorter
// leases, which ends the job as it should and the test as it should not. And a sixteenth of D is
// what a guardian, or a supervisor, may be late.
const T, D = 20 * time.Second, 6 * time.Second

// hang guards against a program that does not end.
const hang = 90 * time.Second

// testJob is a job that beats on stdout, each beat one write: "beat <name> <token>
// <CLOCK_MONOTONIC>". Its words: beats=N to end with exit=N after so many, ignore to ignore
// SIGTERM, spawn to start another of its kind that leaves the process group and the session, and
// ignores SIGTERM.
func testJob(words []string) int {
	name, beats, exit := "job", 1<<30, 0
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1)
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		n, _ := strconv.Atoi(value)
		switch key {
		case "name":
			name = value
		case "beats":
			beats = n
		case "exit":
			exit = n
		case "ignore":
			signal.Ignore(syscall.SIGTERM)
		case "spawn":
			self, _ := os.Executable()
			cmd := exec.Command(self, asJob, "name=daemon", "ignore")
			cmd.Stdout = os.Stdout
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			if cmd.Start() != nil {
				return 99
			}
		case "env":
			for _, v := range os.Environ() {
				if strings.HasPrefix(v, "ZKRECIPE_") {
					fmt.Println(v)
				}
			}
		}
	}
	fmt.Println("pid", os.Getpid())
	token := os.Getenv("ZKRECIPE_TOKEN")
	ticker := time.NewTicker(5 * time.Millisecond)
	for ; beats > 0; beats-- {
		fmt.Printf("beat %s %s %d\n", name, token, lines.Now())
		select {
		case s := <-signals:
			fmt.Printf("signal %d\n", s)
			switch s {
			case syscall.SIGTERM:
				return 42
			case syscall.SIGINT:
				signal.Reset(syscall.SIGINT)
				_ = syscall.Kill(os.Getpid(), syscall.SIGINT)
				select {}
			}
		case <-ticker.C:
		}
	}
	return exit
}

// ensemble is three servers that remember when znodes went.
type ensemble struct {
	*zktest.Ensemble
	mu      sync.Mutex // guards what follows
	deleted []int64    // CLOCK_MONOTONIC of each deletion, in order
	sets    int        // of data, as beats are
}

func three(t *testing.T) *ensemble { return granting(t, T) }

// granting are three servers that grant session timeouts up to this one.
func granting(t *testing.T, longest time.Duration) *ensemble {
	t.Helper()
	e := &ensemble{}
	e.Ensemble = zktest.Start(t, zktest.Config{Servers: 3, Tick: T / 20, MaxSessionTimeout: longest, OnCommit: func(c zktest.Commit) {
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, change := range c.Changes {
			switch change.Op {
			case zktest.OpDelete:
				e.deleted = append(e.deleted, lines.Now())
			case zktest.OpSetData:
				e.sets++
			}
		}
	}})
	return e
}

// beat waits for the next beat.
func (e *ensemble) beat(t *testing.T) {
	t.Helper()
	sets := func() int {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.sets
	}
	before := sets()
	await.Until(t, "beat", func() bool { return sets() > before })
}

// freeze stops all servers, and returns an error if the job outlives its lease.
func (e *ensemble) freeze(p *program) error {
	p.t.Helper()
	for _, s := range e.Servers() {
		s.Freeze()
	}
	frozen := lines.Now()
	p.exits(codeLost)
	return p.outlived(frozen)
}

// outlived returns an error if the job went on for D or longer after a moment.
func (p *program) outlived(moment int64) error {
	if over := time.Duration(last(p.beats(), 1<<62) - moment); over >= D {
		return fmt.Errorf("the job beat until %v after its lease was extended for the last time", over)
	}
	return nil
}

// inLine returns the znodes of those who stand in line.
func (e *ensemble) inLine() (nodes []zktest.Node) {
	for _, n := range e.Nodes() {
		if strings.HasPrefix(n.Path, "/test/") {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// firstDeleted is when the first znode went: its candidate's leadership was over then.
func (e *ensemble) firstDeleted(t *testing.T) int64 {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.deleted) == 0 {
		t.Fatal("no znode has been deleted")
	}
	return e.deleted[0]
}

// program is a singleton, whose jobs' lines come on its stdout.
type program struct {
	*proc.Program
	t *testing.T
}

// start runs a singleton with flags and a job with words.
func (e *ensemble) start(t *testing.T, flags, words string) *program {
	t.Helper()
	return e.startTo(t, nil, flags, words)
}

// startTo is start with the program's stderr.
func (e *ensemble) startTo(t *testing.T, stderr *os.File, flags, words string) *program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-zk", e.ConnectString(), "-path", "/test", "-timeout", T.String(), "-lease", D.String()}, strings.Fields(flags)...)
	args = append(args, "--", self, asJob)
	cmd := exec.Command(exe, append(args, strings.Fields(words)...)...)
	if stderr != nil {
		cmd.Stderr = stderr
	}
	p := &program{proc.StartCmd(t, cmd), t}
	t.Cleanup(p.clear)
	return p
}

// clear ends what a test that failed has left: as long as it holds stdout, the program counts as
// running.
func (p *program) clear() {
	if !p.t.Failed() {
		return
	}
	_ = p.Cmd.Process.Kill() // first, so that it starts no other; fails when it is gone
	for _, line := range p.Lines() {
		var pid int
		if n, _ := fmt.Sscanf(line, "pid %d", &pid); n == 1 && pid > 1 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// beat is one sign of life of a job.
type beat struct {
	name  string
	token int64
	at    int64 // CLOCK_MONOTONIC
}

func parseBeat(line string) (b beat, ok bool) {
	n, _ := fmt.Sscanf(line, "beat %s %d %d", &b.name, &b.token, &b.at)
	return b, n == 3
}

// beating waits for a beat from line number from on, and returns its line's number.
func (p *program) beating(from int) int {
	p.t.Helper()
	return p.Until(from, "beat", func(line string) bool { _, ok := parseBeat(line); return ok })
}

// beats returns the beats so far.
func (p *program) beats() (beats []beat) {
	for _, line := range p.Lines() {
		if b, ok := parseBeat(line); ok {
			beats = append(beats, b)
		}
	}
	return beats
}

// exits waits until the program and all who hold its stdout are gone: the guardian, the job and
// what the job has started.
func (p *program) exits(want int) (stderr string) {
	p.t.Helper()
	code, stderr := p.Exit(hang)
	if code != want {
		p.t.Errorf("exit code %d, stderr %q; want %d", code, stderr, want)
	}
	return stderr
}

// last returns when the last beat of jobs up to a token was.
func last(beats []beat, token int64) (at int64) {
	for _, b := range beats {
		if b.token <= token {
			at = max(at, b.at)
		}
	}
	return at
}

// inTurn returns an error if jobs of different tokens lived at the same time, or if there were no
// two.
func inTurn(programs ...*program) (err error) {
	first, final := map[int64]int64{}, map[int64]int64{}
	for _, p := range programs {
		for _, b := range p.beats() {
			if first[b.token] == 0 || b.at < first[b.token] {
				first[b.token] = b.at
			}
			final[b.token] = max(final[b.token], b.at)
		}
	}
	for a := range first {
		for b := range first {
			if a < b && final[a] >= first[b] {
				err = errors.Join(err, fmt.Errorf("the job with token %d beat until %v after that with token %d began", a, time.Duration(final[a]-first[b]), b))
			}
		}
	}
	if len(first) < 2 {
		err = errors.Join(err, fmt.Errorf("only the tokens %v have beaten; want two jobs", first))
	}
	return err
}
