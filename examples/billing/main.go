// Billing charges each subscription once per period, from three processes of which one leads,
// through crashes and pauses. A database (bbolt) with a fence refuses what a leader charges that
// has been replaced without knowing it.
//
//	go run ./examples/billing                          one run, about 2 seconds
//	go run ./examples/billing -fence=false             what happens without the fence
//	go run ./examples/billing -zk zk1:2181,zk2:2181    on an ensemble of yours
//
// What to copy is in bill.go: how the term's Valid, its token and its context are used. The
// database belongs to this process and is served to the billers over HTTP on loopback. Leaders are
// killed after the database has carried out their charge, or paused before it, at the worst
// moments. The exit code is 0 if the ledger proves that every subscription was charged exactly once
// for every period, and that each late charge was attempted and refused.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/child"
	"github.com/zkrecipe/zkrecipe/examples/internal/example"
	"github.com/zkrecipe/zkrecipe/recipe/election"
)

const subscriptions = 24 // for each period

var (
	names   = []string{"alice", "bob", "carol"}
	periods = []string{"January", "February", "March"}
	plan    = map[item]act{
		{"January", "sub-09"}:  crash,
		{"February", "sub-09"}: pause,
		{"March", "sub-07"}:    crash,
		{"March", "sub-15"}:    pause,
	}
)

func main() {
	if child.Is() {
		runBiller(func(db *remote) books { return worst{db} })
	}
	p := newProgram()
	p.Demonstrate(nil, p.run)
}

// program is the demonstration with its own flag.
type program struct {
	*example.Program
	fence bool
}

func newProgram() *program {
	p := &program{Program: example.New("billing", "/zkrecipe/billing", 10*time.Second, 400*time.Millisecond)}
	p.Flags.BoolVar(&p.fence, "fence", true, "let the database refuse stale tokens")
	return p
}

// run lets them bill, then reads from the ledger what came of it.
func (p *program) run(ctx context.Context) error {
	if !child.CanPause {
		return errors.New("this system cannot pause processes")
	}
	fmt.Fprintf(example.Stdout, "ZooKeeper: %s. Database: bbolt, with the fence: %v.\n", p.Servers, p.fence)
	dir, err := os.MkdirTemp("", "billing")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	l, err := createLedger(filepath.Join(dir, "ledger.db"), allItems(), p.fence)
	if err != nil {
		return err
	}
	defer l.db.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	d := &director{ledger: l, plan: maps.Clone(plan), charged: map[item]bool{}}
	d.Group = child.NewGroup(append(p.Args(), "-db", "http://"+listener.Addr().String()), func(id string, line []byte) error {
		example.Say("%s %s", id, line)
		return nil
	})
	mux := http.NewServeMux() // the database, as the billers see it
	mux.Handle("/due", answer(func(_ context.Context, q attempt) ([]item, error) { return l.due(q.Token) }))
	mux.Handle("/charge", answer(d.charge))
	mux.Handle("/moment", answer(d.moment))
	server := &http.Server{Handler: mux, BaseContext: func(net.Listener) context.Context { return ctx }}
	go server.Serve(listener) // ends with Shutdown
	err = d.run(ctx)
	// The billers are gone, so Shutdown has nobody to wait for.
	if err := errors.Join(err, server.Shutdown(context.WithoutCancel(ctx))); err != nil {
		return err
	}
	return conclude(d)
}

// allItems are each subscription for each period.
func allItems() (items []item) {
	for _, p := range periods {
		for i := range subscriptions {
			items = append(items, item{p, fmt.Sprintf("sub-%02d", i+1)})
		}
	}
	return items
}

// runBiller is the program of a child, and ends it: it stands for election, and bills when elected.
// wrap puts faults between it and the database.
func runBiller(wrap func(*remote) books) {
	p, db := newProgram(), &remote{}
	p.Flags.StringVar(&db.by, "id", "", "the `name` of the biller")
	p.Flags.StringVar(&db.url, "db", "", "the `URL` of the database")
	p.Main(nil, func(ctx context.Context) error {
		client, err := p.Client()
		if err != nil {
			return err
		}
		defer client.Close()
		el, err := election.New(client, p.Path, election.Config{ID: db.by, OnEvent: tell})
		if err != nil {
			return err
		}
		work := func(ctx context.Context, term *election.Term) error { return bill(ctx, term, wrap(db)) }
		return child.Run(ctx, func(ctx context.Context) error { return el.Run(ctx, work) })
	})
}

// tell writes what the parent shows.
func tell(ev election.Event) {
	switch ev.Kind {
	case election.EventElected:
		fmt.Printf("leads, with token %d\n", ev.Token)
	case election.EventDeposed:
		fmt.Println("leads no more:", ev.Reason.String())
	}
}

// remote is the database as a biller sees it: bbolt lives in one process, so the others reach it
// over HTTP. Nothing is repeated: see bill.
type remote struct {
	url, by string
}

// Due returns what has not been charged yet.
func (r *remote) Due(ctx context.Context, token int64) (due []item, err error) {
	err = r.ask(ctx, "/due", attempt{By: r.by, Token: token}, &due)
	return due, err
}

// Charge charges an item.
func (r *remote) Charge(ctx context.Context, token int64, it item) error {
	return r.ask(ctx, "/charge", attempt{item: it, By: r.by, Token: token}, &struct{}{})
}

// ask sends a request and takes in the answer.
func (r *remote) ask(ctx context.Context, path string, question attempt, answer any) error {
	text, err := json.Marshal(question)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
		return json.NewDecoder(res.Body).Decode(answer)
	case http.StatusConflict:
		return errStale
	default:
		return fmt.Errorf("%s: %s", path, res.Status)
	}
}

// answer makes a handler of a function.
func answer[A any](f func(ctx context.Context, q attempt) (A, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var q attempt
		var a A
		err := json.NewDecoder(req.Body).Decode(&q)
		if err == nil {
			a, err = f(req.Context(), q)
		}
		switch {
		case errors.Is(err, errStale):
			http.Error(w, err.Error(), http.StatusConflict)
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		default:
			_ = json.NewEncoder(w).Encode(a) // fails when the one who asked is gone
		}
	})
}

// worst lets a pause strike at the worst moment: after the leader has looked at its term, before
// its charge has left the process. It asks the parent each time, which answers at once, or pauses
// this process and answers when that is over.
type worst struct{ *remote }

// Charge charges an item, perhaps after a pause.
func (w worst) Charge(ctx context.Context, token int64, it item) error {
	// The answer counts even if the term ends while it is waited for.
	late := context.WithoutCancel(ctx)
	var paused bool
	if err := w.ask(late, "/moment", attempt{item: it, By: w.by, Token: token}, &paused); err != nil {
		return err
	}
	if paused {
		// What has passed its last check goes out, like bytes that the kernel has got already, or a
		// driver's request that takes no context.
		ctx = late
	}
	return w.remote.Charge(ctx, token, it)
}
