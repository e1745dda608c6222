package semaphore_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestWhoSaysAnotherSizeIsRefused(t *testing.T) {
	refused := func(t *testing.T, x *contest) {
		errs, held := make(chan error, 2), make(chan *semaphore.Permit, 2)
		for i, size := range []int{10, 20} { // on a fresh path, at the same time
			c := x.at(x.Client(session.Config{}), fmt.Sprint(i), size)
			go func() {
				p, err := c.Acquire(await.Context(t))
				if err == nil {
					held <- p
				}
				errs <- err
			}()
		}
		var refused error
		for range 2 {
			if err := <-errs; err != nil {
				if refused != nil {
					t.Errorf("both are refused: %v, %v", refused, err)
				}
				refused = err
			}
		}
		var size *semaphore.SizeError
		if !errors.As(refused, &size) || size.Size+size.Want != 30 || !strings.Contains(refused.Error(), "10") ||
			!strings.Contains(refused.Error(), "20") || !strings.Contains(refused.Error(), "New") {
			t.Errorf("refused: %v; want it to tell of both sizes and of New", refused)
		}
		x.release(<-held)
	}
	for seed := range int64(20) {
		onSimulated(t, 10, zktest.Config{Seed: seed, Jitter: 3 * time.Millisecond}, refused)
	}
	onBoth(t, 10, refused)
}

func TestASizeOfZeroIsThatOfThePath(t *testing.T) {
	onBoth(t, 3, func(t *testing.T, x *contest) {
		any := x.at(x.Client(session.Config{}), "any", 0)
		var size *semaphore.SizeError
		if _, err := any.Acquire(await.Context(t)); !errors.As(err, &size) || size.Size != 0 {
			t.Errorf("without a path: %v", err)
		}
		x.release(x.contender("a").acquire())
		x.CaughtUp(any.client)
		p := any.acquire()
		if any.Size() != 3 {
			t.Errorf("size %d", any.Size())
		}
		x.release(p)
	})
}

func TestResizeWakesThoseWhoWaitInOrder(t *testing.T) {
	onBoth(t, 3, func(t *testing.T, x *contest) {
		a, b := x.contender("a"), x.contender("b")
		held := []*semaphore.Permit{a.acquire(), a.acquire(), a.acquire()}
		var waiting []<-chan *semaphore.Permit
		for i := range 4 {
			waiting = append(waiting, x.contender(fmt.Sprint("w", i)).queue())
		}
		x.Pass(contestD)
		shared.Must(t, a.Resize(await.Context(t), 1))
		x.release(held[0])
		x.release(held[1])
		if !x.empty(waiting[0], 5*contestT) {
			t.Fatal("admitted although one of one is held")
		}
		x.size = 5
		shared.Must(t, b.Resize(await.Context(t), 5))
		for i := range 4 {
			held = append(held, <-waiting[i])
		}
		var tokens []int64
		for _, p := range held[3:] {
			tokens = append(tokens, p.Token())
		}
		if !slices.IsSorted(tokens) {
			t.Errorf("tokens %v of those who waited in this order", tokens)
		}
		shared.Must(t, a.Resize(await.Context(t), 1))
		last := x.contender("last")
		x.CaughtUp(last.client)
		// The error is about the size that New was given, not about the 2 permits.
		if _, err := last.AcquireN(await.Context(t), 2); !isA[*semaphore.SizeError](err) || !strings.Contains(err.Error(), "New was given") {
			t.Errorf("two of one: %v", err)
		}
		for _, p := range held[2:] {
			x.release(p)
		}
	})
}

// One who waits is cut off while the size is changed, so it hears of the changes later. Those
// behind it do not pass it.
func TestAWaiterThatIsCutOffDuringResizeIsServedInOrder(t *testing.T) {
	for name, cut := range map[string]int{"the first": 0, "the second": 1} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, 3, func(t *testing.T, x *contest) {
				a, proxies := x.contender("a"), shared.Proxies(t, x.Servers)
				held := []*semaphore.Permit{a.acquire(), a.acquire(), a.acquire()}
				var waiting []<-chan *semaphore.Permit
				var clients []*session.Client
				for i := range 4 {
					client := x.Client(session.Config{})
					if i == cut {
						client = x.ClientAt(proxies, session.Config{})
					}
					clients = append(clients, client)
					waiting = append(waiting, x.at(client, fmt.Sprint("w", i), x.size).queue())
				}
				shared.Must(t, a.Resize(await.Context(t), 1))
				cutAt := time.Now()
				proxies.Each(func(p *faultproxy.Proxy) { p.Refuse(true) }) // all, before the first is cut
				proxies.Each(func(p *faultproxy.Proxy) { p.Cut(false) })
				x.release(held[0])
				x.release(held[1])
				x.size = 5
				shared.Must(t, a.Resize(await.Context(t), 5))
				passed := !x.empty(waiting[cut+1], contestD/2) // less than it takes to take over
				proxies.Each(func(p *faultproxy.Proxy) { p.Refuse(false) })
				x.CaughtUp(clients[cut])
				slow := time.Since(cutAt) > contestD*3/4 // then others may have taken over from it
				if passed && !slow {
					t.Fatal("the one behind has passed")
				}
				last := held[2].Token()
				for i := range waiting {
					p := <-waiting[i]
					held = append(held, p)
					if p == nil || p.Token() <= last && !slow {
						t.Fatalf("w%d has not followed the one ahead", i)
					}
					last = p.Token()
				}
				for _, p := range held[2:] {
					x.release(p)
				}
				x.none("leases")
				x.none("locks")
			})
		})
	}
}

// An AcquireN of two would wait for ever when the size becomes one, and so would all behind it.
func TestWhoWaitsForMoreThanThereAreIsToldSo(t *testing.T) {
	onBoth(t, 2, func(t *testing.T, x *contest) {
		a, b, c := x.contender("a"), x.contender("b"), x.contender("c")
		held := a.acquire()
		got := make(chan error, 1)
		go func() {
			_, err := b.AcquireN(await.Context(t), 2)
			got <- err
		}()
		b.next(semaphore.EventJoined, 1)
		waiting := c.queue()
		shared.Must(t, a.Resize(await.Context(t), 1))
		var size *semaphore.SizeError
		if err := <-got; !errors.As(err, &size) || size.Size != 1 || size.Want != 2 || !strings.Contains(err.Error(), "has 1 permit, and 2 were asked for") {
			t.Errorf("error %v", err)
		}
		x.release(held)
		x.release(<-waiting)
	})
}

// An empty path, as Curator makes it, gets a record; a lease that is longer than the record's is
// refused.
func TestAPathThatAnotherLibraryHasMade(t *testing.T) {
	onBoth(t, 1, func(t *testing.T, x *contest) {
		for _, dir := range []string{"locks", "leases"} {
			x.Make(x.path + "/" + dir)
		}
		theirs, err := x.Admin.Create(t.Context(), x.path+"/leases/_c_0f3b1c9e-7a52-4e1d-9a6b-2c8d4f5e6a7b-lease-", nil, zk.FlagEphemeralSequential, nil)
		shared.Must(t, err)
		a := x.contender("a")
		got := a.queue()
		a.atFront()
		if !x.empty(got, 3*contestT) {
			t.Fatal("two of one")
		}
		x.Soon("who waits for a permit that has no lease", func() {
			x.Delete(theirs)
			x.release(<-got)
		})
		x.nobodyWaited()
		b := x.at(x.Client(session.Config{Lease: contestT / 2}), "b", 1)
		x.CaughtUp(b.client)
		var lease *recipe.LeaseError
		if _, err := b.Acquire(await.Context(t)); !errors.As(err, &lease) {
			t.Errorf("a lease that is too long: %v", err)
		}
	})
}

// Nobody waits for the lease of a Resize, because it is over with the multi that writes the size.
func TestAResizeDelaysNobody(t *testing.T) {
	onBoth(t, 1, func(t *testing.T, x *contest) {
		a := x.contender("a")
		x.release(a.acquire())
		for _, x.size = range []int{3, 2, 1} {
			shared.Must(t, a.Resize(await.Context(t), x.size))
		}
		b := x.contender("b")
		x.CaughtUp(b.client)
		x.Soon("who comes after the last", func() { x.release(b.acquire()) })
		x.nobodyWaited()
	})
}
