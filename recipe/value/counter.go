package value

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/zkrecipe/zkrecipe/recipe/internal/journal"
	"github.com/zkrecipe/zkrecipe/session"
)

// CounterConfig configures a [Counter]. The zero value works.
type CounterConfig struct {
	Config

	// Encoding is how the number stands in the znode. Default [EncodingDecimal].
	Encoding Encoding

	// Initial is the number of a znode that does not exist, or holds no data. Default 0.
	Initial int64
}

// Counter is a number in a znode, to which many may add. Its methods may be called from any
// goroutine; use one Counter for all goroutines of a program: additions at the same time share one
// write. Its journal stays in the session until Close is called.
type Counter struct {
	path  string
	cfg   CounterConfig
	znode *journal.Znode
}

// NewCounter returns the counter in the znode at path, an absolute znode path other than "/", of at
// most 4096 bytes. It checks its arguments and does no I/O. The znode need not exist: the first
// change creates it, with its parents.
func NewCounter(client *session.Client, path string, cfg CounterConfig) (*Counter, error) {
	if cfg.Encoding < EncodingDecimal || cfg.Encoding > EncodingInt32 {
		return nil, fmt.Errorf("value: CounterConfig.Encoding is %d; want EncodingDecimal, EncodingInt64 or EncodingInt32", cfg.Encoding)
	}
	if low, high := cfg.Encoding.limits(); !cfg.Encoding.fits(cfg.Initial) {
		return nil, fmt.Errorf("value: CounterConfig.Initial is %d; want %d to %d", cfg.Initial, low, high)
	}
	c, err := cfg.journal(client, path)
	if err != nil {
		return nil, err
	}
	c.Batch = true
	return &Counter{path: path, cfg: cfg, znode: journal.New(client, c)}, nil
}

// Add adds delta, which may be negative, and returns the sum. A sum that does not fit the encoding
// is refused with an [OverflowError].
func (n *Counter) Add(ctx context.Context, delta int64) (int64, error) {
	return n.change(ctx, func(now int64) (int64, error) {
		sum := now + delta
		if (sum > now) != (delta > 0) && delta != 0 || !n.cfg.Encoding.fits(sum) {
			return 0, &OverflowError{n.path, now, delta, n.cfg.Encoding}
		}
		return sum, nil
	})
}

// Reserve takes the next count numbers, from first to first+count-1: nobody else gets them from a
// Reserve. Where the outcome is unknown they are lost. They follow the counter's number, so with
// Initial 0 the first one is 1.
func (n *Counter) Reserve(ctx context.Context, count int64) (first int64, err error) {
	if count < 1 {
		return 0, failed("%s: Reserve of %d numbers; want at least 1", n.path, count)
	}
	sum, err := n.Add(ctx, count)
	if err != nil {
		return 0, err
	}
	return sum - count + 1, nil
}

// CompareAndSet sets the counter to the number to if it is from. Otherwise the error is a
// [ConflictError] with the number, and nothing was written.
func (n *Counter) CompareAndSet(ctx context.Context, from, to int64) error {
	if low, high := n.cfg.Encoding.limits(); !n.cfg.Encoding.fits(to) {
		return failed("%s: CompareAndSet to %d; want %d to %d", n.path, to, low, high)
	}
	_, err := n.change(ctx, func(now int64) (int64, error) {
		if now != from {
			return 0, errKept
		}
		return to, nil
	})
	return err
}

// Get returns the number. It sees every change that was acknowledged before it was called. It costs
// a quorum write.
func (n *Counter) Get(ctx context.Context) (int64, error) {
	_, err := n.change(ctx, func(int64) (int64, error) { return 0, errKept })
	var now *ConflictError
	if errors.As(err, &now) {
		return now.Count, nil
	}
	return 0, err
}

// Close deletes the journal from the session, as [Value.Close] does.
func (n *Counter) Close(ctx context.Context) error { return undeleted(n.path, n.znode.Drop(ctx)) }

// Counts returns the totals. It never blocks.
func (n *Counter) Counts() Counts { return Counts(n.znode.Counts()) }

// change is journal.Znode.Do with numbers. It returns the number afterwards.
func (n *Counter) change(ctx context.Context, f func(now int64) (int64, error)) (int64, error) {
	from, to, err := n.znode.Do(ctx, func(now journal.State) ([]byte, error) {
		count, err := n.decode(now.Data)
		if err != nil {
			return nil, err
		}
		next, err := f(count)
		if err != nil {
			return nil, err
		}
		return n.cfg.Encoding.encode(next), nil
	})
	var format *FormatError
	var overflow *OverflowError
	switch {
	case errors.Is(err, errKept):
		count, _ := n.decode(from.Data)
		return 0, &ConflictError{n.path, versioned(from), count, true}
	case errors.As(err, &format), errors.As(err, &overflow):
		return 0, err
	case err != nil:
		err = explained(ctx, n.path, err)
		var u *UnknownError
		if errors.As(err, &u) {
			u.From, _ = n.decode(u.Before)
			u.To, _ = n.decode(u.After)
		}
		return 0, err
	}
	return n.decode(to.Data)
}

func (n *Counter) decode(data []byte) (int64, error) {
	if len(data) == 0 {
		return n.cfg.Initial, nil
	}
	count, ok := n.cfg.Encoding.decode(data)
	if !ok {
		return 0, &FormatError{n.path, bytes.Clone(data), n.cfg.Encoding}
	}
	return count, nil
}
