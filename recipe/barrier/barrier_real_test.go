package barrier_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/barrier"
	"github.com/zkrecipe/zkrecipe/session"
)

func onServers(t *testing.T) (*ensemble.Ensemble, context.Context) {
	t.Helper()
	e := ensemble.Common(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // guards against hanging; nothing is measured by it
	t.Cleanup(cancel)
	return e, ctx
}

func openReal(t *testing.T, connect string) *session.Client {
	t.Helper()
	return shared.Open(t, connect, session.Config{Timeout: 10 * time.Second})
}

func TestOnServersABarrierHoldsBackAcrossALostConnection(t *testing.T) {
	e, ctx := onServers(t)
	b, err := barrier.New(openReal(t, e.ConnectString()), "/barrier", barrier.Config{})
	must(t, err)
	must(t, b.Raise(ctx))
	p := faultproxy.ForTest(t, e.Servers()[0].Addr())
	w, err := barrier.New(openReal(t, p.Addr()), "/barrier", barrier.Config{})
	must(t, err)
	watched := p.HoldReply(faultproxy.OpGetData, 1)
	done := make(chan error, 1)
	go func() { done <- w.Wait(ctx) }()
	must(t, watched.Wait(ctx))
	p.Cut(false) // with it goes the watch
	watched.Release()
	must(t, b.Lower(ctx))
	must(t, <-done)
	must(t, w.Wait(ctx))
}

func TestOnServersAllEnterAndLeaveThoughRepliesAreLost(t *testing.T) {
	e, ctx := onServers(t)
	for i, op := range []faultproxy.Op{faultproxy.OpMulti, faultproxy.OpGetChildren2, faultproxy.OpGetData, faultproxy.OpDelete} {
		path := fmt.Sprintf("/double-%d", i)
		p := faultproxy.ForTest(t, e.Servers()[i%3].Addr())
		p.LoseReply(op, 2)
		left := make(chan error)
		for _, connect := range []string{e.ConnectString(), e.ConnectString(), p.Addr()} {
			d, err := barrier.NewDouble(openReal(t, connect), path, 3, barrier.Config{})
			must(t, err)
			go func() {
				r, err := d.Enter(ctx)
				if err == nil && !r.Valid() {
					err = errors.New("inside without being so")
				}
				if err == nil {
					err = r.Leave(ctx)
				}
				left <- err
			}()
		}
		for range 3 {
			must(t, <-left)
		}
		s, err := openReal(t, e.ConnectString()).Session(ctx)
		must(t, err)
		_, err = s.QuorumSync(ctx, path)
		must(t, err)
		if names, _, err := s.Children(ctx, path); err != nil || len(names) != 0 {
			t.Errorf("%v: left behind %v, %v", op, names, err)
		}
	}
}
