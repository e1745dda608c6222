package recipehttp_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/recipehttp"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// path is the election of most tests.
const path = "/billing"

// servers starts three servers in the bubble's time, with sessions of 15 s and leases of 4 s.
func servers(t *testing.T) *zktest.Ensemble { return serversOf(t, "") }

func serversOf(t *testing.T, release zktest.Release) *zktest.Ensemble {
	return zktest.Start(t, zktest.Config{Release: release, Servers: 3, InMemory: true, Tick: 2 * time.Second, Logf: func(string, ...any) {}})
}

// open returns a client on a host of its own, closed at the end of the test. With credentials its
// znodes are for it alone.
func open(t *testing.T, e *zktest.Ensemble, host string, auth ...session.Auth) *session.Client {
	t.Helper()
	client, err := session.Open(e.ConnectString(), session.Config{Dial: e.Host(host).Dial, Auth: auth})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// obedient leads until it is told to stop.
func obedient(ctx context.Context, _ *election.Term) error {
	<-ctx.Done()
	return nil
}

// stand lets a candidate, of which the views are told, stand for election until stop is called, or
// the test ends.
func stand(t *testing.T, client *session.Client, cfg election.Config, lead func(context.Context, *election.Term) error, views ...*recipehttp.View) (el *election.Election, stop func()) {
	t.Helper()
	el, err := election.New(client, path, cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range views {
		v.Add(el)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); el.Run(ctx, lead) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return el, stop
}

// newPage returns a page that follows the election, closed at the end of the test.
func newPage(t *testing.T, client *session.Client, cfg recipehttp.Config) (*recipehttp.Page, *recipehttp.View) {
	t.Helper()
	page, err := recipehttp.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(page.Close)
	view, err := page.Observe(client, path)
	if err != nil {
		t.Fatal(err)
	}
	return page, view
}

func get(h http.Handler, method, url string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, url, nil))
	return w
}

// The JSON as a reader sees it, so that renaming a field is noticed.
type place struct {
	ID, Node, Token, Session, Data string
	Here, Hidden                   bool
}

type shown struct {
	Path       string
	Connection struct {
		State     string
		TimeoutMS int64 `json:"timeout_ms"`
		LeaseMS   int64 `json:"lease_ms"`
	}
	Known        bool
	Ended        string
	Leader, Heir *place
	Lease        *struct {
		RemainingMS int64 `json:"remaining_ms"`
		LengthMS    int64 `json:"length_ms"`
	}
	Line       []place
	LineTotal  int  `json:"line_total"`
	LineFailed bool `json:"line_failed"`
	Candidates []struct {
		ID, State   string
		Position    *int
		TryingSince *time.Time `json:"trying_since"`
		LastReason  string     `json:"last_reason"`
		LastErr     string     `json:"last_err"`
		Impaired    string
	}
	Terms []struct {
		Node, Token, ID, Reason string
		Begin                   time.Time
		Before                  bool `json:"began_before"`
		End                     *time.Time
		Here, Hidden            bool
	}
}

// look returns what the page's only election looks like.
func look(t *testing.T, page *recipehttp.Page) shown {
	t.Helper()
	var all struct{ Elections []shown }
	w := get(page, "GET", "/?format=json")
	if err := json.Unmarshal(w.Body.Bytes(), &all); err != nil || w.Code != 200 || len(all.Elections) != 1 {
		t.Fatalf("status %d, %v\n%s", w.Code, err, w.Body)
	}
	return all.Elections[0]
}

func (s shown) ids() (ids []string) {
	for _, p := range s.Line {
		ids = append(ids, p.ID)
	}
	return ids
}
