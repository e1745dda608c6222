package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

var began = time.Now()

// stamp remembers when a connection was last given a delete request to send, alone or in a multi,
// and when it last delivered a watch event, and counts the heartbeats, and the requests that create
// or delete a znode. A heartbeat may create one too.
type stamp struct {
	sent, heard atomic.Int64 // since began
	beats       atomic.Int64
	changes     atomic.Int64
}

// A failover is how long a failover took: in all, and inside the heir's process, from the arrival
// of the event on.
type failover struct{ all, inside time.Duration }

// since returns the failover of a leaver to an heir that entered its callback at a moment.
func since(leaver, heir *stamp, entered time.Time) failover {
	at := entered.Sub(began)
	return failover{at - time.Duration(leaver.sent.Load()), at - time.Duration(heir.heard.Load())}
}

// stamped is a connection with a stamp. Both ours and the floor's have one, so that "delete sent"
// means the same for both.
type stamped struct {
	net.Conn
	stamp *stamp
}

// xidEvent is the number that watch events have in place of a request's.
const xidEvent = 1<<32 - 1

// Write is given one frame at a time: length, xid, operation.
func (c stamped) Write(p []byte) (int, error) {
	if len(p) >= 12 {
		switch zktest.Op(binary.BigEndian.Uint32(p[8:])) {
		case zktest.OpDelete:
			c.stamp.sent.Store(int64(time.Since(began)))
			c.stamp.changes.Add(1)
		case zktest.OpCreate:
			c.stamp.changes.Add(1)
		case zktest.OpMulti:
			deletes := bytes.Contains(p, deletion)
			switch {
			case deletes:
				c.stamp.sent.Store(int64(time.Since(began)))
			case isBeat(p):
				c.stamp.beats.Add(1)
			}
			if deletes || bytes.Contains(p, creation) {
				c.stamp.changes.Add(1)
			}
		}
	}
	return c.Conn.Write(p)
}

// deletion and creation are headers within a multi: the type, "not done", error -1.
var (
	deletion = []byte{0, 0, 0, byte(zktest.OpDelete), 0, 0xff, 0xff, 0xff, 0xff}
	creation = []byte{0, 0, 0, byte(zktest.OpCreate), 0, 0xff, 0xff, 0xff, 0xff}
)

// isBeat reports whether a multi without a deletion sets a heartbeat: it begins with that, or with
// the check of a place.
func isBeat(multi []byte) bool {
	if len(multi) < 16 {
		return false
	}
	first := zktest.Op(binary.BigEndian.Uint32(multi[12:]))
	return first == zktest.OpSetData || first == zktest.OpCheck
}

// Read looks for watch events. zk asks for the length of a frame and then for the frame, our
// library for whatever there is.
func (c stamped) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n >= 8 && (binary.BigEndian.Uint32(p) == xidEvent || hasEvent(p[:n])) {
		c.stamp.heard.Store(int64(time.Since(began)))
	}
	return n, err
}

// hasEvent looks through frames, each behind its length.
func hasEvent(p []byte) bool {
	for len(p) >= 8 {
		if binary.BigEndian.Uint32(p[4:]) == xidEvent {
			return true
		}
		next := 4 + int64(binary.BigEndian.Uint32(p))
		if next > int64(len(p)) {
			return false
		}
		p = p[next:]
	}
	return false
}

// tied is a session's only server, and the stamps of its connection. Sessions of zk and of this
// library have it.
type tied struct {
	server string
	stamp  *stamp
}

// bare is a session of the zk package alone.
type bare struct {
	*zk.Conn
	tied
}

type silence struct{}

func (silence) Printf(string, ...any) {}

// dialBare opens a session and waits for it.
func dialBare(l *lab, server string, timeout time.Duration) (*bare, error) {
	b := &bare{tied: tied{server, &stamp{}}}
	dial := func(network, address string, timeout time.Duration) (net.Conn, error) {
		conn, err := net.DialTimeout(network, address, timeout)
		if err != nil {
			return nil, err
		}
		return stamped{conn, b.stamp}, nil
	}
	up := make(chan struct{}, 1)
	conn, _, err := zk.Connect([]string{server}, timeout, zk.WithDialer(dial), zk.WithLogger(silence{}), zk.WithLogInfo(false),
		zk.WithEventCallback(func(ev zk.Event) {
			if ev.Type == zk.EventSession && ev.State == zk.StateHasSession {
				select {
				case up <- struct{}{}:
				default:
				}
			}
		}))
	if err != nil {
		return nil, err
	}
	b.Conn = conn
	if _, err := receive(l, up); err != nil {
		conn.Close()
		return nil, fmt.Errorf("no session with %s: %w", server, err)
	}
	return b, nil
}

// dialBares opens n sessions, on the servers in turn.
func dialBares(l *lab, n int, timeout time.Duration) ([]*bare, func(), error) {
	return openEach(n, func(i int) (*bare, error) { return dialBare(l, l.server(i), timeout) }, func(b *bare) { b.Close() })
}

// openEach opens n of something. closeAll closes them. After an error none is left open, and
// closeAll does nothing.
func openEach[T any](n int, open func(i int) (T, error), end func(T)) (all []T, closeAll func(), err error) {
	closeAll = func() {
		for _, one := range all {
			end(one)
		}
	}
	for i := range n {
		one, err := open(i)
		if err != nil {
			closeAll()
			return nil, func() {}, err
		}
		all = append(all, one)
	}
	return all, closeAll, nil
}

// ours is a client of the library.
type ours struct {
	*session.Client
	tied
}

func openOurs(l *lab, server string, timeout, lease time.Duration) (*ours, error) {
	o := &ours{tied: tied{server, &stamp{}}}
	client, err := session.Open(server, session.Config{Timeout: timeout, Lease: lease,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return stamped{conn, o.stamp}, nil
		}})
	if err != nil {
		return nil, err
	}
	o.Client = client
	ctx, cancel := context.WithTimeout(l.ctx, patience)
	defer cancel()
	if _, err := client.Session(ctx); err != nil {
		client.Close()
		return nil, err
	}
	return o, nil
}

// openAll opens n clients, on the servers in turn, each with half of its timeout as lease.
func openAll(l *lab, n int, timeout time.Duration) ([]*ours, func(), error) {
	return openEach(n, func(i int) (*ours, error) { return openOurs(l, l.server(i), timeout, timeout/2) }, func(o *ours) { o.Close() })
}
