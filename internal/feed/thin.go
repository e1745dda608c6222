package feed

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// Of the lines with the same level and message, so many are let through in thinFor. A thousand elections
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
	said map[kind]*said
}

// kind is what lines have in common that are counted together. The level is a part of it: lines that
// the user does not want must leave out none that he wants, and only his own handler knows which he wants.
type kind struct {
	level   slog.Level
	message string
}

// said is what has become of the lines of one kind since its first.
type said struct {
	lines   int
	logs    map[*Log]bool // to which those that were let through were written
	left    int           // lines that were left out
	last    slog.Record   // of those
	summary slog.Handler  // of the logger that it was for
	log     *Log          // to which that writes
	stop    func() bool
}

type thinKey struct{}

// WithThin returns a context for all who are to share one Thin.
func WithThin(ctx context.Context, c clock.Clock) (context.Context, *Thin) {
	t := &Thin{clock: c, said: map[kind]*said{}}
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
	k := kind{r.Level, r.Message}
	s := t.said[k]
	if s == nil {
		s = &said{logs: map[*Log]bool{}, stop: t.clock.AfterFunc(thinFor, func() { t.end(k) })}
		t.said[k] = s
	}
	if s.lines++; s.lines <= h.most {
		s.logs[h.log] = true
		return true
	}
	s.left++
	s.last, s.summary, s.log = r, h.summary, h.log
	return false
}

// end says how many lines of a kind were left out, and begins anew. It returns where it has
// said so, or nil.
func (t *Thin) end(k kind) *Log {
	t.mu.Lock()
	s := t.said[k]
	delete(t.said, k)
	t.mu.Unlock()
	if s == nil || s.left == 0 {
		return nil
	}
	r := slog.NewRecord(s.last.Time, s.last.Level, "lines left out", 0)
	r.Add("of", k.message, "lines", s.left)
	s.summary.Handle(context.Background(), r)
	return s.log
}

// Finish says at once what was left out. Then it gives own and the loggers of the latest lines a second, all
// together, to write what they have not written.
func (t *Thin) Finish(own *Log) {
	t.mu.Lock()
	var kinds []kind
	logs := map[*Log]bool{own: true}
	for k, s := range t.said {
		s.stop()
		kinds = append(kinds, k)
		maps.Copy(logs, s.logs)
	}
	t.mu.Unlock()
	for _, k := range kinds {
		if log := t.end(k); log != nil {
			logs[log] = true
		}
	}
	var busy []chan struct{}
	for log := range logs {
		busy = append(busy, log.feed.busy()...)
	}
	waitFor(t.clock, lastLines, busy)
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
