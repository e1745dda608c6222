package feed

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// Of the lines with the same message, so many are let through in thinFor. A thousand elections
// that wait for the same ensemble have the same to say.
const (
	thinFor = 10 * time.Second
	// Failures is for lines that repeat while something does not work.
	Failures = 5
	// Transitions is for lines that tell what has become of one candidate: all of them unless very many
	// change at the same time.
	Transitions = 50
)

// Thin counts the lines of all loggers that share it, and says how many it has left out.
type Thin struct {
	clock clock.Clock

	mu   sync.Mutex // guards what follows
	said map[string]*said
}

// said is what has become of the lines with one message since its first.
type said struct {
	lines   int
	left    int          // of them left out
	last    slog.Record  // of those
	summary slog.Handler // of the logger that it was for
	log     *Log         // to which that writes
	stop    func() bool
}

type thinKey struct{}

// WithThin returns a context for all who are to share one Thin.
func WithThin(ctx context.Context, c clock.Clock) (context.Context, *Thin) {
	t := &Thin{clock: c, said: map[string]*said{}}
	return context.WithValue(ctx, thinKey{}, t), t
}

// Thinned returns a logger to the one that NewLog returned with log, for lines that many may write
// at the same time: most of a kind are written in thinFor. What it leaves out is told without the attributes that are added to it.
func Thinned(ctx context.Context, logger *slog.Logger, log *Log, most int) *slog.Logger {
	t, ok := ctx.Value(thinKey{}).(*Thin)
	if !ok {
		return logger
	}
	return slog.New(thinner{t, log, most, logger.Handler(), logger.Handler()})
}

// pass reports whether a line is to be written.
func (t *Thin) pass(h thinner, r slog.Record) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.said[r.Message]
	if s == nil {
		s = &said{stop: t.clock.AfterFunc(thinFor, func() { t.end(r.Message) })}
		t.said[r.Message] = s
	}
	if s.lines++; s.lines <= h.most {
		return true
	}
	s.left++
	s.last, s.summary, s.log = r, h.summary, h.log
	return false
}

// end says how many lines with a message were left out, and begins anew. It returns where it has
// said so, or nil.
func (t *Thin) end(message string) *Log {
	t.mu.Lock()
	s := t.said[message]
	delete(t.said, message)
	t.mu.Unlock()
	if s == nil || s.left == 0 {
		return nil
	}
	r := slog.NewRecord(s.last.Time, s.last.Level, "lines left out", 0)
	r.Add("of", message, "lines", s.left)
	s.summary.Handle(context.Background(), r)
	return s.log
}

// Flush says at once what was left out, and gives the loggers a second each to write it.
func (t *Thin) Flush() {
	t.mu.Lock()
	var messages []string
	for message, s := range t.said {
		s.stop()
		messages = append(messages, message)
	}
	t.mu.Unlock()
	for _, message := range messages {
		if log := t.end(message); log != nil {
			log.Finish(t.clock)
		}
	}
}

// thinner is a handler that leaves lines out.
type thinner struct {
	thin        *Thin
	log         *Log
	most        int
	summary, to slog.Handler
}

func (h thinner) Enabled(ctx context.Context, l slog.Level) bool { return h.to.Enabled(ctx, l) }

func (h thinner) Handle(ctx context.Context, r slog.Record) error {
	if !h.thin.pass(h, r) {
		return nil
	}
	return h.to.Handle(ctx, r)
}

func (h thinner) WithAttrs(attrs []slog.Attr) slog.Handler {
	return thinner{h.thin, h.log, h.most, h.summary, h.to.WithAttrs(attrs)}
}
func (h thinner) WithGroup(name string) slog.Handler {
	return thinner{h.thin, h.log, h.most, h.summary, h.to.WithGroup(name)}
}
