package recipehttp_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/recipe/recipehttp"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// forAll makes paths below which everybody may make znodes.
func forAll(t *testing.T, client *session.Client, paths ...string) {
	t.Helper()
	s, err := client.Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(paths, "/zkrecipe/beats") {
		if err := s.EnsurePath(t.Context(), path, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// Some candidates have got credentials already, and the page has none.
func TestAHiddenLeaderIsShownAsHidden(t *testing.T) {
	for _, release := range []zktest.Release{zktest.Release380, zktest.Release395} { // the newer wants READ for exists
		t.Run(string(release), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := serversOf(t, release)
				client := open(t, e, "a")
				forAll(t, client, path)
				secret := open(t, e, "secret", session.Digest("u", "p"))
				first, stop := stand(t, secret, election.Config{ID: "secret", Data: []byte("address")}, obedient)
				await.Sleep(time.Minute)
				page, view := newPage(t, client, recipehttp.Config{Data: true})
				stand(t, client, election.Config{ID: "a"}, obedient, view)
				await.Sleep(time.Minute)
				want := place{Node: first.Status().Node, Hidden: true}
				s := look(t, page)
				if s.Leader == nil || *s.Leader != want || s.Lease != nil || s.Ended != "" {
					t.Fatalf("leader %+v, lease %+v, ended %q; want %+v", s.Leader, s.Lease, s.Ended, want)
				}
				if s.Heir == nil || s.Heir.ID != "a" || s.Heir.Hidden || !s.Heir.Here || len(s.Line) != 2 {
					t.Errorf("heir %+v, line %+v", s.Heir, s.Line)
				}
				if c := s.Terms; len(c) != 1 || c[0].Node != want.Node || !c[0].Hidden || !c[0].Before || c[0].End != nil || c[0].Token != "" || c[0].ID != "" {
					t.Errorf("terms: %+v", s.Terms)
				}

				stop()
				await.Sleep(5 * time.Second) // T/4, and some more
				s = look(t, page)
				if s.Leader == nil || s.Leader.ID != "a" || s.Leader.Hidden || s.Leader.Token == "" || s.Lease == nil {
					t.Fatalf("leader %+v, lease %+v; want a", s.Leader, s.Lease)
				}
				if c := s.Terms; len(c) != 2 || c[0].ID != "a" || c[0].Hidden || c[0].Token != s.Leader.Token || c[1].Node != want.Node || c[1].End == nil {
					t.Errorf("terms: %+v", s.Terms)
				}
			})
		})
	}
}

func TestAHiddenMemberIsShownAsHidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := servers(t)
		client := open(t, e, "a")
		forAll(t, client, "/g")
		secret := must(group.New(open(t, e, "secret", session.Digest("u", "p")), "/g", group.Config{ID: "secret"}))
		open := must(group.New(client, "/g", group.Config{ID: "open"}))
		must(secret.Join(t.Context()))
		must(open.Join(t.Context()))
		list := open.Watch()
		defer list.Close()
		page := emptyPage(t, recipehttp.Config{})
		page.Add(list)
		await.Sleep(time.Minute)
		hidden := 0
		for _, m := range lookAtOwn(t, page).Groups[0].Members {
			if m.Hidden {
				hidden++
			}
			if m.Hidden != (m.Token == "") || m.Hidden != (m.Session == "") || m.Hidden == (m.ID == "open") {
				t.Errorf("%+v", m)
			}
		}
		if hidden != 1 {
			t.Errorf("%d members are hidden", hidden)
		}
	})
}
