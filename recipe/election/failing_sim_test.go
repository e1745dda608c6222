package election_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A callback that always fails is called about every 100 ms while no healthy candidate stands in
// the line, and rarely while one does. The status has its last error.
func TestACallbackThatAlwaysFailsIsCalledAgain(t *testing.T) {
	for _, failing := range []int{1, 2} {
		onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
			broken := errors.New("no database")
			var calls atomic.Int64
			fail := func(context.Context, *election.Term) error { calls.Add(1); return broken }
			calledIn10s := func() int64 {
				before := calls.Load()
				await.Sleep(10 * time.Second)
				return calls.Load() - before
			}
			var all []*candidate
			for _, name := range []string{"a", "b"}[:failing] {
				all = append(all, s.enterWith(name, election.Config{}, fail))
			}
			await.Sleep(5 * time.Second)
			if n := calledIn10s(); n < 70 || n > 220 {
				t.Errorf("%d that fail: %d calls in 10 s; want some 100 for each", failing, n)
			}
			for _, c := range all {
				if st := c.Status(); st.LastReason != recipe.ReasonReturned || st.LastErr != broken {
					t.Errorf("status: %v, %v", st.LastReason, st.LastErr)
				}
			}
			s.enter("healthy").term()
			if n := calledIn10s(); n > 10 {
				t.Errorf("%d that fail beside a healthy one: %d calls in 10 s", failing, n)
			}
		})
	}
}

// What a callback returns after its term was lost is told, too: it may be what a person has to see.
func TestAnErrorThatIsReturnedAfterALossIsTold(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		broken := errors.New("refused by the store")
		said := shared.NewVolume()
		c := s.enterWith("a", election.Config{Logger: slog.New(said)}, func(ctx context.Context, term *election.Term) error {
			<-ctx.Done()
			switch len(s.begun()) {
			case 1:
				return broken
			case 2:
				return fmt.Errorf("read: %w", context.Cause(ctx)) // says what was cancelled
			}
			return context.Cause(ctx) // says nothing new
		})
		for i, want := range []error{broken, nil, nil} {
			c.term()
			s.Session(c.client).Close()
			c.events.wait(election.EventLeft, i+1)
			await.Sleep(stageD / 8)
			st := c.Status()
			if st.LastReason != recipe.ReasonSessionLost || errors.Is(st.LastErr, broken) != (want == broken) || strings.Contains(fmt.Sprint(st.LastErr), "read: ") {
				t.Errorf("term %d: status: %v, %v", i+1, st.LastReason, st.LastErr)
			}
			if n := said.Written("the callback has returned an error after the end of its term"); n != 1 {
				t.Errorf("term %d: %d lines with the error; want 1 in all", i+1, n)
			}
			if n := said.Written("the end of the term has cut the callback short"); n != min(i, 1) {
				t.Errorf("term %d: %d lines with what was cut short; want %d in all", i+1, n, min(i, 1))
			}
		}
	})
}

func TestReleaseTellsThatTheLeadershipWasLost(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		client := s.Client("a")
		el, err := election.New(client, stagePath, election.Config{ID: "a"})
		if err != nil {
			t.Fatal(err)
		}
		for _, lost := range []bool{false, true} {
			term, err := el.Campaign(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if lost {
				s.Session(client).Close()
				<-term.Context().Done()
			}
			for range 2 {
				err = term.Release(t.Context())
				if errors.Is(err, recipe.ReasonSessionLost) != lost || (err != nil) != lost {
					t.Errorf("lost: %v; Release returns %v", lost, err)
				}
			}
		}
	})
}
