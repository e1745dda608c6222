package election_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// StateJoining and StateBackingOff alternate while nothing works, so Since alone would not tell for
// how long.
func TestStatusTellsSinceWhenItTriesInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		servers := zktest.Start(t, zktest.Config{InMemory: true, Tick: time.Second, Logf: func(string, ...any) {}})
		var cut atomic.Bool
		cut.Store(true)
		client, err := session.Open(servers.ConnectString(), session.Config{Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if cut.Load() {
				return nil, errors.New("cut")
			}
			return servers.Dial(ctx, network, addr)
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		refuse := servers.On(zktest.Match{Path: "/trying*"}, zktest.Fail(zktest.CodeRuntimeInconsistency))
		el, err := election.New(client, "/trying", election.Config{})
		if err != nil {
			t.Fatal(err)
		}
		if st := el.Status(); !st.TryingSince.IsZero() {
			t.Errorf("before Run it tries since %v", st.TryingSince)
		}
		begin := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- el.Run(ctx, func(ctx context.Context, _ *election.Term) error { <-ctx.Done(); return nil })
		}()
		await.Sleep(time.Minute) // no server is reached
		if st := el.Status(); !st.TryingSince.Equal(begin) {
			t.Errorf("after a minute without a server it tries since %v (%v); want %v", st.TryingSince, st.State, begin)
		}
		cut.Store(false)
		await.Sleep(time.Minute) // now they refuse
		if st := el.Status(); !st.TryingSince.Equal(begin) || !st.Since.After(begin) {
			t.Errorf("after another, of refusals, it tries since %v (%v since %v); want %v", st.TryingSince, st.State, st.Since, begin)
		}
		refuse.Remove()
		await.Sleep(time.Minute)
		if st := el.Status(); st.State != election.StateLeading || !st.TryingSince.IsZero() {
			t.Errorf("in the end: %v, trying since %v", st.State, st.TryingSince)
		}
		cancel()
		<-ended
		if st := el.Status(); !st.TryingSince.IsZero() {
			t.Errorf("after Run it tries since %v", st.TryingSince)
		}
	})
}
