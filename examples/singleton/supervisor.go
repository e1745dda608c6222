//go:build unix && !aix

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

// supervisor stands for election and has a guardian run the job in its terms. All but lead runs in
// one goroutine.
type supervisor struct {
	*options
	client   *session.Client
	election *election.Election
	signals  <-chan os.Signal
	terms    chan *election.Term // from lead to run: this candidate is elected
	ended    chan error          // from run to lead: what lead returns for the term
	last     bool                // the present job, or the next one, is the last

	code int              // the program's exit code
	late <-chan time.Time // until when to leave the line; nil as long as there is no code
}

// newSupervisor checks what the library can check without I/O.
func newSupervisor(o *options, connect string) (*supervisor, error) {
	level := slog.LevelWarn
	if o.verbose {
		level = slog.LevelInfo
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	client, err := o.access.Open(connect, session.Config{Timeout: o.Timeout, Lease: o.Lease, Logger: log})
	if err != nil {
		return nil, err
	}
	el, err := election.New(client, o.path, election.Config{ID: o.id, StopBefore: o.stopBefore(), Logger: log})
	if err != nil {
		client.Close()
		return nil, err
	}
	return &supervisor{
		options: o, client: client, election: el, signals: catch(),
		terms: make(chan *election.Term), ended: make(chan error), last: !o.restart,
	}, nil
}

// leaveWithin is how long leaving the line may take when no job is left to wait for: what
// is not deleted by then goes when the session expires.
const leaveWithin = 4 * time.Second

// run stands for election until there is an exit code.
func (s *supervisor) run() int {
	becomeSubreaper()
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	result := make(chan error, 1)
	go func() {
		err := s.election.Run(ctx, s.lead)
		result <- errors.Join(err, s.client.Close())
	}()
	for told := false; ; {
		select {
		case term := <-s.terms:
			s.ended <- s.serve(term)
		case sig := <-s.signals:
			switch {
			case !ends(sig) && sig != syscall.SIGHUP: // there is no job to tell
			case told: // it has been sent again
				return s.code
			default:
				told = true
				s.finish(codeSignal + int(sig.(syscall.Signal)))
				leave()
			}
		case err := <-result:
			var refused *recipe.PermanentError
			if errors.As(err, &refused) {
				complain(err)
				return codeFailed
			}
			return s.code
		case <-s.late:
			complain(fmt.Errorf("the ensemble has not answered for %v; the session will expire", leaveWithin))
			return s.code
		}
	}
}

// ends reports whether a signal asks for the end of a program.
func ends(sig os.Signal) bool {
	return sig == syscall.SIGINT || sig == syscall.SIGTERM || sig == syscall.SIGQUIT
}

// finish sets the exit code, the first time.
func (s *supervisor) finish(code int) {
	if s.late == nil {
		s.code, s.late = code, time.After(leaveWithin)
	}
}

// lead is the election's callback.
func (s *supervisor) lead(_ context.Context, term *election.Term) error {
	s.terms <- term
	return <-s.ended
}

// serve serves one term. It returns what lead returns.
func (s *supervisor) serve(term *election.Term) error {
	if s.late != nil {
		return election.ErrStop // a signal came first
	}
	code := s.supervise(term)
	if !s.last {
		return fmt.Errorf("the job has ended with exit code %d", code)
	}
	s.finish(code)
	return election.ErrStop
}

// supervise runs the job during one term and returns the exit code. Nothing of the job is left then.
func (s *supervisor) supervise(term *election.Term) int {
	j, err := startJob(s.command, s.environment(term), s.limits(term))
	if err != nil {
		complain(fmt.Errorf("cannot supervise the job: %w", err))
		return codeFailed
	}
	s.follow(term, j)
	j.bury()
	guardian, over := j.cmd.ProcessState, term.Context().Err() != nil
	switch {
	case over && (!guardian.Exited() || guardian.ExitCode() == codeLost):
		complain(fmt.Errorf("%w: the job was ended", context.Cause(term.Context())))
		return codeLost
	case !guardian.Exited():
		complain(fmt.Errorf("the guardian has ended (%v): the job was killed", guardian))
		return codeFailed
	}
	return guardian.ExitCode()
}

// follow hands signals and each extension of the lease on until the job or the term has ended.
func (s *supervisor) follow(term *election.Term, j *job) {
	ticker := time.NewTicker(s.Lease / 32) // the lease is extended every D/4
	defer ticker.Stop()
	for {
		select {
		case <-j.done:
			return
		case sig := <-s.signals:
			s.last = s.last || ends(sig)
			j.order(s.limits(term), sig.(syscall.Signal))
		case <-ticker.C:
			j.order(s.limits(term), 0)
		case <-term.Context().Done():
			l := s.limits(term) // passed if another may lead already: nothing remains then
			l.Term = 0          // even if the lease is extended once more
			j.order(l, 0)
			j.end(killRoom(s.Lease) / 2)
			return
		}
	}
}

// limits are those of the job as the lease is now. A server may have granted a shorter
// session timeout than asked for, which makes the lease shorter.
func (s *supervisor) limits(term *election.Term) limits {
	begun := now() // read first: should we be paused here, the limits come out too early
	end := begun + term.Remaining()
	granted := min(s.Lease, s.client.Status().LeaseTime)
	return limits{
		Term: end - min(s.stopBefore(), granted/4),
		Kill: end - killRoom(granted),
	}
}

// environment is what the job learns about the term.
func (s *supervisor) environment(term *election.Term) []string {
	env := append(os.Environ(),
		fmt.Sprintf("ZKRECIPE_TOKEN=%d", term.Token()),
		"ZKRECIPE_DEADLINE="+term.Deadline().UTC().Format("2006-01-02T15:04:05.000Z07:00"),
		"ZKRECIPE_PATH="+s.path, "ZKRECIPE_ID="+s.id)
	for name, clock := range clocks {
		begun := clock()
		env = append(env, fmt.Sprintf("ZKRECIPE_DEADLINE_%s=%d", name, begun+term.Remaining()))
	}
	return env
}
