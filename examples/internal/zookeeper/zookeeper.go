// Package zookeeper gives an example program its ensemble: the one that its flag -zk
// names, or, so that the program runs without flags, one within the process.
package zookeeper

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Ensemble is where an example's clients connect.
type Ensemble struct {
	// Connect is the connect string, for [session.Open] and for child processes.
	Connect string
	// Name says in a few words which ensemble it is.
	Name string

	embedded *zktest.Ensemble // nil if it is somebody else's
}

// Flag defines the flag -zk, whose value is for Open.
func Flag(f *flag.FlagSet) *string {
	return f.String("zk", "", "the ensemble, as `host:port,.../chroot` (default three servers in this process)")
}

// Open returns the ensemble of that connect string. If connect is empty, it starts one of
// three servers in this process, which grants the session timeout that clients are going
// to ask for.
func Open(connect string, timeout time.Duration) (*Ensemble, error) {
	if connect != "" {
		return &Ensemble{Connect: connect, Name: connect}, nil
	}
	// A server counts session timeouts in ticks and grants 2 to 20 of them.
	e, err := zktest.New(zktest.Config{Servers: 3, Tick: timeout / 10})
	if err != nil {
		return nil, fmt.Errorf("cannot start an ensemble: %w", err)
	}
	return &Ensemble{Connect: e.ConnectString(), Name: "3 servers in this process", embedded: e}, nil
}

// reachWithin is how long an ensemble may take to answer.
const reachWithin = 5 * time.Second

// Reach returns an error if no server of the ensemble answers, so that a program can say at
// once what is wrong.
func (e *Ensemble) Reach(ctx context.Context) error {
	client, err := session.Open(e.Connect, session.Config{})
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, reachWithin)
	defer cancel()
	_, err = client.Session(ctx)
	return err
}

// Embedded returns the ensemble in this process, for faults, or nil.
func (e *Ensemble) Embedded() *zktest.Ensemble { return e.embedded }

// Close stops the servers if they are in this process.
func (e *Ensemble) Close() {
	if e.embedded != nil {
		e.embedded.Close()
	}
}
