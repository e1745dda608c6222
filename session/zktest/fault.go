package zktest

import (
	"context"
	"fmt"
	"net"
	"time"
)

// Host is a machine that clients run on. Its network faults concern all connections that its Dial
// has opened. Its methods may be called from any goroutine.
type Host struct {
	e      *Ensemble
	label  string
	faults [2]impair
	healed chan struct{} // closed, and replaced, when a fault ends
}

// Host returns the host of that name, which is made when first asked for.
func (e *Ensemble) Host(name string) *Host {
	var h *Host
	e.do(func() {
		if h = e.hosts[name]; h == nil {
			h = &Host{e: e, label: name, healed: make(chan struct{})}
			e.hosts[name] = h
		}
	})
	return h
}

func (h *Host) name() string {
	if h == nil {
		return ""
	}
	return h.label
}

// Dial connects to a server. While the host's network is held it waits, like a dial into a network
// that is down, until ctx ends or the fault does.
func (h *Host) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	for {
		var blocked bool
		var healed chan struct{}
		h.e.do(func() {
			for _, f := range h.faults {
				blocked = blocked || f.hold || f.drop
			}
			healed = h.healed
		})
		if !blocked {
			return h.e.network.dial(ctx, h, address)
		}
		select {
		case <-ctx.Done():
			return nil, &net.OpError{Op: "dial", Net: network, Err: ctx.Err()}
		case <-healed:
		}
	}
}

// Hold stops everything in the given directions (both, if none is given), as a network that is down
// does. What was stopped arrives in order after Heal. New connections wait, and neither side sees
// the other close.
func (h *Host) Hold(dirs ...Direction) {
	h.set("held", dirs, func(f *impair) { f.hold = true })
}

// Drop discards frames in the given directions until Heal. They are lost, while the connection
// seems to be fine. TCP never goes on after a loss, so Heal resets a connection that has lost
// something. After Hold, a connection goes on without a loss.
func (h *Host) Drop(dirs ...Direction) {
	h.set("dropped", dirs, func(f *impair) { f.drop = true })
}

// Delay makes frames in the given directions arrive d later, in order.
func (h *Host) Delay(d time.Duration, dirs ...Direction) {
	h.set("delayed by "+d.String(), dirs, func(f *impair) { f.delay = d })
}

// Heal ends all faults of the host's network. Connections on which frames were dropped break, as
// with Cut; the others go on.
func (h *Host) Heal() { h.set("healed", nil, func(f *impair) { *f = impair{} }) }

// Cut breaks the host's connections. Both sides notice at once, and a client may connect again
// before Cut returns. If it must stay away, call Hold or Drop before Cut.
func (h *Host) Cut() {
	h.e.do(func() {
		h.e.logf("fault: host %q: connections cut", h.label)
		for _, c := range h.conns() {
			c.reset()
		}
	})
}

func (h *Host) set(what string, dirs []Direction, fn func(*impair)) {
	h.e.do(func() {
		dirs = orBoth(dirs)
		h.e.logf("fault: host %q: %s %v", h.label, what, dirs)
		for _, d := range dirs {
			fn(&h.faults[d])
		}
		for _, c := range h.conns() {
			c.refault()
		}
		close(h.healed)
		h.healed = make(chan struct{})
	})
}

func orBoth(dirs []Direction) []Direction {
	if len(dirs) == 0 {
		return []Direction{ToServer, ToClient}
	}
	return dirs
}

func (h *Host) conns() []*conn {
	var list []*conn
	for _, c := range sortConns(h.e.live) {
		if c.host == h {
			list = append(list, c)
		}
	}
	return list
}

// Conn is one connection of a client, open or just closed.
type Conn struct{ c *conn }

// Conns lists the open connections, oldest first.
func (e *Ensemble) Conns() []*Conn {
	var list []*Conn
	e.do(func() {
		for _, c := range sortConns(e.live) {
			list = append(list, &Conn{c})
		}
	})
	return list
}

// ConnOf returns the newest open connection of a session, nil without one.
func (e *Ensemble) ConnOf(session int64) *Conn {
	var found *Conn
	for _, c := range e.Conns() {
		if c.Session() == session {
			found = c
		}
	}
	return found
}

// Session returns the id of the connection's session, 0 before it has one.
func (k *Conn) Session() int64 {
	var id int64
	k.c.e.do(func() { id = k.c.session })
	return id
}

// Server returns the id of the server it is connected to.
func (k *Conn) Server() int { return k.c.srv.id }

// Host returns the name of the host that it was dialed from.
func (k *Conn) Host() string {
	var name string
	k.c.e.do(func() { name = k.c.host.name() })
	return name
}

// Hold is [Host.Hold] for this connection alone.
func (k *Conn) Hold(dirs ...Direction) {
	k.set("held", dirs, func(f *impair) { f.hold = true })
}

// Drop is [Host.Drop] for this connection alone.
func (k *Conn) Drop(dirs ...Direction) {
	k.set("dropped", dirs, func(f *impair) { f.drop = true })
}

// Delay is [Host.Delay] for this connection alone.
func (k *Conn) Delay(d time.Duration, dirs ...Direction) {
	k.set("delayed by "+d.String(), dirs, func(f *impair) { f.delay = d })
}

// Heal ends the faults of this connection, and breaks it if frames were dropped.
func (k *Conn) Heal() { k.set("healed", nil, func(f *impair) { *f = impair{} }) }

// Cut breaks the connection. Both sides notice at once.
func (k *Conn) Cut() {
	k.c.e.do(func() {
		k.c.e.logf("fault: connection of session 0x%x: cut", k.c.session)
		k.c.reset()
	})
}

func (k *Conn) set(what string, dirs []Direction, fn func(*impair)) {
	k.c.e.do(func() {
		k.c.e.logf("fault: connection of session 0x%x: %s %v", k.c.session, what, dirs)
		for _, d := range orBoth(dirs) {
			fn(&k.c.faults[d])
		}
		k.c.refault()
	})
}

// SetLatency changes Config.Latency and Config.Jitter for everything that is sent from now on,
// between clients and servers and between servers. Each frame and packet is delayed by latency plus
// a random part of jitter, in each direction. Order is kept. The delays of single hosts,
// connections and links are added. Heal does not end it; SetLatency(0, 0) does.
func (e *Ensemble) SetLatency(latency, jitter time.Duration) {
	if latency < 0 || jitter < 0 {
		panic(fmt.Sprintf("zktest: SetLatency(%v, %v): want at least 0", latency, jitter))
	}
	e.do(func() {
		e.logf("fault: latency %v, jitter %v", latency, jitter)
		e.latency = impair{delay: latency, jitter: jitter}
	})
}

// ExpireSession expires a session now, as if nothing had been heard of its client. It does nothing
// while the servers have no leader.
func (e *Ensemble) ExpireSession(id int64) {
	e.do(func() {
		e.logf("fault: session 0x%x is expired", id)
		if s := e.leader(); s != nil {
			s.post(func() {
				if _, known := s.tree.sessions[id]; s.lead != nil && known {
					s.lead.expire(id)
				}
			})
		}
	})
}

// StartSequence makes n the number of the next sequential child of path, which must exist. It
// changes all servers at once; nothing should be under way. Numbers near 2147483647 show what
// happens at the end of the range.
func (e *Ensemble) StartSequence(path string, n int32) {
	e.do(func() {
		e.logf("fault: sequence of %s starts at %d", path, n)
		for _, s := range e.servers {
			if x := s.tree.get(path); x != nil {
				x.cversion = n
			}
		}
	})
}

// SetVersion makes n the version of the data of path, which must exist. It changes all servers at
// once; nothing should be under way. Numbers near 2147483647, and negative ones, show what happens
// at the end of the range.
func (e *Ensemble) SetVersion(path string, n int32) {
	e.do(func() {
		e.logf("fault: version of %s is %d", path, n)
		for _, s := range e.servers {
			if x := s.tree.get(path); x != nil {
				x.version = n
			}
		}
	})
}
