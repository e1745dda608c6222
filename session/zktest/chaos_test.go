package zktest_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

var seeds = flag.Int("seeds", 20, "how many random lives of the servers to try")

// chaos is what a run under random faults has seen.
type chaos struct {
	mu       sync.Mutex // guards acked and sent
	acked    []string   // creates that were answered
	sent     map[string]bool
	log      []string // faults and roles, for a failure
	commits  []zktest.Commit
	problems []string
}

// writer creates znodes one after the other, on whatever server takes it, and notes those that were
// acknowledged.
func (x *chaos) writer(b *bench, name string, rng *rand.Rand, stop <-chan struct{}) {
	var c *raw
	var seen int64
	for i := 0; ; i++ {
		select {
		case <-stop:
			if c != nil {
				c.conn.Close()
			}
			return
		case <-time.After(time.Duration(50+rng.IntN(100)) * time.Millisecond):
		}
		if c == nil {
			if c = x.dial(b, name, 1+rng.IntN(3), seen); c == nil {
				continue
			}
		}
		path := fmt.Sprintf("/%s-%d", name, i)
		x.mu.Lock()
		x.sent[path] = true
		x.mu.Unlock()
		zxid, code, err := c.silently(1, path, []byte{}, open, rng.IntN(2))
		if err != nil {
			c.conn.Close()
			c = nil
			continue
		}
		if zxid < seen {
			x.problem("%s saw zxid %x after %x", name, zxid, seen)
		}
		seen = zxid
		if code == 0 {
			x.mu.Lock()
			x.acked = append(x.acked, path)
			x.mu.Unlock()
		}
	}
}

func (x *chaos) problem(format string, args ...any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.problems = append(x.problems, fmt.Sprintf(format, args...))
}

// dial opens a session quietly, or not at all.
func (x *chaos) dial(b *bench, name string, server int, seen int64) *raw {
	conn, err := b.dialFrom(name, server)
	if err != nil {
		return nil
	}
	c := &raw{tr: b.trace, name: name, conn: conn}
	c.send(pack(0, seen, 60000, int64(0), make([]byte, 16), false))
	c.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.recvNow(); err != nil {
		conn.Close()
		return nil
	}
	return c
}

func (c *raw) recvNow() ([]byte, error) {
	b, err := readFrame(c.conn)
	if err == nil && len(b) < 16 {
		err = errors.New("short")
	}
	return b, err
}

// silently makes a request without a line in the trace.
func (c *raw) silently(op int, args ...any) (zxid int64, code int, err error) {
	xid := c.post(op, args...)
	c.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	for {
		b, err := c.recvNow()
		if err != nil {
			return 0, 0, err
		}
		u := &unpack{b}
		if u.int() == xid {
			return u.int64(), u.int(), nil
		}
	}
}

// fault injects one at random, and returns what ends it.
func fault(b *bench, rng *rand.Rand) (end func()) {
	servers := b.e.Servers()
	s := servers[rng.IntN(3)]
	other := servers[(s.ID()+rng.IntN(2))%3]
	link := b.e.Link(s, other)
	host := b.e.Host(fmt.Sprint("w", rng.IntN(3)))
	switch rng.IntN(11) {
	case 0:
		s.Kill()
		return func() { _ = s.Start() }
	case 1:
		s.Freeze()
		return s.Thaw
	case 2:
		s.Slow(time.Duration(rng.IntN(20)) * time.Millisecond)
		return func() { s.Slow(0) }
	case 3:
		s.Isolate()
		return s.Rejoin
	case 4:
		link.Hold()
		return link.Heal
	case 5:
		link.Delay(time.Duration(rng.IntN(1000)) * time.Millisecond)
		return link.Heal
	case 6:
		kinds := []zktest.Packet{zktest.PacketPing, zktest.PacketPingReply, zktest.PacketAck, zktest.PacketSync,
			zktest.PacketProposal, zktest.PacketCommit, zktest.PacketRequest, zktest.PacketClosed, zktest.PacketSnapshot}
		link.Lose(kinds[rng.IntN(len(kinds))])
		return link.Heal
	case 7:
		host.Hold(zktest.Direction(rng.IntN(2)))
		return host.Heal
	case 8:
		host.Cut()
		return func() {}
	case 9:
		s.DelayPings(time.Duration(rng.IntN(2000)) * time.Millisecond)
		return func() { s.DelayPings(0) }
	}
	r := b.e.On(zktest.Match{Op: zktest.OpCreate, Nth: 1 + rng.IntN(3)},
		[]zktest.Effect{zktest.LoseReply, zktest.LoseRequest, zktest.DropReply, zktest.Fail(-4)}[rng.IntN(4)])
	return r.Remove
}

// What was acknowledged is kept, whatever happens. What was never sent does not appear. When all
// faults are over, the servers agree.
func TestNothingAcknowledgedIsEverLost(t *testing.T) {
	for seed := range *seeds {
		x := &chaos{sent: map[string]bool{}}
		rng := rand.New(rand.NewPCG(uint64(seed), 0))
		cfg := zktest.Config{Servers: 3, Seed: int64(seed), Latency: time.Millisecond,
			Logf:     func(format string, args ...any) { x.log = append(x.log, fmt.Sprintf(format, args...)) },
			OnCommit: func(c zktest.Commit) { x.commits = append(x.commits, c) },
		}
		inBubble(t, cfg, func(t *testing.T, b *bench) {
			defer func() {
				if t.Failed() || len(x.problems) > 0 {
					t.Errorf("seed %d: %q\n%s", seed, x.problems, strings.Join(x.log, "\n"))
				}
			}()
			x.run(t, b, rng)
		})
		if t.Failed() {
			return
		}
	}
}

func (x *chaos) run(t *testing.T, b *bench, rng *rand.Rand) {
	stop := make(chan struct{})
	var work sync.WaitGroup
	for i := range 3 {
		own := rand.New(rand.NewPCG(rng.Uint64(), 1))
		work.Go(func() { x.writer(b, fmt.Sprint("w", i), own, stop) })
	}
	var ends []func()
	for range 30 {
		end := fault(b, rng)
		<-time.After(time.Duration(rng.IntN(1500)) * time.Millisecond)
		if rng.IntN(3) > 0 {
			end()
		} else {
			ends = append(ends, end)
		}
	}
	for _, end := range ends {
		end()
	}
	x.heal(b)
	close(stop)
	work.Wait()
	<-time.After(5 * time.Second) // a ping loop that was late may cost one more election
	eventually(t, "all servers are back", time.Minute, func() bool { return len(b.e.Followers()) == 2 })
	c := b.on("last", b.leader())
	c.create("/last", nil, 0)
	b.want("err=0")
	c.conn.Close()
	eventually(t, "all servers have the last write", time.Second, func() bool {
		return b.e.Server(1).Zxid() == b.e.Server(2).Zxid() && b.e.Server(2).Zxid() == b.e.Server(3).Zxid()
	})
	x.check(b)
}

func (x *chaos) heal(b *bench) {
	for _, s := range b.e.Servers() {
		_ = s.Start()
		s.Thaw()
		s.Slow(0)
		s.Rejoin()
		s.DelayPings(0)
	}
	for i := range 3 {
		b.e.Host(fmt.Sprint("w", i)).Heal()
	}
}

func (x *chaos) check(b *bench) {
	created, deleted, last := map[string]bool{}, map[string]bool{}, int64(0)
	for _, c := range x.commits {
		if c.Zxid <= last {
			x.problem("commit %x after %x", c.Zxid, last)
		}
		last = c.Zxid
		for _, ch := range c.Changes {
			switch ch.Op {
			case zktest.OpCreate:
				created[ch.Path] = true
			case zktest.OpDelete:
				deleted[ch.Path] = true
			}
		}
	}
	for _, path := range x.acked {
		if !created[path] {
			x.problem("%s was acknowledged, but never committed", path)
		}
	}
	for path := range created {
		if !x.sent[path] && path != "/last" {
			x.problem("%s was committed, but nobody sent it", path)
		}
	}
	want := paths(b.e.Server(1).Nodes())
	for _, s := range b.e.Servers() {
		if got := paths(s.Nodes()); got != want {
			x.problem("server %d differs from server 1: %s", s.ID(), difference(got, want))
		}
	}
	for path := range created {
		if here := strings.Contains(" "+want+" ", " "+path+" "); here == deleted[path] {
			x.problem("%s: deleted %v, there %v", path, deleted[path], here)
		}
	}
}

// difference lists the words that only one of two texts has.
func difference(a, b string) string {
	var list []string
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		for _, word := range strings.Fields(pair[0]) {
			if !strings.Contains(" "+pair[1]+" ", " "+word+" ") {
				list = append(list, word)
			}
		}
	}
	return strings.Join(list, " ")
}
