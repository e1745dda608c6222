package session_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestMain(m *testing.M) {
	code := m.Run()
	ensemble.CloseShared()
	os.Exit(code)
}

// three returns the ensemble that the tests of this package share. T may be 1 s to 10 s.
func three(t *testing.T) *ensemble.Ensemble {
	return ensemble.Shared(t, ensemble.Config{Servers: 3})
}

func open(t *testing.T, connect string, cfg session.Config) *session.Client {
	t.Helper()
	if testing.Verbose() && cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	c, err := session.Open(connect, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestALeaseIsHadWithTheFirstRenewalAndKept(t *testing.T) {
	e := three(t)
	ctx := within(t, 30*time.Second)
	c := open(t, e.ConnectString()+"/lease", session.Config{Timeout: 2 * time.Second})
	s, err := c.Session(ctx)
	if err != nil {
		t.Fatal(err)
	}
	path, err := s.CreateProtected(ctx, "/election", "latch-", []byte("me"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.Lease() != nil {
		t.Error("a lease without a renewal")
	}
	wake := make(chan struct{}, 1)
	h := s.Hold(path, wake)
	<-wake
	l := s.Lease()
	if l == nil {
		t.Fatal("woken without a lease")
	}
	end := time.Now().Add(3 * s.Timeout())
	for time.Now().Before(end) {
		if !l.Valid() {
			t.Fatal("the lease lapsed under a healthy ensemble")
		}
		if rest := l.Remaining(); rest > s.Timeout() {
			t.Fatalf("lease of %v with T = %v", rest, s.Timeout())
		}
		time.Sleep(5 * time.Millisecond)
	}
	h.Release()
	for l.Valid() {
		time.Sleep(5 * time.Millisecond)
	}
	if err := s.Remove(ctx, path); err != nil {
		t.Error(err)
	}
	if _, _, err := s.Get(ctx, path); !errors.Is(err, zk.ErrNoNode) {
		t.Errorf("err = %v, want no node", err)
	}
}
