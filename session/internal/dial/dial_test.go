package dial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// network is a Dial function. It knows which servers accept, and notes what was dialled when.
type network struct {
	mu     sync.Mutex // guards what follows
	up     map[string]bool
	dialed []string
	at     []time.Time
}

func (n *network) dial(_ context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dialed = append(n.dialed, address)
	n.at = append(n.at, time.Now())
	if !n.up[address] {
		return nil, fmt.Errorf("nobody at %s", address)
	}
	near, far := net.Pipe()
	far.Close()
	return near, nil
}

func dialer(n *network, timeout time.Duration, servers ...string) *Dialer {
	return New(Config{
		Servers: servers, Dial: n.dial, Clock: clock.System,
		Timeout: func(int) time.Duration { return timeout },
		Pause:   func() time.Duration { return timeout / 3 },
	})
}

func TestEveryServerIsTriedOnceARoundAndRoundsAreSpaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		d := dialer(n, 10*time.Second, "a:1", "b:1", "c:1")
		for range 30 {
			if _, _, _, err := d.Next(t.Context()); err == nil {
				t.Fatal("connected to nobody")
			}
		}
		for i := 0; i < 30; i += 3 {
			round := slices.Sorted(slices.Values(n.dialed[i : i+3]))
			if !slices.Equal(round, []string{"a:1", "b:1", "c:1"}) {
				t.Fatalf("round %d dialled %v", i/3, n.dialed[i:i+3])
			}
			if d := n.at[i+2].Sub(n.at[i]); d != 0 {
				t.Errorf("round %d took %v", i/3, d)
			}
			if i > 0 {
				if d := n.at[i].Sub(n.at[i-1]); d < firstDelay/2 || d > longestDelay*3/2 {
					t.Errorf("round %d began %v after the one before", i/3, d)
				}
			}
		}
		if d := n.at[27].Sub(n.at[26]); d < longestDelay/4 {
			t.Errorf("after 9 bad rounds the pause is %v: no backoff", d)
		}
	})
}

func TestPausesAreShortWhenSessionsAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		d := dialer(n, 300*time.Millisecond, "a:1")
		for range 50 {
			d.Next(t.Context())
		}
		for i := 1; i < 50; i++ {
			if d := n.at[i].Sub(n.at[i-1]); d > 150*time.Millisecond {
				t.Fatalf("a pause of %v with T = 900ms", d)
			}
		}
	})
}

func TestALostConnectionIsReplacedAtOnceByAnotherServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{up: map[string]bool{"a:1": true, "b:1": true, "c:1": true}}
		d := dialer(n, time.Second, "a:1", "b:1", "c:1")
		for range 20 {
			_, server, _, err := d.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			d.Succeeded(server)
			await.Sleep(time.Minute)
			d.Failed(server, errors.New("cut"))
			begin := time.Now()
			_, next, _, _ := d.Next(t.Context())
			if d := time.Since(begin); d != 0 {
				t.Errorf("waited %v before dialling again", d)
			}
			if next == server {
				t.Errorf("went back to %s, which was just lost", server)
			}
			d.Succeeded(next)
			await.Sleep(time.Minute)
		}
	})
}

func TestASingleAddressIsRedialledWithoutAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{up: map[string]bool{"a:1": true}}
		d := dialer(n, time.Second, "a:1")
		d.Next(t.Context())
		d.Succeeded("a:1")
		await.Sleep(time.Minute)
		begin := time.Now()
		if _, _, _, err := d.Next(t.Context()); err != nil || time.Since(begin) != 0 {
			t.Errorf("dialled after %v: %v", time.Since(begin), err)
		}
	})
}

// The first connection after an outage may be lost to a handshake of our own that was given up.
func TestOnlyTheSecondConnectionThatDoesNotLastCostsAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{up: map[string]bool{"a:1": true, "b:1": true}}
		d := dialer(n, time.Second, "a:1", "b:1")
		for range 3 {
			for _, c := range []struct{ lasts, pause bool }{{true, false}, {false, false}, {false, true}, {false, true}, {true, false}} {
				_, server, _, err := d.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				d.Succeeded(server)
				if c.lasts {
					await.Sleep(time.Minute)
				}
				d.Failed(server, errors.New("cut"))
				begin := time.Now()
				if err := d.prepare(t.Context()); err != nil {
					t.Fatal(err)
				}
				if paused := time.Since(begin) != 0; paused != c.pause {
					t.Errorf("%+v: a pause of %v", c, time.Since(begin))
				}
			}
		}
	})
}

func TestAServerThatAcceptsAndClosesIsNoHotLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, handshake := range []bool{false, true} {
			n := &network{up: map[string]bool{"a:1": true}}
			d := dialer(n, 10*time.Second, "a:1")
			begin := time.Now()
			for range 10 {
				d.Next(t.Context())
				if handshake {
					d.Succeeded("a:1")
				}
				d.Failed("a:1", errors.New("closed"))
			}
			if took := time.Since(begin); took < time.Second {
				t.Errorf("10 attempts in %v (after the handshake: %v)", took, handshake)
			}
		}
	})
}

func TestTheEndOfTheContextEndsNext(t *testing.T) {
	n := &network{}
	d := dialer(n, time.Hour, "a:1")
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("over")
	cancel(why)
	if _, _, _, err := d.Next(ctx); !errors.Is(err, why) {
		t.Errorf("err = %v", err)
	}
	if len(n.dialed) != 0 {
		t.Errorf("dialled %v", n.dialed)
	}
}

func TestServersTellTheirLastFailure(t *testing.T) {
	n := &network{up: map[string]bool{"b:1": true}}
	d := dialer(n, time.Second, "a:1", "b:1")
	for range 2 {
		if _, server, _, err := d.Next(t.Context()); err == nil {
			d.Succeeded(server)
		}
	}
	all := d.Servers()
	if len(all) != 2 || all[0].Addr != "a:1" || all[0].Err == nil || all[0].At.IsZero() {
		t.Errorf("servers = %+v; want a failure of a:1", all)
	}
	if all[1].Err != nil {
		t.Errorf("b:1 is connected and has %v", all[1].Err)
	}
	d.Failed("b:1", errors.New("cut"))
	if d.Servers()[1].Err == nil {
		t.Error("the end of b:1 was not noted")
	}
}

// lookups is a resolver whose answers a test sets.
type lookups struct {
	mu     sync.Mutex // guards what follows
	hosts  map[string][]string
	hangs  map[string]bool
	number int
}

func (l *lookups) lookup(ctx context.Context, host string) ([]string, error) {
	l.mu.Lock()
	l.number++
	hosts, hangs := l.hosts[host], l.hangs[host]
	l.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if hosts == nil {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return hosts, nil
}

func (l *lookups) set(host string, addrs ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hosts[host] = addrs
}

// named returns a dialer that resolves names by l. Each connection fails at once.
func named(ctx context.Context, l *lookups, timeout time.Duration, servers ...string) *Dialer {
	d := dialer(&network{}, timeout, servers...)
	d.cfg.Dial = nil
	d.cfg.Names = newNames(ctx, l.lookup)
	return d
}

func round(d *Dialer, ctx context.Context) []string {
	var addrs []string
	d.newRound(ctx)
	for _, t := range d.round {
		addrs = append(addrs, t.addr)
	}
	slices.Sort(addrs)
	return addrs
}

func TestNamesAreResolvedAgainForEachRound(t *testing.T) {
	l := &lookups{hosts: map[string][]string{"a": {"10.0.0.1", "::2"}}}
	d := named(t.Context(), l, time.Second, "a:1", "10.0.0.9:1", "[::1]:1")
	if got := round(d, t.Context()); !slices.Equal(got, []string{"10.0.0.1:1", "10.0.0.9:1", "[::1]:1", "[::2]:1"}) {
		t.Errorf("first round %v", got)
	}
	l.set("a", "10.0.0.2")
	if got := round(d, t.Context()); !slices.Contains(got, "10.0.0.2:1") || slices.Contains(got, "10.0.0.1:1") {
		t.Errorf("second round %v", got)
	}
	l.set("a") // the name server is down: the former addresses stay in use
	l.hosts["a"] = nil
	if got := round(d, t.Context()); !slices.Contains(got, "10.0.0.2:1") {
		t.Errorf("third round %v", got)
	}
	if err := d.Servers()[0].Err; err == nil || !strings.Contains(err.Error(), "resolve") {
		t.Errorf("the failure of a is %v", err)
	}
	d.cfg.Names.Wait()
}

func TestABadNameAmongSeveralDoesNoHarm(t *testing.T) {
	l := &lookups{hosts: map[string][]string{"good": {"10.0.0.1"}}}
	d := named(t.Context(), l, time.Second, "bad:1", "good:1")
	if got := round(d, t.Context()); !slices.Equal(got, []string{"10.0.0.1:1"}) {
		t.Errorf("round %v", got)
	}
}

func TestANameThatHangsDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lookups{hosts: map[string][]string{"good": {"10.0.0.1"}}, hangs: map[string]bool{"bad": true}}
		ctx, cancel := context.WithCancel(t.Context())
		d := named(ctx, l, 8*time.Second, "bad:1", "good:1")
		for range 5 {
			begin := time.Now()
			if got := round(d, t.Context()); !slices.Equal(got, []string{"10.0.0.1:1"}) {
				t.Errorf("round %v", got)
			}
			if took := time.Since(begin); took > time.Second {
				t.Errorf("a round took %v", took)
			}
		}
		if l.number != 6 {
			t.Errorf("%d look-ups, want 5 of the good name and one, still under way, of the bad one", l.number)
		}
		cancel()
		d.cfg.Names.Wait()
	})
}

func TestWithoutAnyAddressThereIsNoHotLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lookups{hosts: map[string][]string{}}
		d := named(t.Context(), l, time.Second, "a:1", "b:1")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, _, _, err := d.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err = %v", err)
		}
		if l.number > 1000 {
			t.Errorf("%d look-ups in a minute", l.number)
		}
		d.cfg.Names.Wait()
	})
}

// Each round that fails counts: rounds without an address, rounds of servers that refuse, and
// rounds of connections that end before their handshake. A handshake resets the count.
func TestEveryRoundThatFailsIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lookups{hosts: map[string][]string{}}
		d := named(t.Context(), l, time.Second, "a:1")
		var counted []int
		d.cfg.RoundFailed = func(rounds int) { counted = append(counted, rounds) }
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		d.Next(ctx)
		if len(counted) < 10 || counted[0] != 1 || counted[9] != 10 {
			t.Fatalf("look-ups that fail: rounds %v", counted)
		}
		if err := d.Servers()[0].Err; err == nil || !strings.Contains(err.Error(), "resolve") {
			t.Errorf("the failure of a is %v", err)
		}
		l.hosts["a"] = []string{}
		d.cfg.Names.Wait()
		d.newRound(t.Context())
		if err := d.Servers()[0].Err; err == nil || !strings.Contains(err.Error(), "no address") {
			t.Errorf("the failure of a name without an address is %v", err)
		}

		n := &network{up: map[string]bool{"a:1": true}}
		d, counted = dialer(n, time.Second, "a:1", "b:1"), nil
		d.cfg.RoundFailed = func(rounds int) { counted = append(counted, rounds) }
		for range 5 { // a accepts, and its handshake fails; b refuses
			d.Next(t.Context())
		}
		if !slices.Equal(counted, []int{1, 2}) {
			t.Errorf("5 attempts at 2 servers: rounds %v", counted)
		}
		d.Succeeded("a:1")
		await.Sleep(time.Minute)
		for range 3 {
			d.Next(t.Context())
		}
		if !slices.Equal(counted, []int{1, 2, 1}) {
			t.Errorf("after a handshake: rounds %v", counted)
		}
	})
}

func TestLookupsEndWithTheirContext(t *testing.T) {
	l := &lookups{hangs: map[string]bool{"a": true}}
	ctx, cancel := context.WithCancel(t.Context())
	d := named(ctx, l, time.Hour, "a:1")
	cancel()
	d.Next(ctx)
	d.cfg.Names.Wait() // hangs if one is left
}

// A resolver waits for its first name server for 5 s, even if the session timeout is shorter.
// Meanwhile there are rounds without an address. A later round uses the result of the look-up.
func TestASlowNameServerIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, begun := 0, time.Now()
		slow := func(ctx context.Context, host string) ([]string, error) {
			asked++
			select {
			case <-time.After(5 * time.Second):
				return []string{"10.0.0.1"}, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		d := dialer(&network{}, time.Second, "a:1")
		d.cfg.Dial, d.cfg.Names = nil, newNames(t.Context(), slow)
		for _, c := range []struct {
			at   time.Duration
			want []string
		}{{0, nil}, {4 * time.Second, nil}, {6 * time.Second, []string{"10.0.0.1:1"}}} {
			await.Sleep(time.Until(begun.Add(c.at)))
			if got := round(d, t.Context()); !slices.Equal(got, c.want) {
				t.Errorf("round %v at %v; want %v", got, c.at, c.want)
			}
		}
		d.cfg.Names.Wait()
		if asked != 2 {
			t.Errorf("%d look-ups; want the slow one, and one for the last round", asked)
		}
	})
}

// The errors of failed rounds tell within seconds which name is not resolved. They do so in the
// next session, too, and while an old address of the name is known.
func TestANameServerThatDoesNotAnswerIsTold(t *testing.T) {
	const silence = "resolve: lookup a: no answer from a name server for 3s"
	synctest.Test(t, func(t *testing.T) {
		l := &lookups{hosts: map[string][]string{}, hangs: map[string]bool{"a": true}}
		ctx, cancel := context.WithCancel(t.Context())
		d := named(ctx, l, time.Second, "a:1")
		begun := time.Now()
		var told string
		next, stop := context.WithCancel(ctx)
		d.cfg.RoundFailed = func(int) { told = d.Servers()[0].Err.Error(); stop() }
		d.Next(next)
		if told != silence || time.Since(begun) > 5*time.Second {
			t.Errorf("told %q after %v; want %q in seconds", told, time.Since(begun), silence)
		}
		following := named(ctx, l, time.Second, "a:1") // of the next session
		following.cfg.Names = d.cfg.Names
		round(following, ctx)
		if err := following.Servers()[0].Err; err == nil || err.Error() != silence {
			t.Errorf("the next session gets %v; want %q", err, silence)
		}
		cancel()
		d.cfg.Names.Wait()
		if l.number != 1 {
			t.Errorf("%d look-ups; want the one that hangs", l.number)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		l := &lookups{hosts: map[string][]string{"a": {"10.0.0.1"}}, hangs: map[string]bool{}}
		ctx, cancel := context.WithCancel(t.Context())
		d := named(ctx, l, time.Second, "a:1")
		round(d, ctx)
		l.hangs["a"] = true
		round(d, ctx)
		await.Sleep(3 * time.Second)
		round(d, ctx)
		d.Failed("a:1", errors.New("refused"))
		if err := d.Servers()[0].Err; err == nil || err.Error() != "refused; "+silence {
			t.Errorf("at an old address: %v; want the refusal, and %q", err, silence)
		}
		d.Succeeded("a:1")
		d.Failed("a:1", errors.New("cut"))
		if err := d.Servers()[0].Err; err == nil || err.Error() != "cut" {
			t.Errorf("after a handshake, at that address: %v", err)
		}
		cancel()
		d.cfg.Names.Wait()
	})
}

// After a failed round of attempts, the next look-ups get no more time than the next round.
func TestLookupsAreAsPatientAsARoundOfTheServers(t *testing.T) {
	var asked []int
	d := named(t.Context(), &lookups{hosts: map[string][]string{"a": {"10.0.0.1"}, "b": {"10.0.0.2"}}}, time.Second, "a:1", "b:1")
	d.cfg.Timeout = func(attempts int) time.Duration { asked = append(asked, attempts); return time.Second }
	d.newRound(t.Context())
	if !slices.Equal(asked, []int{2}) {
		t.Errorf("asked for rounds of %d attempts", asked)
	}
}

func TestTheNextDialerKnowsTheAddressesThatTheLastOneFound(t *testing.T) {
	l := &lookups{hosts: map[string][]string{"a": {"10.0.0.1"}}}
	first := named(t.Context(), l, time.Second, "a:1")
	round(first, t.Context())
	l.set("a") // the name servers are down
	next := dialer(&network{}, time.Second, "a:1")
	next.cfg.Dial, next.cfg.Names = nil, first.cfg.Names
	if got := round(next, t.Context()); !slices.Equal(got, []string{"10.0.0.1:1"}) {
		t.Errorf("round %v", got)
	}
}
