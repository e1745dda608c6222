package recipehttp

import (
	"context"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/election"
)

const (
	// perCandidate is the time between two readings for each znode that one of them costs: a long
	// line is read less often.
	perCandidate = 10 * time.Millisecond
	// readFor bounds one reading of a line.
	readFor = 10 * time.Second
	// waitFor bounds how long an answer waits for the readings of all elections together. After
	// that it tells what was known before.
	waitFor = 300 * time.Millisecond
)

// line is what was read last of an election's line, shared by all who look.
type line struct {
	mu      sync.Mutex // guards what follows
	all     []election.Candidate
	at      time.Time     // when all was read; zero if never
	failed  bool          // the reading after that has failed
	next    time.Time     // no reading begins before
	reading chan struct{} // closed when the reading under way ends; nil when none is
}

// look returns the line, read again if it is time for that and ctx lasts so long.
func (v *View) look(ctx context.Context) (all []election.Candidate, at time.Time, failed bool) {
	if reading := v.reread(); reading != nil {
		select {
		case <-reading:
		case <-ctx.Done():
		}
	}
	l := &v.line
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all, l.at, l.failed
}

// reread begins to read the line, unless that is under way or was done just now. It returns what is
// closed at the end, nil if nothing is under way.
func (v *View) reread() <-chan struct{} {
	l := &v.line
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reading != nil || time.Now().Before(l.next) {
		return l.reading
	}
	reading := make(chan struct{})
	if v.page.start(func() { v.read(reading) }) {
		l.reading = reading
	}
	return l.reading
}

// read reads the line. It does not end with a request, because other requests wait for it, too.
func (v *View) read(done chan struct{}) {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(v.page.ctx, readFor)
	defer cancel()
	all, err := v.election.Candidates(ctx)
	l := &v.line
	l.mu.Lock()
	defer l.mu.Unlock()
	defer close(done)
	l.reading, l.failed = nil, err != nil
	if err == nil {
		l.all, l.at = all, begin
	}
	l.next = begin.Add(max(v.page.cfg.Refresh, time.Duration(len(l.all))*perCandidate))
}
