package semaphore_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// data makes the znode that holders of permits write, and returns what reads it.
func (s *stage) data() (read func() string) {
	s.T.Helper()
	admin := s.Admin()
	if err := admin.EnsurePath(s.T.Context(), "/data", nil); err != nil {
		s.T.Fatal(err)
	}
	return func() string {
		data, _, err := admin.Get(s.T.Context(), "/data")
		if err != nil {
			s.T.Error(err)
		}
		return string(data)
	}
}

// write writes the znode, guarded by a permit.
func write(p *semaphore.Permit, text string) error {
	results, err := p.Multi(context.Background(), &zk.SetDataRequest{Path: "/data", Data: []byte(text), Version: -1})
	if err == nil && len(results) != 1 {
		return fmt.Errorf("results of one operation: %+v", results)
	}
	return err
}

// A guarded write that arrives after the permit is lost is never carried out, however many znodes
// the permit has. In some rounds the session has moved to another server before the write arrives,
// so that no guard is needed: hence several.
func TestALateGuardedWriteDoesNotLand(t *testing.T) {
	for i := range 16 {
		n := []int{1, 3}[i%2]
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			onStage(t, n, zktest.Config{}, func(t *testing.T, s *stage) {
				read := s.data()
				a, b := s.process("a"), s.process("b")
				first := <-a.begin(n)
				if err := write(first, "first"); err != nil {
					t.Fatal(err)
				}
				await.Sleep(stageD)
				a.host.Hold(zktest.ToServer)
				written := make(chan error, 1)
				go func() { written <- write(first, "late") }()
				second := <-b.begin(n)
				if err := write(second, "second"); err != nil {
					t.Fatal(err)
				}
				a.host.Heal()
				if err := <-written; err == nil {
					t.Error("the late write has landed")
				}
				await.Sleep(2 * stageT)
				if text := read(); text != "second" {
					t.Errorf("data %q", text)
				}
				s.release(second)
			})
		})
	}
}

// One of the permit's znodes is deleted, so that another has got a part of it, and the holder does
// not hear of it.
func TestAGuardedWriteNeedsEachZnodeOfThePermit(t *testing.T) {
	const n = 3
	for i := range n {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			onStage(t, n, zktest.Config{}, func(t *testing.T, s *stage) {
				read := s.data()
				a := s.process("a")
				p := <-a.begin(n)
				a.host.Hold(zktest.ToClient)
				leases := s.below("leases")
				slices.SortFunc(leases, func(a, b zktest.Node) int { // their names begin with random ids
					return cmp.Compare(a.Path[len(a.Path)-10:], b.Path[len(b.Path)-10:])
				})
				if err := s.Admin().Delete(t.Context(), leases[i].Path, -1); err != nil {
					t.Fatal(err)
				}
				written := make(chan error, 1)
				go func() { written <- write(p, "late") }()
				await.Sleep(100 * time.Millisecond)
				if !p.Valid() {
					t.Fatal("it has heard of it")
				}
				a.host.Heal()
				if err := <-written; !errors.Is(err, recipe.ErrNotHeld) {
					t.Errorf("%v; want %v", err, recipe.ErrNotHeld)
				}
				if text := read(); text != "" {
					t.Errorf("data %q", text)
				}
			})
		})
	}
}
