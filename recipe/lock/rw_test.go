package lock_test

import (
	"testing"
	"time"

	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// rwProcess is a process with a read-write lock.
type rwProcess struct {
	*lock.RW
	s      *stage
	name   string
	host   *zktest.Host
	client *session.Client
}

func (s *stage) rw(name string, cfg ...lock.Config) *rwProcess {
	s.T.Helper()
	b := &rwProcess{s: s, name: name, host: s.Host(name), client: s.Client(name)}
	c := append(cfg, lock.Config{})[0]
	c.ID, c.Logger = name, shared.Logger(name)
	var err error
	if b.RW, err = lock.NewRW(b.client, stagePath, c); err != nil {
		s.T.Fatal(err)
	}
	return b
}

// begin acquires in the background, and returns when it stands in line.
func (b *rwProcess) begin(read bool) <-chan *lock.Held {
	b.s.T.Helper()
	n := len(b.s.inLine())
	got := b.start(read)
	b.s.Eventually("place", func() bool { return len(b.s.inLine()) > n })
	return got
}

// start acquires in the background.
func (b *rwProcess) start(read bool) <-chan *lock.Held {
	l := b.Write()
	if read {
		l = b.Read()
	}
	return b.s.begin(b.name, l.Acquire, read)
}

func (b *rwProcess) acquire(read bool) *lock.Held { b.s.T.Helper(); return <-b.start(read) }

const reading, writing = true, false

// soon is the time for what need not wait for a lease to lapse.
func soon(t *testing.T, what string, f func()) {
	t.Helper()
	begun := time.Now()
	f()
	if took := time.Since(begun); took > stageD/4 {
		t.Errorf("%s took %v", what, took)
	}
}
