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
	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
	"github.com/zkrecipe/zkrecipe/session"
)

// maxEvents bounds the events that wait for a slow OnEvent.
const maxEvents = 1000

// Semaphore is a semaphore at a path, as one process sees it. Each call of Acquire competes with
// all others, also with those on other Semaphores of the path. All methods may be called from any
// goroutine.
type Semaphore struct {
	client *session.Client
	path   string
	locks  string // the line of those who wait
	leases string // the permits
	cfg    Config
	clock  clock.Clock
	log    *slog.Logger
	often  *slog.Logger // for lines that many may have at the same time
	book   *claims.Book
	events *feed.Feed[Event]

	leaving chan struct{} // held by the permit that announces its end

	mu     sync.Mutex // guards what follows
	size   int        // that the path holds, or is to hold while agreed is false
	agreed bool       // the path has held that size
}

// New returns the semaphore at path, an absolute znode path other than "/", of at most 4096 bytes.
// It has size permits, from 1 to 10,000. The first use writes the size to the path. A Semaphore
// with another size is refused ([SizeError]). A Semaphore that has used the path follows its later
// changes, see [Semaphore.Resize]. With a size of 0 it takes what the path holds, and creates no
// path.
//
// New checks its arguments and does no I/O. The path and its parents are created when they are
// missing, and never deleted.
func New(client *session.Client, path string, size int, cfg Config) (*Semaphore, error) {
	if err := client.CheckPath(path); err != nil {
		return nil, fmt.Errorf("semaphore: %w", err)
	}
	cfg, err := cfg.withDefaults(client)
	if err != nil {
		return nil, err
	}
	if size < 0 || size > cfg.most() {
		return nil, fmt.Errorf("semaphore: size %d; want 1 to %d, or 0 for that of the path", size, cfg.most())
	}
	logger, lines := feed.LogOf(client.Context(), cfg.Logger)
	c := clock.From(client.Context())
	return &Semaphore{
		client: client, path: path, locks: path + "/locks", leases: path + "/leases",
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

// Status returns the present state of the semaphore in this process: what is held, what waits, and
// totals. It never blocks. [Semaphore.Holders] tells who else holds permits.
func (s *Semaphore) Status() recipe.Status {
	st := s.book.Status()
	st.Path, st.ID, st.Size, st.EventsDropped = s.path, s.cfg.ID, s.Size(), s.events.Dropped()
	return st
}

// agree notes the size that the path holds.
func (s *Semaphore) agree(size int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.agreed && s.size != 0 && s.size != size {
		return &SizeError{Path: s.path, Size: size, Want: s.size}
	}
	s.size, s.agreed = size, true
	return nil
}

// accept checks and notes what the path holds, for a session with leases of that length.
func (s *Semaphore) accept(data []byte, stat zk.Stat, lease time.Duration) (record, error) {
	r, err := parseRecord(data, stat)
	switch {
	case err != nil:
		return record{}, &DataError{s.leases, err}
	case lease > r.lease:
		return record{}, &recipe.LeaseError{Path: s.leases, Lease: lease, Allowed: r.lease}
	}
	switch {
	case s.cfg.Slots && r.slots == nil:
		return record{}, &DataError{s.leases, errNoSlots}
	case r.size > s.cfg.most(): // set by somebody without slots
		return record{}, &SizeError{Path: s.path, Size: r.size, Want: s.cfg.most(), slots: true}
	}
	return r, s.agree(r.size)
}

// first is the record that a path holds at first.
func (s *Semaphore) first(lease time.Duration) (record, error) {
	size := s.Size()
	if size == 0 {
		return record{}, &SizeError{Path: s.path}
	}
	return record{size: size, lease: lease, slots: table{}}, nil
}

// create makes what is missing of the path. The record is created last. So if it is there, the rest
// is there, too.
func (s *Semaphore) create(ctx context.Context, at *session.Session) error {
	lease := at.LeaseAsked()
	first, err := s.first(lease)
	if err != nil {
		return err
	}
	if err := at.EnsureNode(ctx, s.locks, line.FirstRecord(lease), s.cfg.ACL); err != nil {
		return err
	}
	return at.EnsureNode(ctx, s.leases, []byte(first.String()), s.cfg.ACL)
}

// beside is the record for an empty path that another library has made. If somebody has emptied the
// path, there may be holders of slots that nobody knows.
func (s *Semaphore) beside(at *session.Session, stat zk.Stat) (record, error) {
	// A process that has no permission to write here may have joined already, with a lease of that
	// length.
	r, err := s.first(max(at.LeaseAsked(), session.DefaultLease))
	if stat.Version != 0 {
		r.slots = nil
	}
	return r, err
}

// read returns the record. A path that is missing is made. The record of an empty one is written by
// the first permit.
func (s *Semaphore) read(ctx context.Context, at *session.Session) (record, error) {
	for {
		data, stat, err := at.Get(ctx, s.leases)
		switch {
		case errors.Is(err, zk.ErrNoNode):
			if err := s.create(ctx, at); err != nil {
				return record{}, err
			}
		case err != nil:
			return record{}, err
		case len(data) == 0:
			r, err := s.beside(at, stat)
			if err != nil {
				return record{}, err
			}
			return s.accept([]byte(r.String()), stat, at.LeaseTime())
		default:
			return s.accept(data, stat, at.LeaseTime())
		}
	}
}

func (s *Semaphore) send(ev Event) {
	ev.Time = s.clock.Wall()
	s.events.Send(ev)
}
