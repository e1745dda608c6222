package recipehttp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/recipehttp"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
)

// must returns what a constructor has made.
func must[T any](made T, err error) T {
	if err != nil {
		panic(err)
	}
	return made
}

// own is the JSON of this process's recipes as a reader sees it.
type own struct {
	Locks []struct {
		Kind, Path, ID string
		Size           int
		Acquired, Lost uint64
		Ended          map[string]uint64
		Total          int `json:"claims_total"`
		Claims         []struct {
			State, Token, Reason, Node string
			Position                   *int
			Slots                      []int
			LeaseMS                    int64      `json:"lease_ms"`
			TryingSince                *time.Time `json:"trying_since"`
		}
	}
	LocksTotal int `json:"locks_total"`
	Members    []struct {
		Path, ID, Token, Over string
		Listed                bool
		LastReason            string `json:"last_reason"`
	}
	Groups []struct {
		Path    string
		Known   bool
		Members []place
		Total   int   `json:"members_total"`
		AgeMS   int64 `json:"age_ms"`
		Ended   string
	}
	Caches []struct {
		Path              string
		Loaded, Following bool
		Nodes             int
		Ended             string
	}
}

func lookAtOwn(t *testing.T, page *recipehttp.Page) (o own) {
	t.Helper()
	w := get(page, "GET", "/?format=json")
	if err := json.Unmarshal(w.Body.Bytes(), &o); err != nil || w.Code != 200 {
		t.Fatalf("status %d, %v\n%s", w.Code, err, w.Body)
	}
	return o
}

func emptyPage(t *testing.T, cfg recipehttp.Config) *recipehttp.Page {
	page := must(recipehttp.New(cfg))
	t.Cleanup(page.Close)
	return page
}

// An election that was added is shown as one that is observed and was told of the candidate.
func TestAnElectionMayBeAddedLikeAnyRecipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := open(t, servers(t), "a")
		el := must(election.New(client, path, election.Config{ID: "a"}))
		observed, view := newPage(t, client, recipehttp.Config{})
		added := emptyPage(t, recipehttp.Config{})
		view.Add(el)
		added.Add(el, el)
		observed.Add(el) // it is there already
		term := must(el.Campaign(t.Context()))
		await.Sleep(time.Minute)
		if got, want := get(added, "GET", "/?format=json").Body.String(), get(observed, "GET", "/?format=json").Body.String(); got != want {
			t.Errorf("added:\n%s\nobserved:\n%s", got, want)
		}
		if s := look(t, added); s.Leader == nil || !s.Leader.Here || s.Lease == nil || len(s.Candidates) != 1 || len(s.Terms) != 1 {
			t.Errorf("%+v", s)
		}
		added.Remove(el)
		observed.Remove(el)
		term.Release(t.Context())
		await.Sleep(time.Minute)
		var all struct{ Elections []any }
		if err := json.Unmarshal(get(added, "GET", "/?format=json").Body.Bytes(), &all); err != nil || len(all.Elections) != 0 {
			t.Errorf("what was removed is shown: %v, %v", all, err)
		}
		if s := look(t, observed); len(s.Candidates) != 0 || len(s.Terms) != 1 {
			t.Errorf("what is observed is shown on, without the candidate: %+v", s)
		}
		added.Add(el)
		if s := look(t, added); len(s.Candidates) != 1 {
			t.Errorf("added again: %+v", s)
		}
		added.Close()
		added.Remove(el)
		added.Add(el) // a page that is closed shows nothing new
	})
}

func TestThePageShowsLocksAndSemaphores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := servers(t)
		client := open(t, e, "a")
		l, idle := must(lock.New(client, "/l", lock.Config{ID: "me"})), must(lock.New(client, "/idle", lock.Config{}))
		sem := must(semaphore.New(client, "/s", 2, semaphore.Config{Slots: true}))
		rw := must(lock.NewRW(client, "/rw", lock.Config{}))
		page := emptyPage(t, recipehttp.Config{})
		page.Add(idle, l, sem, rw, l)
		held := must(l.Acquire(t.Context()))
		go l.Acquire(t.Context())
		permit := must(sem.Acquire(t.Context()))
		read := must(rw.Read().Acquire(t.Context()))
		await.Sleep(time.Minute)
		o := lookAtOwn(t, page)
		if len(o.Locks) != 5 || o.LocksTotal != 5 {
			t.Fatalf("%+v", o.Locks)
		}
		first := o.Locks[0] // somebody waits for it
		if first.Kind != "lock" || first.Path != "/l" || first.ID != "me" || first.Total != 2 || first.Acquired != 1 {
			t.Errorf("%+v", first)
		}
		if c := first.Claims[0]; c.State != "held" || c.Token != fmt.Sprint(held.Token()) || c.LeaseMS < 2000 || c.Position != nil {
			t.Errorf("what is held: %+v", c)
		}
		if c := first.Claims[1]; c.State != "waiting" || c.Position == nil || *c.Position != 1 || c.TryingSince != nil {
			t.Errorf("what waits: %+v", c)
		}
		if s := o.Locks[1]; s.Kind != "semaphore" || s.Size != 2 || len(s.Claims[0].Slots) != 1 {
			t.Errorf("the semaphore: %+v", s)
		}
		if s := o.Locks[2]; s.Kind != "read lock" || len(s.Claims) != 1 {
			t.Errorf("the reader: %+v", s)
		}
		if s := o.Locks[4]; s.Kind != "lock" || len(s.Claims) != 0 {
			t.Errorf("the last: %+v", s)
		}
		client2 := client.Status().Session
		e.ExpireSession(client2)
		await.Sleep(time.Second)
		o = lookAtOwn(t, page)
		if o.Locks[0].Lost != 1 || len(o.Locks[0].Ended) != 1 {
			t.Errorf("after a loss: %+v", o.Locks[0])
		}
		page.Remove(l, sem, rw)
		if o := lookAtOwn(t, page); o.LocksTotal != 1 || o.Locks[0].Path != "/idle" {
			t.Errorf("after Remove: %+v", o.Locks)
		}
		held.Release(t.Context())
		permit.Release(t.Context())
		read.Release(t.Context())
	})
}

// One path for each object: the page stays small, and shows those first that somebody waits for.
func TestOfManyLocksThoseAreShownThatAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := servers(t)
		client, other := open(t, e, "a"), open(t, e, "b")
		page := emptyPage(t, recipehttp.Config{})
		var last *lock.Lock
		for i := range 1000 {
			last = must(lock.New(client, fmt.Sprintf("/objects/%d", i), lock.Config{}))
			page.Add(last)
		}
		held := must(must(lock.New(other, last.Path(), lock.Config{})).Acquire(t.Context()))
		for range 50 {
			go last.Acquire(t.Context())
		}
		await.Sleep(time.Second)
		o := lookAtOwn(t, page)
		if len(o.Locks) != 100 || o.LocksTotal != 1000 || o.Locks[0].Path != last.Path() || o.Locks[0].Total != 50 || len(o.Locks[0].Claims) != 20 {
			t.Errorf("%d of %d are shown, the first is %+v", len(o.Locks), o.LocksTotal, o.Locks[0])
		}
		held.Release(t.Context())
		client.Close()
	})
}

func TestThePageShowsGroupsAndCaches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := servers(t)
		client := open(t, e, "a")
		g := must(group.New(client, "/g", group.Config{ID: "worker-7", Data: []byte("secret-address")}))
		member, list := must(g.Join(t.Context())), g.Watch()
		small := must(cache.New(client, "/", cache.Config{MaxNodes: 1}))
		files := must(cache.New(client, "/g", cache.Config{}))
		page := emptyPage(t, recipehttp.Config{})
		page.Add(member, list, files, small)
		await.Sleep(time.Minute)
		o := lookAtOwn(t, page)
		if len(o.Members) != 1 || !o.Members[0].Listed || o.Members[0].ID != "worker-7" || o.Members[0].Path != "/g" {
			t.Errorf("members: %+v", o.Members)
		}
		if g := o.Groups; len(g) != 1 || !g[0].Known || g[0].Total != 1 || g[0].Members[0].ID != "worker-7" || g[0].AgeMS > 10_000 || g[0].Members[0].Data != "" {
			t.Errorf("groups: %+v", g)
		}
		if c := o.Caches; len(c) != 2 || !c[0].Following || c[0].Nodes != 2 || c[1].Ended == "" {
			t.Errorf("caches: %+v", c)
		}
		if body := get(page, "GET", "/?format=json").Body.String(); strings.Contains(body, "secret-address") {
			t.Error("data are shown unasked")
		}
		told := emptyPage(t, recipehttp.Config{Data: true})
		told.Add(list)
		if o := lookAtOwn(t, told); o.Groups[0].Members[0].Data != "secret-address" {
			t.Errorf("data are not shown: %+v", o.Groups)
		}
		member.Leave(t.Context())
		await.Sleep(time.Second)
		if o := lookAtOwn(t, page); o.Members[0].Listed || o.Members[0].Over == "" || o.Members[0].LastReason != "released" || o.Groups[0].Total != 0 {
			t.Errorf("after Leave: %+v, %+v", o.Members, o.Groups)
		}
		list.Close()
		files.Close()
		small.Close()
	})
}

// Nothing answers: neither the page nor the probe waits, and neither holds up a release.
func TestAnEnsembleThatIsCutOffHoldsUpNeitherPageNorProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := servers(t)
		client := open(t, e, "a")
		l := must(lock.New(client, "/l", lock.Config{}))
		page := emptyPage(t, recipehttp.Config{})
		page.Add(l)
		held := must(l.Acquire(t.Context()))
		e.Host("a").Hold()
		begun := time.Now()
		lookAtOwn(t, page)
		get(recipehttp.Health(recipehttp.HealthConfig{}, l), "GET", "/")
		if d := time.Since(begun); d != 0 {
			t.Errorf("they took %v", d)
		}
		e.Host("a").Heal()
		if err := held.Release(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestWorkThatGoesOnAfterALockFailsTheProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := servers(t)
		client := open(t, e, "a")
		l := must(lock.New(client, "/l", lock.Config{}))
		stop := make(chan struct{})
		go func() {
			l.Do(t.Context(), func(context.Context, *lock.Held) error { <-stop; return nil })
		}()
		sem := must(semaphore.New(client, "/s", 2, semaphore.Config{}))
		go func() {
			sem.Do(t.Context(), func(context.Context, *semaphore.Permit) error { <-stop; return nil })
		}()
		await.Sleep(time.Minute)
		probe(t, recipehttp.HealthConfig{}, 200, "1 held", l)
		e.ExpireSession(client.Status().Session)
		await.Sleep(20 * time.Second)
		probe(t, recipehttp.HealthConfig{}, 200, "1 ending", l)
		await.Sleep(time.Hour)
		probe(t, recipehttp.HealthConfig{}, 503, "the lock ended", l)
		probe(t, recipehttp.HealthConfig{}, 503, "the permit ended", sem)
		probe(t, recipehttp.HealthConfig{Overrun: -1}, 200, "1 ending", l)
		close(stop)
		synctest.Wait()
		probe(t, recipehttp.HealthConfig{}, 200, "0 held, 0 waiting, 0 ending", l)
		// A caller of Acquire need not release what is lost.
		held := must(l.Acquire(t.Context()))
		e.ExpireSession(client.Status().Session)
		<-held.Context().Done()
		await.Sleep(25 * time.Second)
		probe(t, recipehttp.HealthConfig{Overrun: time.Second}, 200, "", l)
	})
}

func TestALockThatIsWaitedForIsHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := servers(t)
		rw := must(lock.NewRW(open(t, e, "a"), "/l", lock.Config{}))
		held := must(rw.Write().Acquire(t.Context()))
		go rw.Read().Acquire(t.Context())
		await.Sleep(time.Hour)
		probe(t, recipehttp.HealthConfig{}, 200, "/l for reading, ", rw)
		probe(t, recipehttp.HealthConfig{}, 200, "1 waiting", rw)
		held.Release(t.Context())
	})
}

func TestWhatCannotGetInFailsTheProbeInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := servers(t)
		client := open(t, e, "a")
		sem := must(semaphore.New(client, "/s", 1, semaphore.Config{}))
		g := must(group.New(client, "/g", group.Config{}))
		member, list := must(g.Join(t.Context())), g.Watch()
		defer list.Close()
		await.Sleep(time.Minute)
		probe(t, recipehttp.HealthConfig{}, 200, "listed for", member, list, sem)
		e.Host("a").Hold()
		go sem.Acquire(t.Context())
		await.Sleep(9 * time.Minute)
		probe(t, recipehttp.HealthConfig{}, 200, "has tried to be listed", member, list, sem)
		await.Sleep(2 * time.Minute)
		probe(t, recipehttp.HealthConfig{}, 503, "could not get into the line", sem)
		probe(t, recipehttp.HealthConfig{}, 503, "could not be listed", member)
		probe(t, recipehttp.HealthConfig{}, 503, "old", list)
		probe(t, recipehttp.HealthConfig{JoinWithin: -1}, 200, "", member, list, sem)
		e.Host("a").Heal()
		await.Sleep(time.Minute)
		probe(t, recipehttp.HealthConfig{}, 200, "members: 1", member, list, sem)
		member.Leave(t.Context())
		probe(t, recipehttp.HealthConfig{}, 200, "left the group", member)
	})
}

func TestACacheThatHasEndedFailsTheProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := servers(t)
		client := open(t, e, "a")
		small, files := must(cache.New(client, "/", cache.Config{MaxNodes: 1})), must(cache.New(client, "/", cache.Config{}))
		await.Sleep(time.Minute)
		probe(t, recipehttp.HealthConfig{}, 503, "nothing is followed", small, files)
		probe(t, recipehttp.HealthConfig{}, 200, "following", files)
		files.Close()
		probe(t, recipehttp.HealthConfig{}, 200, "closed", files)
		small.Close()
	})
}

func TestWhatIsNoRecipeIsRefusedAtOnce(t *testing.T) {
	for name, f := range map[string]func(){
		"page":                  func() { must(recipehttp.New(recipehttp.Config{})).Add((*session.Client)(nil)) },
		"probe":                 func() { recipehttp.Health(recipehttp.HealthConfig{}, "/path") },
		"page with a nil lock":  func() { must(recipehttp.New(recipehttp.Config{})).Add((*lock.Lock)(nil)) },
		"probe with a nil lock": func() { recipehttp.Health(recipehttp.HealthConfig{}, (*lock.Lock)(nil)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("the %s takes it", name)
				}
			}()
			f()
		}()
	}
}
