//go:build linux

package campaign

import (
	"context"
	"strings"
	"time"
)

// Fault is an entry of the table of faults.
type Fault struct {
	Name string // begins with its number
	What string // one line
	// T is the session timeout of the candidates; default 2 s, four ticks. Lease is D; default Config.Lease.
	T, Lease time.Duration
	// Within is how long after the fault the next one ought to lead, in D, as text. It is shown and not judged.
	Within string
	// Start brings the candidates into line; default: three, each with all servers.
	Start func(context.Context, *Round) error
	// Do breaks what it is about and returns when the rest may be mended. It marks what it does.
	Do func(context.Context, *Round) error
	// Alone: the round needs no candidates, Do is all of it.
	Alone bool
	// Slow: not in the short campaign.
	Slow bool
}

// number is what the name begins with.
func (f Fault) number() string {
	number, _, _ := strings.Cut(f.Name, " ")
	return number
}

// usualT is the session timeout of candidates where a fault asks for no other.
const usualT = 4 * tick

// usualLease is their lease, unless something else is asked for.
const usualLease = usualT / 4

// What the heir needs after the last beat: a sixteenth of D more than the lease, and the time between two of its reads.
// Where it is gone too, the next one needs as much again.
const (
	withinOne = "1.35"
	withinTwo = "2.7"
)

// Faults is the table of faults.
var Faults = []Fault{
	{Name: "0 lease", Alone: true, Do: leaseTrials,
		What: "30 sessions at a follower that hold a place each, 30 elsewhere that wait for it; the follower cut or stopped, znodes deleted by hand"},

	{Name: "1a follower cut, alone", Within: withinOne, Start: nobody, Do: followerCutAlone,
		What: "the follower that serves the leader is cut from the quorum, and the leader knows no other server"},
	{Name: "1b follower cut", Do: followerCut,
		What: "the follower that serves the leader is cut from the quorum, and the leader knows all servers"},

	{Name: "2a servers one-way", Do: serversOneWay,
		What: "one server does not hear, or is not heard by, one or both of the others"},
	{Name: "2b ZK leader isolated", Do: zkLeaderIsolated,
		What: "the ZooKeeper leader is cut from the others, not from its clients"},
	{Name: "2c majority frozen", Do: majorityFrozen, What: "two servers stopped for 0.5 D to 6 D"},
	{Name: "2d rolling restart", Do: rollingRestart, Slow: true, What: "each server killed and started in turn, the next when it serves"},
	{Name: "2e full restart, short", T: 20 * time.Second, Lease: 10 * time.Second, Do: fullRestart(0), Slow: true,
		What: "all servers killed and started at once; D = 10 s, longer than that takes"},
	{Name: "2f full restart, long", Do: fullRestart(1.5), What: "all servers killed and started again after 1.5 T"},
	{Name: "2g servers killed", Do: serversKilled, Slow: true,
		What: "kill -9 of each server in turn, down until somebody leads again"},
	{Name: "2h server frozen", Do: serverFrozen, What: "the server that serves the leader is stopped for 0.3 D to 6 D"},
	{Name: "2i frozen, reconnecting", Do: serverFrozenReconnect,
		What: "one server is stopped, then another drops its clients, which try the stopped one"},
	{Name: "2j standstill", Within: withinOne, Do: standstill, What: "all servers stopped for 1.2 D to 3 D; the time is that after their return"},

	{Name: "3a client cut", Within: withinOne, Do: clientCut(Both), What: "the leader's link cut until somebody else leads"},
	{Name: "3b client deaf", Do: clientCut(In), What: "the leader hears nothing until somebody else leads"},
	{Name: "3c client mute", Within: withinOne, Do: clientCut(Out), What: "the leader is not heard until somebody else leads"},
	{Name: "3d 20 kB/s", Start: behindProxies, Do: slowLink, What: "all clients' connections at 20 kB/s for 4 T"},
	{Name: "3e delay", Start: behindProxies, Do: delayedLink, What: "all packets of clients late by up to D/16, or up to D/4, for 4 T"},
	{Name: "3f jitter", Start: behindProxies, Do: jitter, What: "all packets of clients late by 0 to D/8, another delay every 20 ms, for 4 T"},
	{Name: "3g loss", Do: loss, What: "10 to 40 % of the leader's packets lost, both ways, for 4 T"},
	{Name: "3h flapping", Do: flapping, What: "the leader's link cut and mended every 0.3 D, for 4 T"},

	{Name: "4a paused", Within: withinOne, Do: paused, What: "the leader's process stopped until another leads, or for 2 T more"},
	{Name: "4b killed", Within: withinOne, Do: killed, What: "kill -9 of the leader"},
	{Name: "4c killed, restarted", Within: withinOne, Do: killedRestarted, What: "kill -9 of the leader, started again at once with the same id"},
	{Name: "4d 200 candidates", T: 2 * usualT, Lease: usualT, Start: crowd, Do: crowdKilled, Slow: true,
		What: "200 candidates; one in the middle killed, then the leader: each fires one watch"},

	{Name: "4e killed, both", Within: withinTwo, Do: killedBoth, What: "kill -9 of the leader and of its heir"},
	{Name: "4f 1000 elections", T: 20 * tick, Lease: time.Second, Within: "1.6 + 1 s", Alone: true, Do: manyKilled,
		What: "a session that leads 1000 elections dies; the time is that until all are led by its heir"},

	{Name: "5a leader's znode", Do: expelLeader, What: "an administrator deletes the leader's znode"},
	{Name: "5b waiter's znode", Do: expelWaiter, What: "an administrator deletes a waiter's znode"},
	{Name: "5c whole path", Do: expelAll, What: "an administrator deletes the election's path and all in it"},
	{Name: "5d foreign children", Do: plant(false, true), What: "children that are no candidates, readable; the leader resigns, another joins"},
	{Name: "5e foreign, unreadable", Do: plant(false, false), What: "the same, readable by nobody"},
	{Name: "5f lower numbers", Start: pathOfHand, Do: plant(true, true), What: "ephemeral children that look like candidates with the lowest numbers; the leader resigns, another joins"},
	{Name: "5g lower, unreadable", Start: pathOfHand, Do: plant(true, false), What: "the same, readable by nobody"},
	{Name: "5h znode, unheard", Start: nobody, Do: expelUnheard,
		What: "an administrator deletes the leader's znode while the follower that serves the leader is cut off"},

	{Name: "6 random", Start: five, Do: random, What: "five candidates, everything at random"},
}

func nobody(context.Context, *Round) error { return nil }

func five(ctx context.Context, r *Round) error { return r.lineUp(ctx, 5) }
