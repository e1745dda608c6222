package recipehttp_test

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/recipehttp"
	"github.com/zkrecipe/zkrecipe/recipe/recipeprom"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Metrics, a status page and a liveness probe of one service. Other recipes are added as the
// election is. The program examples/service is a whole service of this kind.
func Example() {
	ensemble, err := zktest.New(zktest.Config{MaxSessionTimeout: time.Minute}) // a service has an ensemble of its own
	if err != nil {
		log.Fatal(err)
	}
	defer ensemble.Close()
	client, err := session.Open(ensemble.ConnectString(), session.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	el, err := election.New(client, "/billing", election.Config{})
	if err != nil {
		log.Fatal(err)
	}

	registry := prometheus.NewRegistry()
	metrics := recipeprom.New()
	registry.MustRegister(metrics, recipeprom.ForClient(client))
	metrics.Add("billing", el)

	page, err := recipehttp.New(recipehttp.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer page.Close()
	page.Add(el)

	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry}))
	mux.Handle("GET /status", page)
	mux.Handle("GET /healthz", recipehttp.Health(recipehttp.HealthConfig{}, el))
	server := httptest.NewServer(mux) // a service calls http.ListenAndServe
	defer server.Close()

	err = el.Run(context.Background(), func(context.Context, *election.Term) error {
		show(server.URL+"/metrics", "zkrecipe_election_leader")
		show(server.URL+"/status", "<title>")
		show(server.URL+"/healthz", "ok")
		return election.ErrStop
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// zkrecipe_election_leader{name="billing"} 1
	// <title>ZooKeeper recipes</title>
	// ok
}

// show prints those lines of a page that begin with a text.
func show(url, begin string) {
	answer, err := http.Get(url)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), begin) {
			fmt.Println(lines.Text())
		}
	}
}
