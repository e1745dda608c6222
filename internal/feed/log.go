package feed

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// maxLines bounds the lines that wait for a log handler that blocks.
const maxLines = 1000

// lastLines is how long Finish waits until the last lines are written.
const lastLines = time.Second

// Log writes to the user's logger and never waits for it.
type Log struct{ feed *Feed[logged] }

type logged struct {
	to     slog.Handler
	record slog.Record
}

// NewLog returns a logger that puts lines into a queue for the logger to. If that is nil, the
// returned logger writes nothing.
func NewLog(to *slog.Logger) (*slog.Logger, *Log) { return newLog(to, new(atomic.Uint64)) }

func newLog(to *slog.Logger, dropped *atomic.Uint64) (*slog.Logger, *Log) {
	if to == nil {
		return slog.New(slog.DiscardHandler), &Log{New[logged](nil, 0)}
	}
	l := &Log{NewCounted(func(x logged) {
		if ctx := context.Background(); x.to.Enabled(ctx, x.record.Level) {
			x.to.Handle(ctx, x.record)
		}
	}, maxLines, dropped)}
	return slog.New(handler{l.feed, to.Handler()}), l
}

type logKey struct{}

// clientLog is the result of NewLog for a client.
type clientLog struct {
	logger *slog.Logger
	log    *Log
}

// WithLog returns a context for a client. The recipes of the client write to its log, unless they
// have loggers of their own.
func WithLog(ctx context.Context, logger *slog.Logger, log *Log) context.Context {
	return context.WithValue(ctx, logKey{}, clientLog{logger, log})
}

// LogOf is NewLog for a recipe of the client with that context. A recipe without a logger of its
// own writes into the client's queue, so that its lines and the client's are written in order.
// Lines that are dropped because a recipe's own logger is too slow are counted with the client's.
func LogOf(ctx context.Context, to *slog.Logger) (*slog.Logger, *Log) {
	of, ok := ctx.Value(logKey{}).(clientLog)
	switch {
	case !ok:
		return NewLog(to)
	case to == nil:
		return of.logger, of.log
	}
	return newLog(to, of.log.feed.dropped)
}

// Dropped returns how many lines of a client and of its recipes were dropped because their logger
// was too slow.
func (l *Log) Dropped() uint64 { return l.feed.Dropped() }

// Finish waits up to a second until the logger has written the lines in the queue.
func (l *Log) Finish(c clock.Clock) { l.feed.WaitFor(c, lastLines) }

// handler puts lines into the queue.
type handler struct {
	feed *Feed[logged]
	to   slog.Handler
}

// Enabled returns true. It does not ask the other handler, which might block.
func (handler) Enabled(context.Context, slog.Level) bool { return true }

func (h handler) Handle(_ context.Context, r slog.Record) error {
	h.feed.Send(logged{h.to, r.Clone()})
	return nil
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.feed, h.to.WithAttrs(attrs)}
}
func (h handler) WithGroup(name string) slog.Handler { return handler{h.feed, h.to.WithGroup(name)} }

// WithErr adds an error, if there is one, to the attributes of a line.
func WithErr(err error, attrs ...any) []any {
	if err == nil {
		return attrs
	}
	return append(attrs, "err", err)
}
