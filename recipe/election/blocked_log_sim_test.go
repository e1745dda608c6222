package election_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// blocked is a log handler whose writer is a full pipe that nobody reads.
type blocked struct {
	slog.Handler
	until chan struct{}
}

func (b blocked) Enabled(context.Context, slog.Level) bool  { return true }
func (b blocked) Handle(context.Context, slog.Record) error { <-b.until; return nil }
func (b blocked) WithAttrs([]slog.Attr) slog.Handler        { return b }
func (b blocked) WithGroup(string) slog.Handler             { return b }

func TestALogHandlerAndAnOnEventThatBlockCostNothingButTheirLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Latency: time.Millisecond, Logf: func(string, ...any) {}})
		until := make(chan struct{})
		log := slog.New(blocked{until: until})
		const D = time.Second
		open := func(host string) *session.Client {
			client, err := session.Open(e.ConnectString(), session.Config{Timeout: 10 * time.Second, Lease: D, Dial: e.Host(host).Dial, Logger: log})
			if err != nil {
				t.Fatal(err)
			}
			return client
		}
		first, second := open("a"), open("b")
		defer second.Close()
		ctx, cancel := context.WithCancel(t.Context())
		terms := make(chan *election.Term, 2)
		ran := make(chan error, 1)
		go func() {
			el, err := election.New(first, "/e", election.Config{Logger: log, OnEvent: func(election.Event) { <-until }})
			if err != nil {
				t.Error(err)
			}
			ran <- el.Run(ctx, func(ctx context.Context, term *election.Term) error {
				terms <- term
				<-ctx.Done()
				return nil
			})
		}()
		term := <-terms
		heir, err := election.New(second, "/e", election.Config{Logger: log})
		if err != nil {
			t.Fatal(err)
		}
		elected := make(chan *election.Term, 1)
		go func() {
			term, err := heir.Campaign(t.Context())
			if err != nil {
				t.Error(err)
			}
			elected <- term
		}()
		await.Sleep(2 * D)
		e.Host("a").Cut() // the session reconnects at once
		await.Sleep(10 * D)
		if !term.Valid() {
			t.Fatalf("a reconnect has cost the term: %v", context.Cause(term.Context()))
		}
		begun := time.Now()
		cancel()
		next := <-elected
		if took := time.Since(begun); took > D/4 {
			t.Errorf("the hand-over took %v", took)
		}
		begun = time.Now()
		first.Close()
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("Close took %v", took)
		}
		if err := next.Release(t.Context()); err != nil {
			t.Error(err)
		}
		<-ran // although OnEvent has not returned
		close(until)
	})
}

func TestALogHandlerAndAnOnEventThatBlockDoNotHideThatATermIsLost(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		until := make(chan struct{})
		defer close(until)
		log := slog.New(blocked{until: until})
		s.Config.Timeout, s.Config.Lease, s.Config.Logger = 4*stageD, stageD, log // the session outlives the cut
		a := s.enterWith("a", election.Config{OnEvent: func(election.Event) { <-until }}, untilTheEnd)
		first := a.term()
		b := s.enter("b")
		b.events.wait(election.EventHeir, 1)
		a.host.Hold()
		await.Sleep(2 * stageD)
		if second := b.term(); !second.Valid() || first.Valid() {
			t.Errorf("b leads: %v, a leads: %v", second.Valid(), first.Valid())
		}
		if st := a.Status(); st.State == election.StateLeading || st.Token != 0 { // as recipehttp.Health shows it
			t.Errorf("the status of the one that is cut off is %+v", st)
		}
		a.host.Heal()
		await.Until(t, "candidate that joins again", func() bool { return a.Status().State == election.StateHeir }, func() any { return a.Status() })
		b.stop()
		if third := a.term(); third.Token() <= first.Token() || a.Status().State != election.StateLeading {
			t.Errorf("status %+v", a.Status())
		}
	})
}

// A process has to end although its own code does not take the last events.
func TestRunReturnsAlthoughASubscriberNeverDoes(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		until := make(chan struct{})
		defer close(until)
		a := s.enterWith("a", election.Config{OnEvent: func(election.Event) { <-until }}, untilTheEnd)
		defer a.Subscribe(a.events.Add)() // none waits for another
		a.term()
		begun := time.Now()
		a.stop()
		if took := time.Since(begun); took < time.Second || took > time.Second+stageTick/10 {
			t.Errorf("Run has taken %v to return; want a second, and what the departure takes", took)
		}
		if n := a.events.count(election.EventLeft); n != 1 {
			t.Errorf("the other subscriber was told %d times that it has left", n)
		}
	})
}

// Who reads the events when Run has returned finds the last one.
func TestRunWaitsForTheLastEventsThatASubscriberTakesInTime(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		var last atomic.Int64
		a := s.enterWith("a", election.Config{OnEvent: func(ev election.Event) {
			time.Sleep(300 * time.Millisecond)
			last.Store(int64(ev.Kind))
		}}, untilTheEnd)
		a.term()
		await.Sleep(time.Minute)
		a.stop()
		if kind := election.EventKind(last.Load()); kind != election.EventLeft {
			t.Errorf("the last event was %v", kind)
		}
	})
}

// Memory does not grow with the events that nobody receives.
func TestEventsThatAreNotTakenAreDroppedAndCounted(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		until, told := make(chan struct{}), new(atomic.Int64)
		el, err := election.New(s.Client("a"), stagePath, election.Config{OnEvent: func(election.Event) {
			<-until
			told.Add(1)
		}})
		if err != nil {
			t.Fatal(err)
		}
		const terms, each = 500, 5 // joined, elected, deposed and left, and sometimes another
		for range terms {
			term, err := el.Campaign(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := term.Release(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		dropped := el.Status().EventsDropped
		if dropped == 0 || dropped > terms*each {
			t.Errorf("%d events were dropped", dropped)
		}
		close(until)
		await.Sleep(time.Second)
		if told.Load() != 1001 { // one was being delivered, and as many waited as there is room for
			t.Errorf("%d events were told", told.Load())
		}
		if n := el.Status().EventsDropped; n != dropped {
			t.Errorf("%d were dropped after %d", n, dropped)
		}
	})
}
