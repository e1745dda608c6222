package semaphore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/feed"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/claims"
	"github.com/zkrecipe/zkrecipe/recipe/internal/ident"
	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
	"github.com/zkrecipe/zkrecipe/session"
)

// maxEvents bounds the events that wait for an OnEvent that takes its time.
const maxEvents = 1000

// Semaphore is a semaphore at a path, as one process sees it. Each call of Acquire competes with
// all others, also with those on other Semaphores of the path. All methods may be called from any
// goroutine.
type Semaphore struct {
	client *session.Client
	path   string
	locks  string // the line of those who wait
	leases string // the permits
	slots  string // the table of slots
	cfg    Config
	clock  clock.Clock
	log    *slog.Logger
	often  *slog.Logger // for lines that many may have at the same time
	book   *claims.Book
	events *feed.Feed[Event]

	leaving chan struct{} // held by the permit that announces its end

	mu     sync.Mutex // guards what follows
	size   int        // that the path holds, or is to hold as long as it is not agreed
	agreed bool       // the path has held that size
}

// New returns the semaphore at path, an absolute znode path other than "/". It has size permits,
// from 1 to 10,000. The first use writes the size to the path. A Semaphore with another size is
// refused ([SizeError]). A Semaphore that has used the path follows its later changes, see
// [Semaphore.Resize]. With a size of 0 it takes what the path holds, and creates no path.
//
// New checks its arguments and does no I/O. The path and its parents are created when they are
// missing, and never deleted.
func New(client *session.Client, path string, size int, cfg Config) (*Semaphore, error) {
	if client == nil {
		return nil, errors.New("semaphore: the client is nil; want one from session.Open")
	}
	if err := ident.CheckPath(path); err != nil {
		return nil, fmt.Errorf("semaphore: %w", err)
	}
	cfg, err := cfg.withDefaults(client.Status().LeaseTime)
	if err != nil {
		return nil, err
	}
	if size < 0 || size > cfg.most() {
		return nil, fmt.Errorf("semaphore: size %d; want 1 to %d, or 0 for that of the path", size, cfg.most())
	}
	logger, lines := feed.NewLog(cfg.Logger)
	c := clock.From(client.Context())
	return &Semaphore{
		client: client, path: path, locks: path + "/locks", leases: path + "/leases", slots: path + "/slots",
		cfg: cfg, clock: c, book: claims.New(c), size: size, leaving: make(chan struct{}, 1),
		log:    feed.Thinned(client.Context(), logger, lines, feed.Transitions).With("semaphore", path, "id", cfg.ID),
		often:  feed.Thinned(client.Context(), logger, lines, feed.Failures).With("semaphore", path, "id", cfg.ID),
		events: feed.New(cfg.OnEvent, maxEvents),
	}, nil
}

// Path is the semaphore's.
func (s *Semaphore) Path() string { return s.path }

// ID is [Config.ID], or the default.
func (s *Semaphore) ID() string { return s.cfg.ID }

// Size returns how many permits there are, as this Semaphore has read it last; before that the size
// that New was given.
func (s *Semaphore) Size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

// agree takes in the size that the path holds.
func (s *Semaphore) agree(size int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.agreed && s.size != 0 && s.size != size {
		return &SizeError{Path: s.path, Size: size, Want: s.size}
	}
	s.size, s.agreed = size, true
	return nil
}

// accept takes in what the path holds, for a session with leases of that length.
func (s *Semaphore) accept(data []byte, lease time.Duration) (record, error) {
	r, err := parseRecord(data)
	switch {
	case err != nil:
		return record{}, &DataError{s.leases, err}
	case lease > r.lease:
		return record{}, &recipe.LeaseError{Path: s.leases, Lease: lease, Allowed: r.lease}
	}
	return r, s.agree(r.size)
}

// firstRecord is what the path holds at first.
func (s *Semaphore) firstRecord(lease time.Duration) ([]byte, error) {
	size := s.Size()
	if size == 0 {
		return nil, &SizeError{Path: s.path}
	}
	return []byte(record{size: size, lease: lease}.String()), nil
}

// create makes what is missing of the path. The record is created last. So if it is there, the
// rest is there, too.
func (s *Semaphore) create(ctx context.Context, at *session.Session) error {
	lease := at.LeaseAsked()
	first, err := s.firstRecord(lease)
	if err != nil {
		return err
	}
	if err := at.EnsureNode(ctx, s.locks, line.FirstRecord(lease), s.cfg.ACL); err != nil {
		return err
	}
	if s.cfg.Slots {
		if err := at.EnsureNode(ctx, s.slots, []byte(table{}.String()), s.cfg.ACL); err != nil {
			return err
		}
	}
	return at.EnsureNode(ctx, s.leases, first, s.cfg.ACL)
}

// writeFirst writes the record where another library has made the path.
func (s *Semaphore) writeFirst(ctx context.Context, at *session.Session, version int32) error {
	// Somebody who must not write here may have come already, with a lease of that length.
	first, err := s.firstRecord(max(at.LeaseAsked(), session.DefaultLease))
	if err != nil {
		return err
	}
	_, err = at.Set(ctx, s.leases, first, version)
	if errors.Is(err, zk.ErrBadVersion) || session.OutcomeOf(err) == session.OutcomeUnknown && ctx.Err() == nil && at.Err() == nil {
		return nil // it is read again anyway
	}
	return err
}

// read returns the record, and its version. A path that is missing or new is made.
func (s *Semaphore) read(ctx context.Context, at *session.Session) (r record, version int32, err error) {
	for {
		data, stat, err := at.Get(ctx, s.leases)
		switch {
		case errors.Is(err, zk.ErrNoNode):
			err = s.create(ctx, at)
		case err == nil && len(data) == 0:
			err = s.writeFirst(ctx, at, stat.Version)
		case err == nil:
			r, err = s.accept(data, at.LeaseTime())
			return r, stat.Version, err
		}
		if err != nil {
			return record{}, 0, err
		}
	}
}

// Status returns how the semaphore stands in this process: what is held, what waits, and totals. It
// never blocks. Who else holds permits, [Semaphore.Holders] tells.
func (s *Semaphore) Status() recipe.Status {
	st := s.book.Status()
	st.Path, st.ID, st.Size, st.EventsDropped = s.path, s.cfg.ID, s.Size(), s.events.Dropped()
	return st
}

// Resize changes how many permits there are, for all who use the path; permits that are held are
// not touched. When there are more, those who wait get them in order. After a reduction nobody
// gets a permit until fewer than the new size are held. An Acquire that was about to succeed may
// still do so within the length of a lease.
//
// If the outcome is unknown, because the session was lost with the answer outstanding, the error
// says so ([session.OutcomeOf]); it does no harm to call Resize again.
func (s *Semaphore) Resize(ctx context.Context, size int) error {
	if size < 1 || size > s.cfg.most() {
		return fmt.Errorf("semaphore: Resize was given %d; want 1 to %d", size, s.cfg.most())
	}
	at, err := s.client.Session(ctx)
	if err != nil {
		return err
	}
	for {
		data, stat, err := at.Get(ctx, s.leases)
		if errors.Is(err, zk.ErrNoNode) {
			err = s.create(ctx, at)
			if err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		r, err := parseRecord(data)
		if err != nil {
			return &DataError{s.leases, err}
		}
		if r.size != size {
			r.size = size
			_, err = at.Set(ctx, s.leases, []byte(r.String()), stat.Version)
		}
		if err == nil {
			s.mu.Lock()
			s.size, s.agreed = size, true
			s.mu.Unlock()
			s.log.Info("resized", "size", size)
			return nil
		}
		again := errors.Is(err, zk.ErrBadVersion) || session.OutcomeOf(err) == session.OutcomeUnknown
		if !again || ctx.Err() != nil || at.Err() != nil {
			return err
		}
	}
}

func (s *Semaphore) send(ev Event) {
	ev.Time = s.clock.Wall()
	s.events.Send(ev)
}
