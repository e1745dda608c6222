package election_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

// A notice tells the heir that the departure was announced.
// TestTheHeirReadsNothingBetweenAnAnnouncedDepartureAndItsCallback and
// TestARecheckUnderWayDoesNotDelayALeadership show this to the instant; this shows that real
// servers give the notice in time.
func TestTheHeirAsksNothingBetweenTheDeletionAndItsCallback(t *testing.T) {
	e, path := three(t), pathFor(t)
	leading := open(t, e, session.Config{})
	w := wireTo(t, e)
	r := w.record()
	client := open(t, w, session.Config{})
	// Many times, so that a re-check falls due in between now and then if it can.
	const rounds = 20
	var asked []string
	for i := 0; i < rounds; {
		a := run(t, leading, path, "a", election.Config{})
		node := a.term().Node()
		elected := make(chan int, 1)
		b := runWith(t, client, path, "b", election.Config{}, func(ctx context.Context, term *election.Term) error {
			select {
			case elected <- len(r.All()):
			default:
			}
			<-ctx.Done()
			return nil
		})
		b.events.wait(election.EventHeir, 1)
		await.Until(t, "lease", func() bool { return client.Status().LeaseRemaining > 0 })
		await.Until(t, "watch for the notice", func() bool {
			return slices.ContainsFunc(r.All(), func(f faultproxy.Frame) bool {
				return f.Dir == faultproxy.ToClient && f.Op == faultproxy.OpExists && strings.HasPrefix(f.Path, beats+filepath.Base(node))
			})
		})
		r.Reset()
		a.cancel()
		until := <-elected
		frames := r.All()[:until]
		b.stop()
		a.stop()
		if countOp(frames, faultproxy.OpConnect) > 0 {
			continue // a busy machine has cost it the connection: it asks for all that it knows
		}
		i++
		from := -1
		for i, f := range frames {
			if from < 0 && f.Op == faultproxy.OpEvent && (f.Path == node || f.Path == beats+filepath.Base(node)) {
				from = i
			}
		}
		if from < 0 {
			t.Fatalf("round %d: elected without the event:\n%s", i, describe(frames))
		}
		for at, f := range frames[from:] {
			// Beats are the session's, at a pace of their own, and so are its reads of heartbeats.
			if f.Dir != faultproxy.ToServer || !request(f) || f.Op == faultproxy.OpMulti || strings.HasPrefix(f.Path, beats) {
				continue
			}
			if slices.ContainsFunc(frames[from+at:], func(a faultproxy.Frame) bool {
				return a.Dir == faultproxy.ToClient && a.Op == f.Op && a.Path == f.Path
			}) {
				asked = append(asked, fmt.Sprintf("round %d: asked for %v %s after the event:\n%s", i, f.Op, f.Path, describe(frames[from:])))
				break
			}
		}
	}
	// A re-check may cross the event on its way, and the heir reads the record once it leads. A
	// busy machine may let the callback's goroutine begin later than the answer to one of these
	// comes.
	if len(asked) > rounds/4 {
		t.Errorf("in %d of %d rounds:\n%s", len(asked), rounds, strings.Join(asked, "\n"))
	}
}
