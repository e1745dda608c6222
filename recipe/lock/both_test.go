package lock_test

import (
	"context"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// both is a process with a read-write lock.
type both struct {
	*lock.RW
	s      *stage
	name   string
	host   *zktest.Host
	client *session.Client
}

func (s *stage) both(name string, cfg ...lock.Config) *both {
	s.t.Helper()
	b := &both{s: s, name: name, host: s.Host(name), client: s.client(name)}
	c := append(cfg, lock.Config{})[0]
	c.ID, c.Logger = name, logger(name)
	var err error
	if b.RW, err = lock.NewRW(b.client, stagePath, c); err != nil {
		s.t.Fatal(err)
	}
	return b
}

// begin acquires in the background, and returns when it stands in line.
func (b *both) begin(read bool) <-chan *lock.Held {
	b.s.t.Helper()
	n := len(b.s.inLine())
	got := b.start(read)
	b.s.eventually("place", func() bool { return len(b.s.inLine()) > n })
	return got
}

// start acquires in the background.
func (b *both) start(read bool) <-chan *lock.Held {
	l := b.Write()
	if read {
		l = b.Read()
	}
	got := make(chan *lock.Held, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		h, err := l.Acquire(ctx)
		if err != nil {
			b.s.t.Errorf("%s: %v", b.name, err)
			close(got)
			return
		}
		b.s.check(b.name, h, read)
		got <- h
	}()
	return got
}

func (b *both) acquire(read bool) *lock.Held { b.s.t.Helper(); return <-b.start(read) }

const reading, writing = true, false

// soon is when something needs no lease to lapse.
func soon(t *testing.T, what string, f func()) {
	t.Helper()
	begun := time.Now()
	f()
	if took := time.Since(begun); took > stageD/4 {
		t.Errorf("%s took %v", what, took)
	}
}
