//go:build linux

package campaign

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/hold"
)

// Fault is an entry of the table of faults.
type Fault struct {
	Name string // begins with its number
	What string // one line
	// T is the session timeout of the candidates; default 2 s, four ticks. Lease is D; default
	// Config.Lease.
	T, Lease time.Duration
	// Drawn: each round draws T and D (Round.draw), unless Config has one of them.
	Drawn bool
	// Within is how long after the fault the next one ought to lead, in D, as text. It is shown and
	// not judged.
	Within string
	// Start brings the candidates into line; default: three, each with all servers.
	Start func(context.Context, *Round) error
	// Do breaks what it is about and returns when the rest may be mended. It marks what it does.
	Do func(context.Context, *Round) error
	// Contend: Start brings contenders, which another library has none of.
	Contend bool
	// Alone: the round needs no candidates, Do is all of it.
	Alone bool
	// Held: it needs servers that listen for a debugger.
	Held bool
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

// What the heir needs after the last beat: a sixteenth of D more than the lease, and the time
// between two of its reads. Where it is gone too, the next one needs as much again.
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

	{Name: "6 random", Drawn: true, Start: five, Do: atRandom(hazards), What: "five candidates, everything at random"},

	{Name: "7a tracker held", Drawn: true, Held: true, T: 2 * usualT, Do: trackerHeld,
		What: "the heir cut for T, and back while the ZooKeeper leader's session tracker stands still before it closes the session; it leads, is cut again"},
	{Name: "7b held, nobody behind", Drawn: true, Held: true, T: 2 * usualT, Start: two, Do: trackerHeld,
		What: "the same, but the third candidate joins when the heir is back"},
	{Name: "7c ping loop held", Drawn: true, Held: true, Start: nobody, Do: pingLoopHeld,
		What: "the ZooKeeper leader pings nobody, until the session of the leader, who is at a follower, expires; then the leader is cut"},
	{Name: "7d touch, random", Drawn: true, Held: true, Do: heldAtRandom(hold.LearnerTouch, hold.PingReply), Slow: true,
		What: "followers stand still between taking and storing a touch, or before a ping's reply; clients cut, paused, resigning"},
	{Name: "7e ping loop, random", Drawn: true, Held: true, Do: heldAtRandom(hold.PingLoop), Slow: true,
		What: "the ZooKeeper leader pings nobody for a while; the same besides"},
	{Name: "7f writes, random", Drawn: true, Held: true, Do: heldAtRandom(hold.Prepare), Slow: true,
		What: "the ZooKeeper leader takes no writes for a while; the same besides"},
	{Name: "7g commits, random", Drawn: true, Held: true, Do: heldAtRandom(hold.Commit), Slow: true,
		What: "servers stand still before they apply a committed write; the same besides"},
	{Name: "7h learner, random", Drawn: true, Held: true, Do: heldAtRandom(hold.LearnerPacket), Slow: true,
		What: "the ZooKeeper leader stands still with a packet of a follower that it has read; the same besides"},
	{Name: "7i all, random", Drawn: true, Held: true, Start: five, Do: atRandom(slices.Concat(hazards, holdEach(hold.Places...))), Slow: true,
		What: "five candidates, everything at random, threads of the servers held as well"},
	{Name: "7j requests, random", Drawn: true, Held: true, Do: heldAtRandom(hold.Request), Slow: true,
		What: "followers stand still with a request that they have read; the same besides as in 7d"},

	{Name: "8a lock", Drawn: true, Contend: true, Start: contenders(locks...), Do: holderExpelled,
		What: "locks: the holder cut off, and its znode deleted by an administrator"},
	{Name: "8b read-write lock", Drawn: true, Contend: true,
		Start: contenders(readWrite...), Do: holderExpelled,
		What: "the same with two readers and two writers; it is a writer"},
	{Name: "8c semaphore", Drawn: true, Contend: true,
		Start: contenders(semaphores...), Do: holderExpelled,
		What: "the same with four contenders for two permits, with slots or without"},
	{Name: "8d lock, random", Drawn: true, Held: true, Contend: true, Start: contenders(oneLock, triesLock, oneLock, oneLock), Do: atRandom(contendersHeld), Slow: true,
		What: "four contenders for a lock, one of which only tries; everything at random, threads of the servers held as well"},
	{Name: "8e read-write, random", Drawn: true, Held: true, Contend: true, Start: contenders(writer, reader, reader, reader, writer), Do: atRandom(contendersHeld), Slow: true,
		What: "three readers and two writers, the same"},
	{Name: "8f semaphore, random", Drawn: true, Held: true, Contend: true, Start: contenders(onePermit, both, onePermit, both, triesOne), Do: atRandom(contendersHeld), Slow: true,
		What: "five contenders for two permits, with slots or without; two want both, one only tries; the same"},
	{Name: "8g follower cut", Drawn: true, Contend: true, Start: nobody, Do: holdersFollowerCut,
		What: "contenders as in 8a, 8b, 8c or 8k, some of which only try or want several permits; the " +
			"follower that serves the holder is cut from the quorum, and the holder knows no " +
			"other server, or all"},
	{Name: "8h holder killed", Drawn: true, Contend: true, Start: anyContenders, Do: holderKilled,
		What: "the same contenders; kill -9 of the holder"},
	{Name: "8i lock, ping loop held", Drawn: true, Held: true, Contend: true,
		Start: nobody, Do: holdersPingLoopHeld,
		What: "the ZooKeeper leader pings nobody until the session of a contender at a follower " +
			"expires; that contender holds the lock, and is then cut off"},
	{Name: "8j set", Drawn: true, Contend: true, Start: contenders(aSet...), Do: oneOfSetDeleted,
		What: "a set of two locks, which others want one by one; an administrator deletes one of " +
			"the holder's two znodes"},
	{Name: "8k sets, random", Drawn: true, Held: true, Contend: true,
		Start: contenders(sets...), Do: atRandom(contendersHeld), Slow: true,
		What: "three sets of two locks and a single lock, among three locks; everything at random " +
			"as in 8d"},
	{Name: "8l downgrade", Drawn: true, Contend: true,
		Start: contenders(writer, writer, writer), Do: writerReads,
		What: "a writer becomes a reader while other writers wait; it is killed then, or goes on"},
}

func nobody(context.Context, *Round) error { return nil }

func two(ctx context.Context, r *Round) error { return r.lineUp(ctx, 2) }

func five(ctx context.Context, r *Round) error { return r.lineUp(ctx, 5) }
