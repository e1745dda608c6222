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

// keep runs a keeper until the test ends, whose terms are told to led.
func keep(t *testing.T, e *zktest.Ensemble, shard, me string, led chan<- string) {
	t.Helper()
	client, err := session.Open(e.ConnectString(), session.Config{Timeout: 2 * time.Second})
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

// The better one comes last each time, so that the others stand ahead of it.
func TestALeaderGivesWayToABetterOneAndToNoOther(t *testing.T) {
	t.Parallel()
	lists := make(chan struct{}, 1000)
	e := zktest.Start(t, zktest.Config{Tick: 200 * time.Millisecond, OnRequest: func(r zktest.Request) {
		if r.Path == "/s01" && (r.Op == zktest.OpGetChildren || r.Op == zktest.OpGetChildren2) {
			lists <- struct{}{}
		}
	}})
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
	select {
	case p := <-led:
		t.Errorf("%s leads after the best did", p)
	default:
	}
}
