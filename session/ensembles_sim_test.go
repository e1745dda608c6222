package session_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// unknown is the log line of a session about a server that should know it.
const unknown = "a server does not know this session"

// If a connect string names servers of two ensembles, the client loses its session with each change
// of server.
func TestTwoEnsemblesBehindOneConnectStringAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := zktest.Config{Servers: 1, InMemory: true, Tick: simT / 2, Latency: time.Millisecond, Logf: func(string, ...any) {}}
		ensembles := map[string]*zktest.Ensemble{"one:2181": zktest.Start(t, cfg), "two:2181": zktest.Start(t, cfg)}
		log := newLogbook(t)
		client := open(t, "one:2181,two:2181", session.Config{Timeout: simT, Logger: slog.New(log),
			Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				e := ensembles[address]
				return e.Host("a").Dial(ctx, network, e.Addrs()[0])
			}})
		for range 5 {
			s, used := established(t, client), client.Status().Server
			await.Sleep(5 * simT)
			from := log.mark()
			ensembles[used].Host("a").Cut()
			if err := over(t, s); !errors.Is(err, session.ErrExpired) && !errors.Is(err, session.ErrReplaced) {
				t.Errorf("the session ends with %v", err)
			} else if errors.Is(err, session.ErrExpired) {
				line := log.await(from, unknown)
				if !strings.Contains(line.text, "used="+used) || !strings.Contains(line.text, "one ensemble") {
					t.Errorf("the line is %q", line.text)
				}
			}
		}
		client.Close()
		if !strings.Contains(log.String(), unknown) {
			t.Error("nothing was logged")
		}
	})
}

func TestAnOrdinaryExpiryIsNotTakenForAnotherEnsemble(t *testing.T) {
	log := newLogbook(t)
	inBubbleWith(t, session.Config{Timeout: simT, Logger: slog.New(log)}, func(t *testing.T, b *bubble) {
		for range 5 {
			s := established(t, b.client)
			b.host.Drop()
			await.Sleep(7 * simT / 4) // it has expired, and is not yet presumed lost
			b.host.Heal()
			if err := over(t, s); !errors.Is(err, session.ErrExpired) {
				t.Errorf("the session ends with %v", err)
			}
		}
	})
	if strings.Contains(log.String(), unknown) {
		t.Errorf("the log:\n%s", log)
	}
}
