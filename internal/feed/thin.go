package feed

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// Of the lines with the same level and message, Failures or Transitions are written in 10 s, as the
// caller of Thinned chooses. The others are left out. The reason: a thousand elections that wait
// for the same ensemble would write the same line.
const (
	thinFor = 10 * time.Second
	// Failures is the number for lines that repeat while something does not work.
	Failures = 5
	// Transitions is the number for lines that tell what became of one candidate. All of them are
	// written, unless very many candidates change at the same time.
	Transitions = 50
)

// Thin counts the lines of all loggers that share it, and logs how many it has left out.
type Thin struct {
	clock clock.Clock

	mu   sync.Mutex // guards what follows
	said map[kind]*said
}

// kind is what lines that are counted together have in common. The level is a part of it. If the
// user does not want the lines of one level, they must not cause lines of another level to be left
// out, and only the user's handler knows which levels are wanted.
type kind struct {
	level   slog.Level
	message string
}

// said counts the lines of one kind since the first of them.
type said struct {
	lines   int
	logs    map[*Log]bool // where lines were written
	left    int           // lines that were left out
	last    slog.Record   // the latest of these
	summary slog.Handler  // writes how many were left out; from the logger of the latest line
	log     *Log          // where summary writes
	stop    func() bool
}

type thinKey struct{}

// WithThin returns a context for all loggers that share one Thin.
func WithThin(ctx context.Context, c clock.Clock) (context.Context, *Thin) {
	t := &Thin{clock: c, said: map[kind]*said{}}
	return context.WithValue(ctx, thinKey{}, t), t
}

// Thinned returns a logger in front of logger, which NewLog returned with log. It is for lines that
// many may write at the same time: at most `most` lines of a kind are written in 10 s. The line
// that tells how many were left out does not have the attributes that are added to the returned
// logger.
func Thinned(ctx context.Context, logger *slog.Logger, log *Log, most int) *slog.Logger {
	t, ok := ctx.Value(thinKey{}).(*Thin)
	if !ok {
		return logger
	}
	return slog.New(thinner{t, log, most, logger.Handler(), logger.Handler()})
}

// pass counts a line, and reports whether it is to be written.
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

// end writes how many lines of a kind were left out, and lets the count begin again. It returns the
// Log of that line, or nil if no line was left out.
func (t *Thin) end(k kind) *Log {
	t.mu.Lock()
	defer t.mu.Unlock() // so that Finish, which comes afterwards, finds the line in its queue
	s := t.said[k]
	delete(t.said, k)
	if s == nil || s.left == 0 {
		return nil
	}
	r := slog.NewRecord(s.last.Time, s.last.Level, "lines left out", 0)
	r.Add("of", k.message, "lines", s.left)
	s.summary.Handle(context.Background(), r)
	return s.log
}

// Finish writes at once how many lines were left out. Then it waits until own and the loggers of
// the latest lines have written the lines in their queues. It waits up to a second for all of them
// together.
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
