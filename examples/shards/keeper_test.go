package main

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// patient is for tests in which no lease may end because the machine has other things to do.
func patient(auth ...session.Auth) session.Config {
	return session.Config{Timeout: 20 * time.Second, Lease: 8 * time.Second, Auth: auth}
}

// keep runs a keeper until the test ends, whose terms are told to led.
func keep(t *testing.T, e *zktest.Ensemble, shard, me string, led chan<- string) {
	t.Helper()
	client, err := session.Open(e.ConnectString(), patient())
	if err != nil {
		t.Fatal(err)
	}
	el, err := election.New(client, "/"+shard, election.Config{ID: me})
	if err != nil {
		t.Fatal(err)
	}
	k := &keeper{shard: shard, me: me, el: el}
	k.work = func(ctx context.Context, _ string, _ *election.Term) error {
		led <- me
		<-ctx.Done()
		return context.Cause(ctx)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); k.run(ctx) }()
	t.Cleanup(func() { stop(); <-done; client.Close() })
}

// next returns who begins a term.
func next(t *testing.T, led <-chan string) string {
	t.Helper()
	select {
	case id := <-led:
		return id
	case <-time.After(hang):
		t.Fatal("nobody leads")
		return ""
	}
}

// watched starts servers, and tells of each list of the candidates of s01.
func watched(t *testing.T) (e *zktest.Ensemble, lists chan struct{}) {
	lists = make(chan struct{}, 1000)
	return zktest.Start(t, zktest.Config{Tick: time.Second, OnRequest: func(r zktest.Request) {
		if r.Path == "/s01" && (r.Op == zktest.OpGetChildren || r.Op == zktest.OpGetChildren2) {
			lists <- struct{}{}
		}
	}}), lists
}

// looks waits until the leader has looked at the line some more times.
func looks(t *testing.T, lists chan struct{}) {
	t.Helper()
	for len(lists) > 0 {
		<-lists
	}
	for range 6 {
		select {
		case <-lists:
		case <-time.After(hang):
			t.Fatal("the leader does not look at the line")
		}
	}
}

// The better one comes last each time, so that the others stand ahead of it.
func TestALeaderGivesWayToABetterOneAndToNoOther(t *testing.T) {
	t.Parallel()
	e, lists := watched(t)
	processes := processNames(3)
	worstFirst := slices.Clone(processes)
	slices.SortFunc(worstFirst, func(a, b string) int { return rank("s01", b, processes) - rank("s01", a, processes) })
	led := make(chan string, 100)
	for _, p := range worstFirst {
		keep(t, e, "s01", p, led)
		for next(t, led) != p { // those ahead may lead first
		}
	}
	// The worse two join once more each, which is a list; the others are looks at the line.
	looks(t, lists)
	select {
	case p := <-led:
		t.Errorf("%s leads after the best did", p)
	default:
	}
}

// One that has other credentials waits, and its znode must not be read.
func TestALeaderDoesNotGiveWayToOneThatIsHidden(t *testing.T) {
	t.Parallel()
	e, lists := watched(t)
	processes := processNames(20)
	me := processes[slices.IndexFunc(processes, func(p string) bool { return better("s01", "", p) })]
	led := make(chan string, 100)
	keep(t, e, "s01", me, led)
	next(t, led)
	client, err := session.Open(e.ConnectString(), patient(session.Digest("u", "p")))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	joined := make(chan struct{}, 100)
	other, err := election.New(client, "/s01", election.Config{OnEvent: func(ev election.Event) {
		if ev.Kind == election.EventJoined {
			joined <- struct{}{}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	won := make(chan *election.Term, 1)
	go func() {
		term, _ := other.Campaign(t.Context())
		won <- term
	}()
	<-joined
	looks(t, lists)
	select {
	case <-won:
		t.Error("the leader has given way")
	case <-led:
		t.Error("the leader has led twice")
	default:
	}
}
