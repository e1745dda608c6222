package session_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// onKeeper runs f with servers that answer like those of ClickHouse Keeper.
func onKeeper(t *testing.T, f func(t *testing.T, e *zktest.Ensemble, client *session.Client)) {
	synctest.Test(t, func(t *testing.T) {
		e := zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Tick: simT / 2, Latency: time.Millisecond, Keeper: true,
			Logf: func(string, ...any) {}})
		client := open(t, e.ConnectString(), session.Config{Timeout: simT, Dial: e.Host("a").Dial})
		f(t, e, client)
		client.Close()
	})
}

// Without a leader, Keeper's servers answer the handshake with the session -1. The client does not
// take that as a session.
func TestAServerWithoutALeaderIsSaidToHaveNone(t *testing.T) {
	onKeeper(t, func(t *testing.T, e *zktest.Ensemble, client *session.Client) {
		first := established(t, client)
		e.Server(1).Isolate()
		e.Server(2).Isolate()
		e.Server(3).Isolate()
		e.Host("a").Cut()
		if err := over(t, first); !errors.Is(err, session.ErrPresumedLost) && !errors.Is(err, session.ErrExpired) {
			t.Errorf("the session ends with %v", err)
		}
		_, err := client.Session(within(t, 10*simT))
		if err == nil || !strings.Contains(err.Error(), "no leader") {
			t.Errorf("without a leader: %v", err)
		}
		for _, id := range []int{1, 2, 3} {
			e.Server(id).Rejoin()
		}
		if s := established(t, client); s.ID() == -1 {
			t.Error("the session is -1")
		}
	})
}

// Keeper does not accept a session again. Each reconnect ends one session and begins another.
func TestASessionThatIsReplacedAtEachReconnectIsFollowedByAnother(t *testing.T) {
	onKeeper(t, func(t *testing.T, e *zktest.Ensemble, client *session.Client) {
		for range 5 {
			s := established(t, client)
			e.Host("a").Cut()
			if err := over(t, s); !errors.Is(err, session.ErrReplaced) {
				t.Errorf("the session ends with %v", err)
			}
		}
		s := established(t, client)
		_, l := held(t, s)
		if !l.Valid() {
			t.Error("no lease")
		}
		await.Sleep(10 * simT)
		if n := len(e.Sessions()); n != 1 {
			t.Errorf("%d sessions are left", n)
		}
	})
}
