//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

// supervisor stands for election and has a guardian run the job in its terms.
type supervisor struct {
	*options
	client   *session.Client
	election *election.Election
	log      *slog.Logger
	leave    context.CancelFunc // ends the wait in line
	finished chan struct{}      // closed when code is set

	mu       sync.Mutex // guards what follows; held while an order is written
	job      *job       // nil while none runs
	stopping bool       // no other job is to be started
	code     int        // the program's exit code, once finished is closed
}

// lead runs the job during one term. Nothing of the job is left when it returns.
func (s *supervisor) lead(ctx context.Context, term *election.Term) error {
	j, err := s.start(term)
	if err != nil {
		complain(fmt.Errorf("cannot supervise the job: %w", err))
		return s.over(codeFailed)
	}
	if j == nil {
		return election.ErrStop // a signal came first
	}
	s.log.Info("the job has been started", "token", term.Token(), "guardian", j.cmd.Process.Pid)
	s.follow(ctx, term, j)
	s.mu.Lock()
	s.job = nil
	s.mu.Unlock()
	code, told := j.code()
	switch {
	case ctx.Err() != nil && (!told || code == codeLost):
		code = codeLost
		complain(fmt.Errorf("%w: the job was ended", context.Cause(ctx)))
	case !told:
		code = codeFailed
		complain(fmt.Errorf("the guardian has ended (%v): the job was killed", j.cmd.ProcessState))
	}
	return s.over(code)
}

// start starts the job unless the program is to end; then the job is nil.
func (s *supervisor) start(term *election.Term) (*job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return nil, nil
	}
	var err error
	s.job, err = startJob(s.command, s.environment(term), s.limits(term))
	return s.job, err
}

// follow hands each extension of the lease on until the job or the term has ended, and
// returns when nothing of the job is left.
func (s *supervisor) follow(ctx context.Context, term *election.Term, j *job) {
	// The lease is extended every D/4.
	ticker := time.NewTicker(s.lease / 32)
	defer ticker.Stop()
	for {
		select {
		case <-j.done:
			j.bury()
			return
		case <-ticker.C:
			j.limit(s.limits(term))
		case <-ctx.Done():
			l := s.limits(term) // passed if another may lead already: nothing remains then
			l.Term = instant{}  // even if the lease is extended once more
			j.limit(l)
			j.end(killRoom(s.lease) / 2)
			return
		}
	}
}

// limits are those of the job as the lease is now. A server may have granted a shorter
// session timeout than asked for, which makes the lease shorter.
func (s *supervisor) limits(term *election.Term) limits {
	begun := now() // read first: should we be paused here, the limits come out too early
	end := begun.add(term.Remaining())
	granted := min(s.lease, s.client.Status().LeaseTime)
	return limits{
		Term: end.add(-min(s.stopBefore(), granted/4)),
		Kill: end.add(-killRoom(granted)),
	}
}

// environment is what the job learns about the term.
func (s *supervisor) environment(term *election.Term) []string {
	begun, left := now(), term.Remaining()
	env := append(os.Environ(),
		"ZKRECIPE_TOKEN="+strconv.FormatInt(term.Token(), 10),
		"ZKRECIPE_DEADLINE="+term.Deadline().UTC().Format("2006-01-02T15:04:05.000Z07:00"),
		"ZKRECIPE_PATH="+s.path, "ZKRECIPE_ID="+s.id)
	if haveClocks {
		end := begun.add(left)
		env = append(env,
			"ZKRECIPE_DEADLINE_MONOTONIC="+strconv.FormatInt(end.Mono, 10),
			"ZKRECIPE_DEADLINE_BOOTTIME="+strconv.FormatInt(end.Boot, 10))
	}
	return env
}

// over decides what comes after a job.
func (s *supervisor) over(code int) error {
	s.mu.Lock()
	again := s.restart && !s.stopping
	s.mu.Unlock()
	err := fmt.Errorf("the job has ended with exit code %d", code)
	s.log.Info(err.Error())
	if again {
		return err
	}
	s.finish(code)
	return election.ErrStop
}

// finish sets the exit code, the first time.
func (s *supervisor) finish(code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finishLocked(code)
}

func (s *supervisor) finishLocked(code int) {
	select {
	case <-s.finished:
	default:
		s.code = code
		s.stopping = true
		close(s.finished)
	}
}

// caught are the signals that are not left to themselves. What the program was told to
// ignore when it was started, as by nohup, stays ignored, for the job too.
func caught() (signals []os.Signal) {
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2} {
		if !signal.Ignored(s) {
			signals = append(signals, s)
		}
	}
	return signals
}

// listen obeys signals until stop is called.
func (s *supervisor) listen() (stop func()) {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, caught()...)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for sig := range signals {
			s.obey(sig.(syscall.Signal))
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
		<-done
	}
}

// obey passes a signal on to the job, or leaves the line.
func (s *supervisor) obey(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ends := sig == syscall.SIGINT || sig == syscall.SIGTERM || sig == syscall.SIGQUIT
	switch {
	case s.job != nil:
		s.job.signal(sig)
		s.stopping = s.stopping || ends
	case !ends && sig != syscall.SIGHUP:
	case s.stopping:
		s.finishLocked(codeSignal + int(sig)) // if it was on its way to
		os.Exit(s.code)
	default:
		s.finishLocked(codeSignal + int(sig))
		s.leave()
	}
}
