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

// lastLines is how long the end of something waits for its last lines to be written.
const lastLines = time.Second

// Log writes to a logger of the user's without ever waiting for it.
type Log struct{ feed *Feed[logged] }

type logged struct {
	to     slog.Handler
	record slog.Record
}

// NewLog returns a logger that puts lines into a queue for another one; without one it is
// silent.
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

// clientLog is what NewLog has returned for a client.
type clientLog struct {
	logger *slog.Logger
	log    *Log
}

// WithLog returns a context for a client. The recipes of the client write to its log, unless they
// have loggers of their own.
func WithLog(ctx context.Context, logger *slog.Logger, log *Log) context.Context {
	return context.WithValue(ctx, logKey{}, clientLog{logger, log})
}

// LogOf is NewLog for a recipe of the client with that context. A recipe without a logger of its own
// writes into the client's queue, so that its lines and the client's are written in order. Lines that
// a recipe's own logger does not take are counted with the client's.
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

// Dropped returns how many lines were dropped because their logger did not take them, of a client
// and of its recipes.
func (l *Log) Dropped() uint64 { return l.feed.Dropped() }

// Finish gives the logger a second to write what it has not written.
func (l *Log) Finish(c clock.Clock) { l.feed.WaitFor(c, lastLines) }

// handler puts lines into the queue.
type handler struct {
	feed *Feed[logged]
	to   slog.Handler
}

// Enabled says yes: the other handler might take long to answer.
func (handler) Enabled(context.Context, slog.Level) bool { return true }

func (h handler) Handle(_ context.Context, r slog.Record) error {
	h.feed.Send(logged{h.to, r.Clone()})
	return nil
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.feed, h.to.WithAttrs(attrs)}
}
func (h handler) WithGroup(name string) slog.Handler { return handler{h.feed, h.to.WithGroup(name)} }

// WithErr adds an error to the attributes of a line, if there is one.
func WithErr(err error, attrs ...any) []any {
	if err == nil {
		return attrs
	}
	return append(attrs, "err", err)
}
