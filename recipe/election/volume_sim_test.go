package election_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/rounds"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// What a process says while its ensemble is down does not grow with the elections that wait.
func TestAnOutageIsSaidAFewTimesHoweverManyElectionsWait(t *testing.T) {
	const outage = 10 * time.Minute
	perSecond := func(elections int) float64 {
		log, failed := shared.NewVolume(), 0
		synctest.Test(t, func(t *testing.T) {
			e := zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Latency: time.Millisecond, Logf: func(string, ...any) {}})
			for _, s := range e.Servers() {
				s.Kill()
			}
			client, err := session.Open(e.ConnectString(), session.Config{Dial: e.Host("a").Dial, Logger: slog.New(log)})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), outage)
			defer cancel()
			var all sync.WaitGroup
			var mu sync.Mutex // guards failed
			for i := range elections {
				el, err := election.New(client, fmt.Sprintf("/e/%d", i), election.Config{Logger: slog.New(log), OnEvent: func(election.Event) {
					mu.Lock()
					defer mu.Unlock()
					failed++
				}})
				if err != nil {
					t.Fatal(err)
				}
				all.Go(func() { el.Run(ctx, untilTheEnd) })
			}
			all.Wait()
			client.Close()
		})
		t.Logf("%d elections, %v: %v", elections, outage, log)
		if n := log.Counted("no session"); n != failed {
			t.Errorf("%d lines written or counted, of %d", n, failed)
		}
		return float64(log.All()) / outage.Seconds()
	}
	perSecond(1)
	if n := perSecond(300); n > 1 {
		t.Errorf("%.1f lines per second", n)
	}
}

// All terms of a process end at the same time, and its candidates come back. The events tell each.
func TestCandidatesThatAreDeposedTogetherSayAFewLines(t *testing.T) {
	rounds.All(t)
	const elections = 150
	log, deposed := shared.NewVolume(), 0
	synctest.Test(t, func(t *testing.T) {
		e := zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Latency: time.Millisecond, Logf: func(string, ...any) {}})
		client, err := session.Open(e.ConnectString(), session.Config{Dial: e.Host("a").Dial, Logger: slog.New(log)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var all sync.WaitGroup
		var mu sync.Mutex // guards deposed
		for i := range elections {
			el, err := election.New(client, fmt.Sprintf("/e/%d", i), election.Config{Logger: slog.New(log), OnEvent: func(ev election.Event) {
				mu.Lock()
				defer mu.Unlock()
				if ev.Kind == election.EventDeposed {
					deposed++
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			all.Go(func() { el.Run(ctx, untilTheEnd) })
		}
		await.Sleep(15 * time.Second)
		e.Host("a").Drop()
		await.Sleep(15 * time.Second)
		e.Host("a").Heal()
		await.Sleep(30 * time.Second)
		cancel()
		all.Wait()
		client.Close()
	})
	t.Log(log)
	if deposed != 2*elections {
		t.Fatalf("%d terms have ended", deposed)
	}
	for _, kind := range []string{"joined", "elected", "deposed", "left"} {
		if n := log.Written(kind); n > 3*50 || log.Counted(kind) < 2*elections {
			t.Errorf("%s: %d lines, %d with those left out, of %d", kind, n, log.Counted(kind), 2*elections)
		}
	}
}

// late is a log handler that is slow for what was left out.
type late struct{ *shared.Volume }

func (l late) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l late) WithGroup(string) slog.Handler      { return l }
func (l late) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "lines left out" {
		time.Sleep(100 * time.Millisecond)
	}
	return l.Volume.Handle(ctx, r)
}

// When everything is closed, all lines have been written or counted, and none comes later.
func TestWhatWasLeftOutIsSaidBeforeTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := late{shared.NewVolume()}
		dial := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("nobody is there") }
		client, err := session.Open("a:1", session.Config{Dial: dial, Logger: slog.New(log)})
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 20 {
			el, err := election.New(client, "/e", election.Config{Logger: slog.New(log)})
			if err != nil {
				t.Fatal(err)
			}
			all.Go(func() { el.Run(t.Context(), untilTheEnd) })
		}
		await.Sleep(client.Status().Timeout / 2) // after the first lines
		client.Close()
		all.Wait()
		if n := log.Counted("no session"); n != 20 {
			t.Errorf("%d lines of 20 are written or counted at the end", n)
		}
	})
}
