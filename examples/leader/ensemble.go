package main

import (
	"fmt"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// openEnsemble returns where the candidates connect, and in words what that is: the
// ensemble given, or one of three servers within this process.
func openEnsemble(connect string, timeout time.Duration) (addrs, what string, stop func(), err error) {
	if connect != "" {
		return connect, connect, func() {}, nil
	}
	// A server counts session timeouts in ticks and grants 2 to 20 of them.
	e, err := zktest.New(zktest.Config{Servers: 3, Tick: timeout / 10})
	if err != nil {
		return "", "", nil, fmt.Errorf("cannot start an ensemble: %w", err)
	}
	return e.ConnectString(), "3 servers in this process", e.Close, nil
}
