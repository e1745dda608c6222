//go:build unix

package recipehttp_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/browser"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/recipehttp"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// evil is an ID, and data, that a careless page would run.
const evil = `<img src=x onerror="window.pwned=1"><script>window.pwned=2</script>`

// realServers starts an ensemble on loopback, in real time. The test takes a session away itself,
// so they are long enough for a machine that has other things to do.
func realServers(t *testing.T) *zktest.Ensemble {
	return zktest.Start(t, zktest.Config{Tick: time.Second, Logf: func(string, ...any) {}})
}

// standAs lets a candidate with a session of its own stand, and returns when it does.
func standAs(t *testing.T, e *zktest.Ensemble, id string, view *recipehttp.View) *session.Client {
	t.Helper()
	client, err := session.Open(e.ConnectString(), session.Config{Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	joined := make(chan struct{}, 100)
	var views []*recipehttp.View
	if id != evil {
		views = append(views, view)
	}
	stand(t, client, election.Config{ID: id, Data: []byte(evil), OnEvent: func(ev election.Event) {
		if ev.Kind == election.EventJoined {
			joined <- struct{}{}
		}
	}}, obedient, views...)
	<-joined
	return client
}

// serve mounts the page under a prefix. While down is true it answers that it is.
func serve(t *testing.T, page http.Handler) (url string, down *atomic.Bool) {
	down = new(atomic.Bool)
	mux := http.NewServeMux()
	mux.Handle("/ops/status/", http.StripPrefix("/ops/status", page))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/ops/status/", down
}

func TestABrowserSeesAFailoverWithoutReloading(t *testing.T) {
	e := realServers(t)
	observer, err := session.Open(e.ConnectString(), session.Config{Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { observer.Close() })
	page, view := newPage(t, observer, recipehttp.Config{Title: evil, Data: true, Refresh: 100 * time.Millisecond})
	url, down := serve(t, page)
	tab := browser.Open(t, url)
	tab.Await(`document.querySelector(".leader").textContent === "nobody"`)
	tab.Eval(`window.marker = "same document"`, nil)

	tab.Await(`document.querySelector("#recipes").hidden`)
	l := must(lock.New(observer, "/"+strings.ReplaceAll(evil, "/", "|"), lock.Config{ID: evil}))
	workers := must(group.New(observer, "/workers", group.Config{ID: evil, Style: group.StyleParty}))
	member, list := must(workers.Join(t.Context())), workers.Watch()
	files := must(cache.New(observer, "/workers", cache.Config{}))
	page.Add(l, member, list, files)
	held := must(l.Acquire(t.Context()))
	waited := make(chan *lock.Held, 1)
	go func() { waited <- must(l.Acquire(context.Background())) }()
	rows := `[...document.querySelectorAll("#recipes table.locks tbody tr")].map(r => r.cells[2].textContent).join()`
	tab.Await(rows + ` === "held,waiting"`)
	tab.Await(`document.querySelector("#recipes table.locks tbody td").textContent.startsWith("/<img src=x")`)
	tab.Await(`document.querySelector("#recipes table.members tbody tr").cells[2].textContent === "listed"`)
	tab.Await(`document.querySelector("#recipes table.groups tbody tr").cells[1].textContent.includes("<script>")`)
	tab.Await(`document.querySelector("#recipes table.caches tbody tr").cells[1].textContent === "following"`)
	held.Release(t.Context())
	defer list.Close()
	defer files.Close()
	defer func() { (<-waited).Release(context.Background()) }()
	tab.Await(rows + ` === "held"`)

	alice := standAs(t, e, "alice", view)
	standAs(t, e, "bob", view)
	standAs(t, e, evil, view)
	tab.Await(`document.querySelector(".leader").textContent === "alice"`)
	tab.Await(`document.querySelector(".heir").textContent === "bob"`)
	tab.Await(`[...document.querySelectorAll("table.line tbody tr")].map(r => r.cells[0].textContent).join() === "leader,heir,3"`)
	tab.Await(`document.querySelector("[role=progressbar]").getAttribute("aria-valuenow") > 0`)
	tab.Await(`document.querySelector(".fill").getBoundingClientRect().width > 0`)
	tab.Await(`document.querySelectorAll(".stretch").length === 1`)

	e.ExpireSession(alice.Status().Session)
	tab.Await(`document.querySelector(".leader").textContent === "bob"`)
	tab.Await(`document.querySelectorAll(".stretch").length === 2`)
	// Alice joins again, behind the one with the evil name.
	tab.Await(`[...document.querySelectorAll("table.line tbody .wide:nth-child(2)")].map(c => c.firstChild.nextSibling.textContent).join("|") === ` + "`bob|" + evil + "|alice`")
	var ended string
	tab.Eval(`document.querySelectorAll("table.terms tbody tr")[1].cells[4].textContent`, &ended)
	if reasons := []string{recipe.ReasonNodeDeleted.String(), recipe.ReasonSessionLost.String()}; !slices.Contains(reasons, ended) {
		t.Errorf("alice's term ended because of %q; want one of %q", ended, reasons)
	}

	var state struct {
		Marker, Title, Data string
		Pwned               any
		Loads               int
		Refused             bool
	}
	tab.Eval(`({
		marker: window.marker, title: document.title, pwned: window.pwned || null,
		data: document.querySelector("table.line tbody tr").cells[4].textContent,
		loads: performance.getEntriesByType("navigation").length,
		refused: (() => { try { document.createElement("p").innerHTML = "<b>"; return false } catch { return true } })(),
	})`, &state)
	if state.Marker != "same document" || state.Loads != 1 {
		t.Errorf("the page has been loaded again: %+v", state)
	}
	if state.Pwned != nil || state.Title != evil || state.Data != evil {
		t.Errorf("others' words were not taken as words: %+v", state)
	}
	checkQuiet(t, tab, url, state.Refused)
	picture(t, tab)

	down.Store(true)
	tab.Await(`document.querySelector("#contact.bad").textContent.startsWith("no answer for")`)
	down.Store(false)
	tab.Await(`document.querySelector("#contact.good").textContent === "live"`)
}

func TestABrowserSeesAHiddenLeader(t *testing.T) {
	e := realServers(t)
	connect := func(auth ...session.Auth) *session.Client {
		client := must(session.Open(e.ConnectString(), session.Config{Timeout: 10 * time.Second, Auth: auth}))
		t.Cleanup(func() { client.Close() })
		return client
	}
	observer := connect()
	forAll(t, observer, path)
	term := must(must(election.New(connect(session.Digest("u", "p")), path, election.Config{ID: "secret"})).Campaign(t.Context()))
	t.Cleanup(func() { term.Release(context.WithoutCancel(t.Context())) }) // also if there is no browser, or the client's Close waits
	page, view := newPage(t, observer, recipehttp.Config{Refresh: 100 * time.Millisecond})
	url, _ := serve(t, page)
	tab := browser.Open(t, url)
	tab.Await(`document.querySelector(".leader").textContent === "(hidden)"`)
	standAs(t, e, "alice", view)
	tab.Await(`document.querySelector(".heir").textContent === "alice"`)
	tab.Await(`document.querySelector(".leader-detail").textContent.startsWith("no permission to read its znode, leads for more than ")`)
	tab.Await(`[...document.querySelectorAll("table.line tbody tr")[0].cells].map(c => c.textContent).join() === "leader,(hidden),hidden,hidden"`)
	tab.Await(`[...document.querySelectorAll("table.terms tbody tr")[0].cells].slice(0, 2).map(c => c.textContent).join() === "hidden,(hidden)"`)
	tab.Await(`document.querySelector(".lanes .name").textContent === "(hidden)"`)
	tab.Await(`!document.body.innerText.includes("undefined")`)
	term.Release(t.Context())
	tab.Await(`document.querySelector(".leader").textContent === "alice"`)
	tab.Await(`[...document.querySelectorAll(".lanes .name")].map(n => n.textContent).join() === "(hidden),alice"`)
}

// checkQuiet checks that the page has complained of nothing and asked nobody else. If the test
// itself has tried to make HTML of text, that is the one complaint.
func checkQuiet(t *testing.T, tab *browser.Page, url string, refused bool) {
	t.Helper()
	complaints := slices.DeleteFunc(tab.Complaints(), func(c string) bool { return strings.Contains(c, "TrustedHTML") })
	if len(complaints) > 0 {
		t.Errorf("the browser complains: %q", complaints)
	}
	if !refused {
		t.Error("the page lets a script make HTML of text")
	}
	requests := tab.Requests()
	if len(requests) < 3 {
		t.Errorf("only %q was asked for", requests)
	}
	for _, r := range requests {
		if r != url && r != url+"?format=json" && !strings.HasPrefix(r, "data:image/svg+xml,") {
			t.Errorf("the page has asked for %q", r)
		}
	}
}

// picture writes pictures of the page into the directory that ZKRECIPE_SCREENSHOTS names.
func picture(t *testing.T, tab *browser.Page) {
	dir := os.Getenv("ZKRECIPE_SCREENSHOTS")
	if dir == "" {
		return
	}
	for _, scheme := range []string{"light", "dark"} {
		tab.Media("prefers-color-scheme", scheme)
		tab.Screenshot(filepath.Join(dir, scheme+".png"), 1100)
		tab.Screenshot(filepath.Join(dir, scheme+"-small.png"), 400)
	}
}
