package election_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

// record keeps the frames that pass on a wire, both directions in one order.
type record struct{ await.List[faultproxy.Frame] }

func (w *wire) record() *record {
	r := &record{}
	w.Each(func(p *faultproxy.Proxy) { p.OnFrame(r.Add) })
	return r
}

// asked lists the requests, without pings and reads of heartbeats.
func (r *record) asked() (requests []faultproxy.Frame) {
	for _, f := range r.All() {
		if f.Dir == faultproxy.ToServer && request(f) && !strings.HasPrefix(f.Path, beats) {
			requests = append(requests, f)
		}
	}
	return requests
}

func describe(frames []faultproxy.Frame) string {
	var b strings.Builder
	for _, f := range frames {
		fmt.Fprintf(&b, "%s %v %v %s\n", f.When.Format("05.000"), f.Dir, f.Op, f.Path)
	}
	return b.String()
}

// D is the length of a lease for candidates that are not to have one: it says how often they look.
const D = time.Second

func TestAWaitingCandidateSendsNothingButItsRecheck(t *testing.T) {
	onBoth(t, func(t *testing.T, e shared.Servers) {
		path := pathFor(t)
		client := open(t, e, session.Config{})
		lineUp(t, path, client, client, client, client)
		w := wireTo(t, e)
		r := w.record()
		waiter := run(t, open(t, w, session.Config{Lease: D}), path, "waiter", election.Config{})
		if ev := waiter.events.wait(election.EventJoined, 1); ev.Position != 4 {
			t.Fatalf("joined with %d ahead", ev.Position)
		}
		await.Until(t, "watch on the one ahead", func() bool { return countOp(r.asked(), faultproxy.OpGetData) == 3 }) // after the own and the record
		// It looks at the first and the one before the nearest once in D/2, and at the own znode
		// and the nearest once in T.
		r.expectLooks(t, 20, D/2, D/2, steady, steady)
	})
}

func TestTheThirdInLineAsksForTheFirstMoreOftenThanForTheOthers(t *testing.T) {
	onBoth(t, func(t *testing.T, e shared.Servers) {
		path := pathFor(t)
		client := open(t, e, session.Config{})
		lineUp(t, path, client, client)
		w := wireTo(t, e)
		r := w.record()
		third := run(t, open(t, w, session.Config{Lease: D}), path, "third", election.Config{})
		if ev := third.events.wait(election.EventJoined, 1); ev.Position != 2 {
			t.Fatalf("joined with %d ahead", ev.Position)
		}
		await.Until(t, "watch on the one ahead", func() bool { return countOp(r.asked(), faultproxy.OpGetData) == 3 }) // after the own and the record
		// It looks at the first once in D/4, and at the own znode and the one ahead once in T/4.
		r.expectLooks(t, 20, D/4, steady/4, steady/4)
	})
}

// expectLooks waits for n requests. They may be late, or early by a quarter: no more looks than fit
// into the time that has passed, of each kind one in three quarters of so long.
func (r *record) expectLooks(t *testing.T, n int, every ...time.Duration) {
	t.Helper()
	begun := time.Now()
	r.Reset()
	await.Until(t, "looks", func() bool { return len(r.asked()) >= n })
	asked := r.asked()
	passed, most := time.Since(begun), 0
	for _, d := range every {
		most += int(passed/(d*3/4)) + 1
	}
	if exists := countOp(asked, faultproxy.OpExists); exists != len(asked) || exists > most {
		t.Errorf("%d requests in %v; want %d exists at most:\n%s", len(asked), passed, most, describe(asked))
	}
}

func countOp(frames []faultproxy.Frame, op faultproxy.Op) (n int) {
	for _, f := range frames {
		if f.Op == op {
			n++
		}
	}
	return n
}

// watchesBy returns which sessions watch what at and below a path.
func watchesBy(t *testing.T, e shared.Servers, path string) map[string][]string {
	t.Helper()
	by := map[string][]string{}
	if s, simulated := e.(*shared.Stage); simulated {
		for _, w := range s.Watches() {
			if id := fmt.Sprintf("0x%x", w.Session); !w.Child && strings.HasPrefix(w.Path, path) { // wchp lists no others
				by[id] = append(by[id], w.Path)
			}
		}
		return by
	}
	for _, s := range e.(*ensemble.Ensemble).Servers() {
		answer, err := s.Command(within(t), "wchp")
		if err != nil {
			t.Fatal(err)
		}
		node := ""
		for line := range strings.Lines(answer) {
			line = strings.TrimRight(line, "\r\n")
			if strings.HasPrefix(line, "/") {
				node = line
			} else if id := strings.TrimSpace(line); id != "" && strings.HasPrefix(node, path) {
				by[id] = append(by[id], node)
			}
		}
	}
	return by
}

func TestADepartureWakesOneCandidateOfTwenty(t *testing.T) {
	const n = 20
	onBoth(t, func(t *testing.T, e shared.Servers) {
		path := pathFor(t)
		var all []*candidate
		var records []*record
		nodes := make([]string, n)
		for i := range n {
			w := wireTo(t, e)
			records = append(records, w.record())
			all = append(all, run(t, open(t, w, patient), path, fmt.Sprint(i), election.Config{}))
			nodes[i] = all[i].events.wait(election.EventJoined, 1).Node
		}
		all[0].term()
		all[1].events.wait(election.EventHeir, 1)

		// Each watches its own znode and the one ahead, and nothing else.
		want := func(i int) []string {
			if i == 0 {
				return nodes[:1]
			}
			return []string{nodes[i-1], nodes[i]}
		}
		await.Until(t, "two watches each", func() bool {
			by := watchesBy(t, e, path)
			for i, c := range all {
				got := by[fmt.Sprintf("0x%x", c.client.Status().Session)]
				if len(got) != len(want(i)) {
					return false
				}
				for _, node := range want(i) {
					if !strings.Contains(strings.Join(got, " "), node) {
						t.Fatalf("%d watches %v; want %v", i, got, want(i))
					}
				}
			}
			return true
		})

		// One in the middle goes: the one behind it is told, and nobody else. Then the leader.
		for _, gone := range []int{10, 0} {
			behind := gone + 1
			for _, r := range records {
				r.Reset()
			}
			// Waiting is cut short for nobody: the others' next re-check is T away.
			all[gone].stop()
			if gone == 0 {
				all[behind].term()
			} else {
				await.Until(t, "step up", func() bool { return all[behind].Status().Position == behind-1 })
			}
			told := 0
			for i, r := range records {
				for _, f := range r.All() {
					if f.Op == faultproxy.OpEvent && i != gone {
						notice := strings.HasPrefix(f.Path, "/zkrecipe/beats"+nodes[gone][len(path):])
						if i != behind || f.Path != nodes[gone] && !notice {
							t.Errorf("%d was told of %s", i, f.Path)
						}
						if !notice {
							told++
						}
					}
				}
				if lists := countOp(r.asked(), faultproxy.OpGetChildren2); lists != 0 {
					t.Errorf("%d listed the line %d times", i, lists)
				}
			}
			if told != 1 {
				t.Errorf("%d events for one departure", told)
			}
		}
	})
}
