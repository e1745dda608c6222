//go:build linux

package campaign

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

// many is the number of elections that one session leads in manyKilled.
const many = 1000

// manyKilled lets the session die that leads all of many elections, and waits until its heir, one
// session too, leads them all. Both are clients of this process: the one that dies finds its
// connections closed, and can make no other.
func manyKilled(ctx context.Context, r *Round) error {
	ctx, stop := context.WithCancel(ctx)
	var working sync.WaitGroup
	defer working.Wait()
	defer stop()
	var cable cable
	first, err := r.leadMany(ctx, &working, cable.dial, nil)
	if err == nil {
		err = first.await(ctx, first.entered)
	}
	if err != nil {
		return err
	}
	defer first.client.Close()
	second, err := r.leadMany(ctx, &working, nil, first)
	if err != nil {
		return err
	}
	defer second.client.Close()
	if err := second.await(ctx, second.joined); err != nil {
		return err
	}
	if err := r.last(ctx, r.lease); err != nil { // it listens to all
		return err
	}
	since := r.fault("the session that leads %d elections dies", many)
	cable.cut()
	if err := second.await(ctx, second.entered); err != nil {
		return err
	}
	r.after = append(r.after, time.Duration(history.Now()-since))
	for i := range many {
		switch old, young := first.terms[i], second.terms[i]; {
		case second.early[i]:
			r.broken(history.Overlap, "election %d: the first term was valid when the second began", i)
		case young.Token() <= old.Token():
			r.broken(history.TokenOrder, "election %d: token %d after %d", i, young.Token(), old.Token())
		}
	}
	return nil
}

// leaders is a client that stands in many elections.
type leaders struct {
	client          *session.Client
	joined, entered chan struct{} // a signal for each election
	terms           [many]*election.Term
	early           [many]bool // a term of before was valid still
}

// leadMany joins all elections, behind those who are there.
func (r *Round) leadMany(ctx context.Context, working *sync.WaitGroup, dial dialer, before *leaders) (*leaders, error) {
	client, err := session.Open(r.rig.ConnectString(), session.Config{Timeout: r.T, Lease: r.lease, Dial: dial})
	if err != nil {
		return nil, err
	}
	l := &leaders{client: client, joined: make(chan struct{}, many), entered: make(chan struct{}, many)}
	for i := range many {
		var joined sync.Once // on a busy machine it joins again and again
		el, err := election.New(client, fmt.Sprintf("%s/%d", r.path, i), election.Config{ID: "many", OnEvent: func(ev election.Event) {
			if ev.Kind == election.EventJoined {
				joined.Do(func() { l.joined <- struct{}{} })
			}
		}})
		if err != nil {
			return nil, errors.Join(err, client.Close())
		}
		working.Go(func() {
			_ = el.Run(ctx, func(ctx context.Context, term *election.Term) error {
				if l.terms[i] == nil {
					l.terms[i], l.early[i] = term, before != nil && before.terms[i].Valid()
					l.entered <- struct{}{}
				}
				<-ctx.Done()
				return nil
			})
		})
	}
	return l, nil
}

// await waits for a signal of each election.
func (l *leaders) await(ctx context.Context, signals <-chan struct{}) error {
	for range many {
		select {
		case <-signals:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// cable is what the connections of a client go through until it is cut.
type cable struct {
	mu    sync.Mutex // guards what follows
	over  bool
	conns []net.Conn
}

func (c *cable) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return nil, errors.New("the cable is cut")
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err == nil {
		c.conns = append(c.conns, conn)
	}
	return conn, err
}

// cut closes all connections, as the end of a process does.
func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	for _, conn := range c.conns {
		conn.Close()
	}
}
