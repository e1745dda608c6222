package recipehttp_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/recipehttp"
)

// unread is an answer that its client does not read: nothing can be written.
type unread struct {
	*httptest.ResponseRecorder
	begun, until chan struct{}
}

func (u unread) Write(p []byte) (int, error) {
	u.begun <- struct{}{}
	<-u.until
	return 0, http.ErrHandlerTimeout
}

// Somebody asks for the page and for the health and reads no answer. The terms and locks that they
// show go on, others see them, and everything ends.
func TestAClientThatDoesNotReadHoldsUpNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := servers(t)
		client := open(t, e, "a")
		page, view := newPage(t, client, recipehttp.Config{})
		el, stop := stand(t, client, election.Config{ID: "a"}, obedient, view)
		l, err := lock.New(client, "/l", lock.Config{})
		if err != nil {
			t.Fatal(err)
		}
		held, err := l.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		page.Add(l)
		await.Sleep(time.Minute)
		token := el.Status().Token
		health := recipehttp.Health(recipehttp.HealthConfig{}, el, l)
		begun, until := make(chan struct{}), make(chan struct{})
		defer close(until)
		for _, h := range []http.Handler{page, health} {
			for _, url := range []string{"/", "/?format=json"} {
				go h.ServeHTTP(unread{httptest.NewRecorder(), begun, until}, httptest.NewRequest("GET", url, nil))
				<-begun
			}
		}
		await.Sleep(time.Minute)
		if st := el.Status(); st.State != election.StateLeading || st.Token != token || !held.Valid() {
			t.Errorf("after a minute: %+v, the lock valid %v", st, held.Valid())
		}
		if s := look(t, page); s.Leader == nil || s.Leader.ID != "a" {
			t.Errorf("another client is shown %+v", s)
		}
		if w := get(health, "GET", "/"); w.Code != 200 {
			t.Errorf("another client is told %d", w.Code)
		}
		other, _ := stand(t, open(t, e, "b"), election.Config{ID: "b"}, obedient)
		await.Sleep(time.Minute)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			stop()
			held.Release(t.Context())
			page.Close()
			client.Close()
		}()
		select {
		case <-ended:
		case <-time.After(time.Second):
			t.Fatal("the departure and Close take more than a second")
		}
		await.Sleep(time.Second)
		if st := other.Status(); st.State != election.StateLeading {
			t.Errorf("the other: %+v", st)
		}
	})
}
