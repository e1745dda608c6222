package ensemble

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/need"
)

// TB is the part of testing.TB that ForTest and Shared need.
type TB interface {
	Helper()
	Logf(format string, args ...any)
	Skipf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
	Failed() bool
}

// startFor is how long ForTest and Shared wait for an ensemble: generous, because a busy machine is
// no bug.
const startFor = 90 * time.Second

// ForTest starts an ensemble for one test and closes it when the test ends; if the test failed, the
// ends of the servers' logs are logged. Package need says what becomes of the test without a
// ZooKeeper on this machine.
func ForTest(tb TB, cfg Config) *Ensemble {
	tb.Helper()
	need.That(tb, func() error { return Has(cfg.Version) })
	ctx, cancel := context.WithTimeout(context.Background(), startFor)
	defer cancel()
	e, err := Start(ctx, cfg)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	tb.Cleanup(func() {
		logTails(tb, e)
		if err := e.Close(); err != nil {
			tb.Logf("closing the ensemble: %v", err)
		}
	})
	return e
}

// shared holds the ensembles of Shared by the print of their Config.
var shared struct {
	mu    sync.Mutex // guards byKey; held while an ensemble starts, so that two callers do not start two
	byKey map[string]*Ensemble
}

// Shared returns the ensemble that the tests of a package share for this Config, started by the
// first caller, and heals it first (Heal): use it where starting one per test takes too long. Tests
// that kill or freeze servers of a shared ensemble must not run in parallel with others, and all
// should use paths of their own. Config must hold no functions and no Log. Call CloseShared at the
// end of TestMain.
func Shared(tb TB, cfg Config) *Ensemble {
	tb.Helper()
	need.That(tb, func() error { return Has(cfg.Version) })
	e, err := sharedFor(cfg)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	tb.Cleanup(func() { logTails(tb, e) })
	return e
}

// CommonServers is the variable of the environment that names the servers of Common.
const CommonServers = "ZKRECIPE_COMMON_SERVERS"

// Common returns three servers that the tests of several packages share. A test must not control
// them, must use paths of its own, and must not count what a whole server has. "make test" starts
// them once. Otherwise Common is Shared.
func Common(tb TB) *Ensemble {
	tb.Helper()
	servers := os.Getenv(CommonServers)
	if servers == "" || testing.Short() {
		return Shared(tb, Config{Servers: 3})
	}
	return external(servers)
}

func sharedFor(cfg Config) (*Ensemble, error) {
	if cfg.PerServer != nil || cfg.Host != nil || cfg.QuorumHost != nil || cfg.Wrap != nil || cfg.Log != nil {
		return nil, errors.New("ensemble: a shared Config must hold no functions and no Log")
	}
	ctx, cancel := context.WithTimeout(context.Background(), startFor)
	defer cancel()
	key := fmt.Sprintf("%+v", cfg) // fmt prints maps in order of their keys
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if e := shared.byKey[key]; e != nil {
		return e, e.Heal(ctx)
	}
	e, err := Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if shared.byKey == nil {
		shared.byKey = make(map[string]*Ensemble)
	}
	shared.byKey[key] = e
	return e, nil
}

// CloseShared closes the ensembles that Shared has started.
func CloseShared() error {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	var errs []error
	for key, e := range shared.byKey {
		errs = append(errs, e.Close())
		delete(shared.byKey, key)
	}
	return errors.Join(errs...)
}

func logTails(tb TB, e *Ensemble) {
	if !tb.Failed() || e.external {
		return
	}
	for _, s := range e.servers {
		tb.Logf("end of the log of server %d:\n%s", s.id, s.LogTail(40))
	}
}

// lockedWriter lets the servers share one Config.Log.
type lockedWriter struct {
	mu sync.Mutex // guards w; no other lock is taken under it
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
