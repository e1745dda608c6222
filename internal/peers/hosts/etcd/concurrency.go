package main

import (
	"context"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

// concurrency stands with an Election of etcd's package of that name, in a session of its own,
// until the leadership is given away or lost.
func (h *host) concurrency() (done bool, err error) {
	session, err := concurrency.NewSession(h.client, concurrency.WithTTL(int((h.timeout+time.Second-1)/time.Second)))
	if err != nil {
		return false, err
	}
	defer session.Close()
	h.write("session", "session", fmt.Sprintf("0x%x", session.Lease()))
	election := concurrency.NewElection(session, h.path)
	for !done {
		again, err := h.term(election, session)
		if err != nil {
			return false, err
		}
		done = !again
	}
	return done, nil
}

// term stands once. It is to be done again after "resign".
func (h *host) term(election *concurrency.Election, session *concurrency.Session) (again bool, err error) {
	ctx, cancel := context.WithCancel(h.client.Ctx())
	defer cancel()
	key := fmt.Sprintf("%s/%x", h.path, session.Lease()) // the one that Campaign makes
	before, err := h.client.Get(ctx, key)
	if err != nil {
		return false, err
	}
	campaign := make(chan error, 1)
	over, end := context.WithCancel(context.Background())
	go func() {
		campaign <- election.Campaign(ctx, h.id)
		end()
	}()
	// It stands in line when there is the key.
	select {
	case <-h.client.Watch(ctx, key, clientv3.WithRev(before.Header.Revision+1)):
	case <-over.Done():
	}
	h.write("joined", "node", key)
	if h.idle(over) {
		cancel()
		<-campaign
		return false, nil
	}
	if err := <-campaign; err != nil {
		return false, err
	}
	// The package says: the leadership is lost when the session is done.
	leads := func() bool {
		select {
		case <-session.Done():
			return false
		default:
			return true
		}
	}
	done := h.lead(election.Rev(), session.Done(), leads)
	if !leads() {
		return false, fmt.Errorf("the session is over")
	}
	return !done, election.Resign(h.client.Ctx())
}
