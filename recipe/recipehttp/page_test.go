package recipehttp_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/recipehttp"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestAnObserverShowsLeaderHeirLineAndWhoLedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := servers(t)
		page, _ := newPage(t, open(t, e, "observer"), recipehttp.Config{})
		if s := look(t, page); s.Leader != nil || s.Path != path {
			t.Errorf("at first: %+v", s)
		}
		await.Sleep(time.Minute)
		if s := look(t, page); !s.Known || s.Leader != nil || len(s.Line) != 0 || s.Connection.State != "connected" {
			t.Errorf("before anybody stands: %+v", s)
		}
		for _, name := range []string{"a", "b", "c"} {
			stand(t, open(t, e, name), election.Config{ID: name, Data: []byte("secret-address")}, obedient)
			await.Sleep(time.Second)
		}
		await.Sleep(time.Minute)
		s := look(t, page)
		if s.Leader == nil || s.Leader.ID != "a" || s.Heir == nil || s.Heir.ID != "b" || !slices.Equal(s.ids(), []string{"a", "b", "c"}) {
			t.Fatalf("leader %+v, heir %+v, line %v", s.Leader, s.Heir, s.ids())
		}
		if s.Lease != nil || len(s.Candidates) != 0 || s.Leader.Here {
			t.Errorf("an observer knows too much: %+v", s)
		}
		first := s.Leader.Token
		e.Host("a").Hold() // a's machine is cut off
		await.Sleep(time.Minute)
		s = look(t, page)
		if s.Leader.ID != "b" || s.Heir.ID != "c" || !slices.Equal(s.ids(), []string{"b", "c"}) {
			t.Errorf("after a failover: leader %+v, heir %+v, line %v", s.Leader, s.Heir, s.ids())
		}
		if len(s.Terms) != 2 || s.Terms[0].Token != s.Leader.Token || s.Terms[0].End != nil ||
			s.Terms[1].Token != first || s.Terms[1].End == nil || s.Terms[1].Reason != "" || s.Terms[1].ID != "a" {
			t.Errorf("terms: %+v", s.Terms)
		}
		if body := get(page, "GET", "/?format=json").Body.String(); strings.Contains(body, "secret-address") {
			t.Error("data are shown unasked")
		}
		e.Host("a").Heal()
	})
}

func TestACandidatesProcessShowsItsLeaseAndItsReasons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := servers(t)
		client := open(t, e, "a")
		page, view := newPage(t, client, recipehttp.Config{Data: true})
		await.Sleep(time.Minute)
		el, _ := stand(t, client, election.Config{ID: "a", Data: []byte("10.0.0.7:80")}, obedient, view)
		view.Add(el) // once more does no harm
		await.Sleep(time.Minute)
		b, _ := stand(t, open(t, e, "b"), election.Config{ID: "b"}, obedient)
		await.Sleep(time.Minute)
		s := look(t, page)
		if !s.Leader.Here || s.Heir.Here || s.Leader.Data != "10.0.0.7:80" {
			t.Errorf("leader %+v, heir %+v", s.Leader, s.Heir)
		}
		if s.Lease == nil || s.Lease.RemainingMS < 2900 || s.Lease.RemainingMS > 4000 || s.Lease.LengthMS != 4000 || s.Connection.LeaseMS != 4000 {
			t.Errorf("lease: %+v; want three quarters of 4 s or more", s.Lease)
		}
		if len(s.Terms) != 1 || s.Terms[0].Before || !s.Terms[0].Here {
			t.Errorf("terms: %+v", s.Terms)
		}
		e.Host("a").Hold()
		e.Host("a").Cut()
		await.Sleep(2 * time.Second)
		if s = look(t, page); s.Connection.State != "suspended" || s.Leader == nil || s.Leader.ID != "a" || s.Leader.Token == "" {
			t.Errorf("without a connection: %v, leader %+v", s.Connection, s.Leader)
		}
		await.Sleep(10 * time.Second)
		if s = look(t, page); s.Lease != nil || s.Terms[0].End == nil || s.Terms[0].Reason != recipe.ReasonLeaseExpired.String() {
			t.Errorf("after the lease: %+v, terms %+v", s.Lease, s.Terms)
		}
		if c := s.Candidates[0]; c.ID != "a" || c.LastReason != recipe.ReasonLeaseExpired.String() {
			t.Errorf("own candidate: %+v", c)
		}
		await.Sleep(time.Minute)
		if c := look(t, page).Candidates[0]; c.State != "joining" || c.TryingSince == nil || c.Position != nil {
			t.Errorf("own candidate, out of the line: %+v", c)
		}
		e.Host("a").Heal()
		await.Sleep(time.Minute)
		s = look(t, page)
		if s.Leader.ID != "b" || s.Leader.Here || !s.Heir.Here || s.Candidates[0].State != "heir" || *s.Candidates[0].Position != 1 {
			t.Errorf("back in line: leader %+v, heir %+v, own %+v", s.Leader, s.Heir, s.Candidates)
		}
		if len(s.Terms) != 2 || s.Terms[0].ID != "b" || s.Terms[0].Token != fmt.Sprint(b.Status().Token) {
			t.Errorf("terms: %+v", s.Terms)
		}
	})
}

func TestTheErrorOfACallbackIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := open(t, servers(t), "a")
		page, view := newPage(t, client, recipehttp.Config{})
		stand(t, client, election.Config{ID: "a"}, func(context.Context, *election.Term) error {
			return errors.New("no \u202edatabase" + strings.Repeat("!", 1000))
		}, view)
		await.Sleep(time.Minute)
		if c := look(t, page).Candidates[0]; c.LastReason != "returned" || !strings.HasPrefix(c.LastErr, "no \ufffddatabase!") || len(c.LastErr) > 600 {
			t.Errorf("%+v; want the callback's error, cleaned and shortened", c)
		}
	})
}

// A candidate that cannot take over when the leader falls silent says so on the page.
func TestWhatMakesAChangeOfLeaderSlowerIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := servers(t)
		client := open(t, e, "a")
		s, err := client.Session(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.EnsureNode(t.Context(), path, []byte("not ours"), nil); err != nil {
			t.Fatal(err)
		}
		page, view := newPage(t, client, recipehttp.Config{})
		el, _ := stand(t, client, election.Config{ID: "a"}, obedient)
		view.Add(el)
		await.Sleep(time.Minute)
		if c := look(t, page).Candidates[0]; !strings.Contains(c.Impaired, path) {
			t.Errorf("%+v does not tell of the data in %s", c, path)
		}
	})
}

// requests counts what the servers were asked in an interval.
func requests(e *zktest.Ensemble, during func()) (reads, lists int) {
	before := e.Counts().Requests
	during()
	after := e.Counts().Requests
	lists = after[zktest.OpGetChildren] + after[zktest.OpGetChildren2] - before[zktest.OpGetChildren] - before[zktest.OpGetChildren2]
	return after[zktest.OpGetData] - before[zktest.OpGetData], lists
}

func TestManyViewersCostAsMuchAsOneAndNobodyCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := servers(t)
		const candidates = 5
		for i := range candidates {
			stand(t, open(t, e, fmt.Sprint(i)), election.Config{}, obedient)
		}
		await.Sleep(time.Minute)
		idle, _ := requests(e, func() { await.Sleep(10 * time.Second) })
		page, _ := newPage(t, open(t, e, "observer"), recipehttp.Config{})
		await.Sleep(time.Minute)
		alone, lists := requests(e, func() { await.Sleep(10 * time.Second) })
		// The observer looks after its leader's znode once per session timeout; what candidates
		// read varies.
		if alone > idle+5 || lists != 0 {
			t.Errorf("a page that nobody looks at reads %d times in 10 s and lists %d times; candidates alone read %d times", alone, lists, idle)
		}
		watched, lists := requests(e, func() {
			for range 100 { // 10 s
				answers := make(chan int)
				for range 20 {
					go func() { answers <- get(page, "GET", "/?format=json").Code }()
				}
				for range 20 {
					if code := <-answers; code != 200 {
						t.Errorf("status %d", code)
					}
				}
				await.Sleep(100 * time.Millisecond)
			}
		})
		if lists < 9 || lists > 11 || watched > alone+11*candidates {
			t.Errorf("2,000 requests in 10 s read %d times and list %d times; want at most %d and 11", watched, lists, alone+11*candidates)
		}
	})
}

func TestALongLineIsReadMoreRarelyAndShownInPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := servers(t)
		client := open(t, e, "many")
		for range 200 {
			stand(t, client, election.Config{}, obedient)
		}
		page, _ := newPage(t, client, recipehttp.Config{})
		await.Sleep(time.Minute)
		_, lists := requests(e, func() {
			for range 30 {
				await.Sleep(time.Second)
				look(t, page)
			}
		})
		if lists < 14 || lists > 16 { // every 2 s
			t.Errorf("a line of 200 is read %d times in 30 s; want 15", lists)
		}
		if s := look(t, page); len(s.Line) != 100 || s.LineTotal != 200 {
			t.Errorf("%d of %d are shown; want 100 of 200", len(s.Line), s.LineTotal)
		}
	})
}

func TestAFrozenEnsembleDoesNotHoldUpThePage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := servers(t)
		page, _ := newPage(t, open(t, e, "observer"), recipehttp.Config{})
		stand(t, open(t, e, "a"), election.Config{ID: "a"}, obedient)
		await.Sleep(time.Minute)
		look(t, page)
		for _, s := range e.Servers() {
			s.Freeze()
		}
		for range 60 {
			await.Sleep(time.Second)
			begin := time.Now()
			if s := look(t, page); s.Leader == nil || s.Leader.ID != "a" {
				t.Fatalf("what was known is forgotten: %+v", s)
			}
			if d := time.Since(begin); d > time.Second {
				t.Fatalf("an answer took %v", d)
			}
		}
		if s := look(t, page); !s.LineFailed || s.Connection.State == "connected" {
			t.Errorf("the page does not say that it is old: %+v", s)
		}
		for _, s := range e.Servers() {
			s.Thaw()
		}
	})
}

func TestAClosedPageShowsWhatWasKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := servers(t)
		client := open(t, e, "observer")
		page, view := newPage(t, client, recipehttp.Config{})
		_, stop := stand(t, open(t, e, "a"), election.Config{ID: "a"}, obedient, view)
		await.Sleep(time.Minute)
		look(t, page)
		page.Close()
		page.Close()
		stop()
		if s := look(t, page); s.Leader == nil || s.Leader.ID != "a" || s.Ended == "" || s.Terms[0].End != nil {
			t.Errorf("a closed page shows %+v", s)
		}
		if _, err := page.Observe(client, path); err == nil {
			t.Error("a closed page follows another election")
		}
		// The bubble fails the test if a goroutine is left.
	})
}

func TestAnElectionThatMustNotBeReadIsSaidSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := servers(t)
		stand(t, open(t, e, "a"), election.Config{ID: "a"}, obedient)
		await.Sleep(time.Minute)
		e.On(zktest.Match{Path: path + "*", Host: "observer"}, zktest.Fail(zktest.CodeNoAuth))
		page, _ := newPage(t, open(t, e, "observer"), recipehttp.Config{})
		await.Sleep(time.Minute)
		if s := look(t, page); s.Known || s.Leader != nil || s.Ended == "" || !s.LineFailed {
			t.Errorf("it shows %+v", s)
		}
	})
}

func TestSeveralElectionsAreOnOnePage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := servers(t)
		client := open(t, e, "observer")
		page, _ := newPage(t, client, recipehttp.Config{Title: "Both"})
		if _, err := page.Observe(client, "/other"); err != nil {
			t.Fatal(err)
		}
		body := get(page, "GET", "/?format=json").Body.String()
		if !strings.Contains(body, `"title":"Both"`) || strings.Index(body, `"/other"`) < strings.Index(body, `"/billing"`) {
			t.Errorf("the JSON is %s", body)
		}
		if _, err := page.Observe(client, "bad"); err == nil {
			t.Error("a bad path is followed")
		}
		if _, err := page.Observe(nil, path); err == nil {
			t.Error("a nil client is followed")
		}
	})
}

func TestBadConfigsAreRefused(t *testing.T) {
	for _, cfg := range []recipehttp.Config{{Terms: -1}, {Terms: 1001}, {Refresh: time.Millisecond}, {Refresh: time.Hour}} {
		if page, err := recipehttp.New(cfg); err == nil || page != nil || !strings.Contains(err.Error(), "want") {
			t.Errorf("%+v: %v, %v", cfg, page, err)
		}
	}
}

func TestAnAnswerDoesNotWaitForEachElectionInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := servers(t)
		client := open(t, e, "a")
		page, _ := newPage(t, client, recipehttp.Config{})
		for i := range 20 {
			if _, err := page.Observe(client, fmt.Sprintf("%s/%d", path, i)); err != nil {
				t.Fatal(err)
			}
		}
		await.Sleep(time.Minute)
		e.Host("a").Hold()
		begin := time.Now()
		get(page, "GET", "/?format=json")
		if took := time.Since(begin); took > time.Second {
			t.Errorf("it took %v while no server answers", took)
		}
		e.Host("a").Heal()
	})
}
