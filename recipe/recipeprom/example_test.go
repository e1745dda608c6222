package recipeprom_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/recipeprom"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// An election with metrics. The registry is served as ever, by promhttp for instance.
func Example() {
	ensemble, err := zktest.New(zktest.Config{MaxSessionTimeout: time.Minute}) // a service has an ensemble of its own
	if err != nil {
		log.Fatal(err)
	}
	defer ensemble.Close()
	client, err := session.Open(ensemble.ConnectString(), session.Config{Timeout: 10 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	registry := prometheus.NewRegistry()
	metrics := recipeprom.New() // one for all recipes of the process
	registry.MustRegister(metrics, recipeprom.ForClient(client))

	el, err := election.New(client, "/billing", election.Config{})
	if err != nil {
		log.Fatal(err)
	}
	metrics.Add("billing", el)
	el.Run(context.Background(), func(context.Context, *election.Term) error {
		families, err := registry.Gather()
		if err != nil {
			log.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "zkrecipe_election_leader" {
				m := f.GetMetric()[0]
				fmt.Println(m.GetLabel()[0].GetValue(), m.GetGauge().GetValue())
			}
		}
		return election.ErrStop
	})
	// Output: billing 1
}

// A shard that is moved away is counted no longer.
func ExampleMetrics_Remove() {
	ensemble, err := zktest.New(zktest.Config{MaxSessionTimeout: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	defer ensemble.Close()
	client, err := session.Open(ensemble.ConnectString(), session.Config{Timeout: 10 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	metrics := recipeprom.New()
	el, err := election.New(client, "/shards/17", election.Config{})
	if err != nil {
		log.Fatal(err)
	}
	metrics.Add("shards", el) // the same name for all of them
	err = el.Run(context.Background(), func(context.Context, *election.Term) error { return election.ErrStop })
	metrics.Remove(el)
	fmt.Println(err)
	// Output: <nil>
}
