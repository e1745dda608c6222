package group_test

import (
	"bytes"
	"errors"
	"testing"

	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Servers whose jute.maxbuffer is small close the connection on a request that is larger, and give
// no reason. Join and Set give up after two connections. All else of the client goes on.
func TestDataThatCostConnectionsAreRefused(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		must(t, s.Admin().EnsurePath(t.Context(), dir, nil))
		large := bytes.Repeat([]byte{'x'}, 10<<10)
		refusing := s.On(zktest.Match{Op: zktest.OpMulti, Path: dir + "/large", Host: "a"}, zktest.LoseRequest)
		client := s.Client("a")
		_, err := join(s.Within(patience), client, dir, group.Config{ID: "large", Data: large})
		var permanent *recipe.PermanentError
		if !errors.As(err, &permanent) || permanent.Path != dir || !errors.Is(err, session.ErrTooLarge) {
			t.Errorf("Join returned %v; want a PermanentError of %s", err, dir)
		}
		shared.Says(t, err, "jute.maxbuffer")
		if n := refusing.Hits(); n != 2 {
			t.Errorf("Join has cost %d connections", n)
		}

		m, err := join(s.Within(patience), client, dir, group.Config{ID: "a", Data: []byte("small")})
		must(t, err)
		l, err := m.Listing(t.Context())
		must(t, err)
		refusing = s.On(zktest.Match{Op: zktest.OpSetData, Path: m.Node(), Host: "a"}, zktest.LoseRequest)
		err = m.Set(s.Within(patience), large)
		if !errors.Is(err, session.ErrTooLarge) {
			t.Errorf("Set returned %v", err)
		}
		shared.Says(t, err, "jute.maxbuffer")
		if n := refusing.Hits(); n != 2 {
			t.Errorf("Set has cost %d connections", n)
		}
		refusing.Remove()
		if nodes := s.listed(); len(nodes) != 1 || string(nodes[0].Data) != "small" || !l.Valid() {
			t.Errorf("%+v; valid %v", nodes, l.Valid())
		}
		s.On(zktest.Match{Op: zktest.OpSetData, Path: m.Node(), Host: "a", Nth: 1}, zktest.LoseRequest)
		must(t, m.Set(s.Within(patience), []byte("next"))) // the connections do not count for it
		if now := s.listed()[0].Data; string(now) != "next" {
			t.Errorf("the next data: %q", now)
		}
	})
}

// What a server refuses for good ends Set, too, and the earlier data stay.
func TestDataThatAreRefusedForGoodEndSet(t *testing.T) {
	for code, cure := range cures {
		onStage(t, 1, func(t *testing.T, s *stage) {
			m := s.join("a", group.Config{ID: "a", Data: []byte("earlier")})
			s.On(zktest.Match{Op: zktest.OpSetData, Path: m.Node(), Host: "a"}, zktest.Fail(code))
			err := m.Set(s.Within(patience), []byte("later"))
			if !session.Permanent(err) || !m.Valid() || string(s.listed()[0].Data) != "earlier" {
				t.Errorf("%v: %v; valid %v", code, err, m.Valid())
			}
			shared.Says(t, err, cure)
		})
	}
}
