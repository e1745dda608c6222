package zktest_test

import (
	"context"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/hold"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestRealServersCarryOutAHeldWriteAsOursDo(t *testing.T) {
	for release, version := range map[zktest.Release]string{zktest.Release380: "", zktest.Release395: string(zktest.Release395)} {
		for name, run := range heldPrograms {
			t.Run(string(release)+" "+name, func(t *testing.T) { run(holdReal(t, version)) })
		}
	}
}

// holdReal starts real servers, and a debugger of a follower.
func holdReal(t *testing.T, version string) holding {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	e := ensemble.ForTest(t, ensemble.Config{Servers: 3, Tick: tick, Version: version, Debug: true})
	if e.External() {
		t.Skip("SKIP: the servers are somebody else's")
	}
	f, err := e.Follower(ctx) // the one with the lower number: the other one is elected
	must(err)
	leader, err := e.Leader(ctx)
	must(err)
	vm, err := hold.Attach(ctx, hold.Address(f.DebugAddr()))
	must(err)
	t.Cleanup(func() { vm.Close() })
	var held *hold.Held
	return holding{
		trace: &trace{t: t, dial: dialReal(t, e, 3), sessions: map[int64]string{}},
		hold: func() {
			held, err = vm.Hold(ctx, hold.Request)
			must(err)
		},
		reached: func() {
			_, err := held.Wait(ctx)
			must(err)
		},
		release: func() { must(held.Release(ctx)) },
		depose:  func() { must(leader.Kill()) },
		follows: func() {
			await.Until(t, "another leader", func() bool {
				mode, err := f.Mode(ctx)
				return err == nil && mode == "follower"
			})
		},
	}
}
