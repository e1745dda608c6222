//go:build linux

package campaign

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/session"
)

// watch marks each znode of a directory that goes, when a server shows that, until ctx ends. Each
// server is watched by a goroutine, and the round waits for them.
func (r *Round) watch(ctx context.Context, dir string) {
	for _, eye := range r.rig.eyes {
		r.watching.Go(func() {
			known := map[string]bool{}
			for ctx.Err() == nil {
				r.look(ctx, eye, dir, known)
			}
		})
	}
}

// look follows the directory's children in one session. known is what this server has shown last,
// in an earlier session, too: a server never shows an older state after a newer one. Errors come
// from the faults, so they are not reported.
func (r *Round) look(ctx context.Context, eye *session.Client, dir string, known map[string]bool) {
	s, err := eye.Session(ctx)
	if err != nil {
		return
	}
	wake := make(chan struct{}, 1)
	w := s.Watch(dir, wake)
	defer w.Stop()
	for {
		names, _, err := w.Children(ctx)
		if err != nil {
			_ = r.last(ctx, tick/5) // the directory itself may be gone
			return
		}
		there := map[string]bool{}
		for _, name := range names {
			there[name] = true
		}
		for name := range known {
			if !there[name] {
				r.mark(history.Line{
					Event: "gone", Node: path.Join(dir, name), Ahead: aheadOf(name, known, there),
				})
			}
		}
		clear(known)
		maps.Copy(known, there)
		select {
		case <-wake:
		case <-s.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}

// aheadOf returns the names of the older znodes that were there when one went: those with
// smaller numbers that are in the list before and in the list after.
func aheadOf(name string, before, after map[string]bool) (ahead []string) {
	own, ok := numberOf(name)
	for other := range before {
		if n, inLine := numberOf(other); ok && inLine && after[other] && n < own {
			ahead = append(ahead, other)
		}
	}
	slices.Sort(ahead)
	return ahead
}

// numberOf returns the number that the servers have put at the end of a name. A name that has none
// does not stand in line.
func numberOf(name string) (n uint64, ok bool) {
	const digits = 10
	n, err := strconv.ParseUint(name[max(0, len(name)-digits):], 10, 32)
	return n, err == nil
}

// divergence tells how the servers differ about the path's children after each has caught up with
// the others; "" if they do not.
func (r *Round) divergence(ctx context.Context) (string, error) {
	var first []string
	for i, eye := range r.rig.eyes {
		s, err := eye.Session(ctx)
		if err == nil {
			err = s.Sync(ctx, r.path)
		}
		if err != nil {
			return "", err
		}
		names, _, err := s.Children(ctx, r.path)
		if err != nil && !errors.Is(err, zk.ErrNoNode) {
			return "", err
		}
		slices.Sort(names)
		if i == 0 {
			first = names
		} else if !slices.Equal(first, names) {
			return fmt.Sprintf("server 1 has %v, server %d has %v", first, i+1, names), nil
		}
	}
	return "", nil
}

// judgeServers notes whether the servers' data have diverged. Candidates may come and go meanwhile,
// so one look that shows no difference is enough.
func (r *Round) judgeServers(ctx context.Context) error {
	var differ string
	for range 5 {
		var err error
		if differ, err = r.divergence(ctx); err != nil || differ == "" {
			return err
		}
		if err := r.last(ctx, tick); err != nil {
			return err
		}
	}
	r.mark(history.Line{Event: "diverged", Text: differ})
	return nil
}

// stallMeter tells for how long the machine let us wait when we wanted to run: a measured time is
// worth no more than that.
type stallMeter struct{ longest atomic.Int64 }

func (m *stallMeter) start() (stop func()) {
	const every = 5 * time.Millisecond
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for last := time.Now(); ; last = time.Now() {
			select {
			case <-ticker.C:
				late := int64(time.Since(last) - every)
				m.longest.Store(max(m.longest.Load(), late))
			case <-done:
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

func (m *stallMeter) max() time.Duration { return time.Duration(m.longest.Load()) }
