package main

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
)

// steered is a client whose connections are told where to go.
type steered struct {
	*session.Client

	mu     sync.Mutex // guards what follows
	only   string     // if set, no other server is dialled
	first  string     // if set, this server is dialled before any other
	conn   net.Conn
	server string    // of conn
	dialed time.Time // when first was dialled
}

var errElsewhere = errors.New("not this server")

// openSteered opens a client whose first connection goes to a server.
func openSteered(l *lab, server string, timeout time.Duration) (*steered, error) {
	s := &steered{only: server}
	var err error
	s.Client, err = session.Open(l.ensemble.ConnectString(), session.Config{Timeout: timeout, Dial: s.dial})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(l.ctx, patience)
	defer cancel()
	if _, err := s.Session(ctx); err != nil {
		s.Close()
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.only = ""
	return s, nil
}

func (s *steered) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if !s.may(address) {
		return nil, errElsewhere
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn, s.server = conn, address
	return conn, nil
}

func (s *steered) may(address string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.only != "" && s.only != address || s.first != "" && s.first != address {
		return false
	}
	if s.first != "" {
		s.first, s.dialed = "", time.Now()
	}
	return true
}

// drop breaks the connection; the next one goes to first.
func (s *steered) drop(first string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.first = first
	s.conn.Close()
}

// away waits until the client is connected to another server than this one, and returns when that
// was seen.
func (s *steered) away(l *lab, server string) (time.Time, error) {
	for begun := time.Now(); time.Since(begun) < patience && l.ctx.Err() == nil; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		elsewhere := s.server != server && s.first == ""
		s.mu.Unlock()
		if st := s.Status(); elsewhere && st.State == session.StateConnected && st.Server != server {
			return time.Now(), nil
		}
	}
	return time.Time{}, errStuck
}
