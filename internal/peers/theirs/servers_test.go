package theirs

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// onReal tells what a difference is: one of zktest's, or one of these tests on a machine like this.
var onReal = flag.Bool("real", false, "run the tests of kazoo and Curator on real servers, as ZOOKEEPER_VERSION says")

// servers are ensembles that tests in another language make and break, by HTTP:
//
//	/new?servers=3&tick=2s     an id, a space, and the addresses; latency=1ms if zktest is not to answer at once,
//	                           containers=1s if containers are looked at more often than once a minute
//	/stop?id=1&server=0        as if killed
//	/start?id=1&server=0
type servers struct {
	t *testing.T

	mu  sync.Mutex // guards all
	all []ensembles
}

// ensembles is what zktest and real servers have in common.
type ensembles struct {
	addrs       []string
	start, stop func(i int) error
}

// controlled serves requests until the test ends, and returns where.
func controlled(t *testing.T) (url string) {
	s := &servers{t: t}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	return h.URL
}

func (s *servers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, err := s.answer(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprint(w, answer)
}

func (s *servers) answer(r *http.Request) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path == "/new" {
		e, err := s.make(r)
		if err != nil {
			return "", err
		}
		s.all = append(s.all, e)
		return fmt.Sprint(len(s.all)-1, " ", strings.Join(e.addrs, ",")), nil
	}
	id, err := strconv.Atoi(r.FormValue("id"))
	i, err2 := strconv.Atoi(r.FormValue("server"))
	if err := errors.Join(err, err2); err != nil || id >= len(s.all) || i >= len(s.all[id].addrs) {
		return "", fmt.Errorf("no such server: %s: %w", r.URL, err)
	}
	switch r.URL.Path {
	case "/stop":
		return "", s.all[id].stop(i)
	case "/start":
		return "", s.all[id].start(i)
	}
	return "", fmt.Errorf("unknown: %s", r.URL)
}

// make starts an ensemble. Its servers allow znodes with a time to live (TTL).
func (s *servers) make(r *http.Request) (ensembles, error) {
	n, err := strconv.Atoi(r.FormValue("servers"))
	tick, err2 := time.ParseDuration(r.FormValue("tick"))
	latency, err3 := time.ParseDuration(cmp.Or(r.FormValue("latency"), "0s"))
	containers, err4 := time.ParseDuration(cmp.Or(r.FormValue("containers"), "1m"))
	if err := errors.Join(err, err2, err3, err4); err != nil {
		return ensembles{}, err
	}
	if *onReal {
		e, err := ensemble.Start(context.Background(), ensemble.Config{Servers: n, Tick: tick, JVM: []string{
			"-Dzookeeper.extendedTypesEnabled=true", fmt.Sprint("-Dznode.container.checkIntervalMs=", containers.Milliseconds())}})
		if err != nil {
			return ensembles{}, err
		}
		s.t.Cleanup(func() { e.Close() })
		return ensembles{
			addrs: e.Addrs(),
			start: func(i int) error {
				if e.Servers()[i].Running() {
					return nil
				}
				return e.Servers()[i].Start(context.Background())
			},
			stop: func(i int) error { return e.Servers()[i].Kill() },
		}, nil
	}
	e, err := zktest.New(zktest.Config{Servers: n, Tick: tick, Latency: latency, ExtendedTypes: true, ContainerCheck: containers})
	if err != nil {
		return ensembles{}, err
	}
	s.t.Cleanup(e.Close)
	return ensembles{
		addrs: e.Addrs(),
		start: func(i int) error { return e.Server(i + 1).Start() },
		stop:  func(i int) error { e.Server(i + 1).Kill(); return nil },
	}, nil
}
