package main

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/zkrecipe/zkrecipe/recipe/recipehttp"
)

func (s *service) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.root)
	mux.HandleFunc("GET /leader", s.leader)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{Registry: s.registry}))
	mux.Handle("GET /status", s.page)
	mux.Handle("GET /healthz", recipehttp.Health(recipehttp.HealthConfig{}, s.candidate))
	mux.HandleFunc("GET /readyz", s.ready)
	return mux
}

// root answers as any instance of a service does, the leader or not.
func (s *service) root(w http.ResponseWriter, _ *http.Request) {
	st := s.candidate.Status()
	fmt.Fprintf(w, "I am %s, %s. I have sent reminders %d times and swept %d times.\n", st.ID, st.State, s.reminded.Load(), s.swept.Load())
}

// leader tells who leads, as of a moment ago: good for sending a request there, not for
// acting as the leader, which takes a term.
func (s *service) leader(w http.ResponseWriter, _ *http.Request) {
	type answer struct {
		ID    string `json:"id"`
		URL   string `json:"url"`
		Token int64  `json:"token,string"` // it may be too large for a number in JavaScript
	}
	leader, known := s.observer.Current()
	switch {
	case !known:
		http.Error(w, "not known yet: no answer from ZooKeeper so far", http.StatusServiceUnavailable)
	case leader.Node == "":
		http.Error(w, "nobody leads", http.StatusServiceUnavailable)
	case leader.Hidden: // as while some instances have got credentials, and this one has none
		http.Error(w, "the leader's znode must not be read with the credentials of this instance", http.StatusServiceUnavailable)
	default:
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(answer{leader.ID, string(leader.Data), leader.Token})
	}
}

// ready fails once the instance is being stopped, so that no new clients are sent here.
func (s *service) ready(w http.ResponseWriter, _ *http.Request) {
	if s.stopping.Load() {
		http.Error(w, "stopping", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}
