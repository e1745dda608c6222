package election_test

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"

	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestAnObserverBelievesARestoredBackup(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		for i := range 20 { // the zxids are far ahead of those of the other ensemble
			shared.Must(t, s.Admin().EnsurePath(t.Context(), fmt.Sprintf("/%d", i), nil))
		}
		s.enter("x")
		restored := zktest.Start(t, zktest.Config{InMemory: true, Logf: func(string, ...any) {}})
		open := func(host string) *session.Client {
			return shared.Open(t, restored.ConnectString(), session.Config{Dial: restored.Host(host).Dial})
		}
		var moved atomic.Bool
		client := shared.Open(t, s.ConnectString(), session.Config{Timeout: shared.T, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if moved.Load() {
				return restored.Host("observer").Dial(ctx, network, restored.Addrs()[0])
			}
			return s.Host("observer").Dial(ctx, network, addr)
		}})
		o := observe(t, client, stagePath)
		defer o.Close()
		ctx, cancel := context.WithCancel(within(t))
		defer cancel()
		each(ctx, o, func(l election.Candidate) {
			switch l.ID {
			case "x":
				moved.Store(true)
				for _, server := range s.Servers() {
					server.Kill()
				}
				s.stand(open("y"), stagePath, election.Config{ID: "y"})
			case "y":
				cancel()
			}
		})
		if l, _ := o.Current(); l.ID != "y" {
			t.Errorf("it sees %+v", l)
		}
	})
}

func TestAnErrorOfTheUsersDoesNotDecideAboutTheZnode(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a := s.enter("a")
		a.term()
		var gone error // what the library tells when a znode was deleted
		terms := 0
		b := s.enterWith("b", election.Config{}, func(ctx context.Context, term *election.Term) error {
			if terms++; terms == 1 {
				return fmt.Errorf("wrapped: %w", gone)
			}
			return untilTheEnd(ctx, term)
		})
		shared.Must(t, s.Admin().Delete(t.Context(), b.events.wait(election.EventJoined, 1).Node, -1))
		gone = b.events.wait(election.EventFailed, 1).Err
		b.events.wait(election.EventJoined, 2)
		a.stop()
		b.events.wait(election.EventElected, 2) // it does not wait behind a znode of its own
	})
}
