package zktest

import "time"

// Link is one direction between two servers: a queue, as a TCP connection's direction is. Its
// methods may be called at any time, from any goroutine.
type Link struct {
	e        *Ensemble
	from, to *server
	faults   impair
	lost     map[Packet]bool
	flow     flow
}

func newLink(e *Ensemble, from, to *server) *Link {
	k := &Link{e: e, from: from, to: to, lost: map[Packet]bool{}}
	k.flow = flow{e: e, state: func() impair {
		return k.faults.plus(e.latency)
	}}
	return k
}

// send queues a packet. It reaches the process that listens when it arrives.
func (k *Link) send(kind Packet, fn func()) {
	if k.lost[kind] {
		k.e.logf("fault: %v from server %d to server %d is lost", kind, k.from.id, k.to.id)
		return
	}
	k.flow.send(func() { k.to.post(fn) })
}

func (e *Ensemble) link(from, to *server) *Link { return e.links[[2]int{from.id, to.id}] }

// Hold stops everything from arriving until Heal: a one-way cut. As on TCP, what was sent meanwhile
// arrives after the cut, in order, unless the connection has been given up by then.
func (k *Link) Hold() { k.fault("cut", func() { k.faults.hold = true }) }

// Lose discards packets of the given kinds until Heal. TCP cannot do that to one packet of a
// connection that goes on. Use it to find out which packets a promise depends on.
func (k *Link) Lose(kinds ...Packet) {
	k.fault("loses packets", func() {
		for _, kind := range kinds {
			k.lost[kind] = true
		}
	})
}

// Delay makes every packet arrive d later than it would, in order.
func (k *Link) Delay(d time.Duration) {
	k.fault("delayed by "+d.String(), func() { k.faults.delay = d })
}

// Heal ends all faults of the link.
func (k *Link) Heal() {
	k.fault("healed", func() {
		k.faults, k.lost = impair{}, map[Packet]bool{}
		k.flow.pump()
	})
}

func (k *Link) fault(what string, fn func()) {
	k.e.do(func() {
		k.e.logf("fault: link from server %d to server %d: %s", k.from.id, k.to.id, what)
		fn()
	})
}
