package semaphore_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/rounds"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestEachPermitHasASlotOfItsOwn(t *testing.T) {
	onBoth(t, 4, func(t *testing.T, x *contest) {
		var held []*semaphore.Permit
		for i := range 4 {
			p := x.contender(fmt.Sprint("a", i), slotted).acquire()
			if p.Slot().Number() != i || !p.Slot().Valid() {
				t.Errorf("slot %d, %v", p.Slot().Number(), p.Slot().Valid())
			}
			held = append(held, p)
		}
		waiting := x.contender("w", slotted).queue()
		x.release(held[2])
		p := <-waiting
		if p.Slot().Number() != 2 || held[2].Slot().Valid() || p.Slot().Token() <= held[2].Slot().Token() {
			t.Errorf("slot %d, token %d after %d", p.Slot().Number(), p.Slot().Token(), held[2].Slot().Token())
		}
		for _, p := range append(held[:2], held[3], p) {
			x.release(p)
		}
		two := <-x.contender("both", slotted).begin(2)
		if got := two.Slots(); len(got) != 2 || got[0].Number() != 0 || got[1].Number() != 1 {
			t.Errorf("slots %v", got)
		}
		x.release(two)
		plain := x.contender("plain").acquire()
		if plain.Slot().Number() != -1 || plain.Slot().Valid() {
			t.Error("a slot that nobody asked for")
		}
		x.release(plain)
		x.nobodyWaited()
	})
}

// Those who come at the same time read the same record.
func TestSlotsThatAreTakenAtTheSameTime(t *testing.T) {
	together := func(t *testing.T, x *contest) {
		var all []*contender
		for i := range 6 {
			all = append(all, x.contender(fmt.Sprint("a", i), slotted))
			x.Session(all[i].client)
		}
		x.release(all[0].acquire())
		var got []<-chan *semaphore.Permit
		for _, c := range all {
			got = append(got, c.begin(1))
		}
		var held []*semaphore.Permit
		for _, p := range got {
			held = append(held, <-p) // which looks at all others
		}
		for _, p := range held {
			x.release(p)
		}
	}
	for seed := 0; seed < 5; seed += rounds.Stride(3) {
		onSimulated(t, 6, zktest.Config{Seed: int64(seed)}, together)
	}
	onBoth(t, 6, together)
}

// The size of a path was reduced. A later permit gets a slot below the new size.
func TestSlotsStayBelowTheSize(t *testing.T) {
	onBoth(t, 4, func(t *testing.T, x *contest) {
		a := x.contender("a", slotted)
		var held []*semaphore.Permit
		for range 4 {
			held = append(held, a.acquire())
		}
		shared.Must(t, a.Resize(await.Context(t), 2))
		for _, p := range held[1:] {
			x.release(p)
		}
		x.size = 0 // what the path holds
		b := x.contender("b", slotted)
		x.size = 4
		x.CaughtUp(b.client)
		got := b.acquire()
		if n := got.Slot().Number(); n != 1 {
			t.Errorf("slot %v", n)
		}
		x.release(got)
		x.release(held[0])
	})
}

// One without slots has set a size that is too large for slots.
func TestMorePermitsThanThereAreSlotsAreRefused(t *testing.T) {
	onBoth(t, 2, func(t *testing.T, x *contest) {
		a, b, plain := x.contender("a", slotted), x.contender("b", slotted), x.contender("plain")
		held := a.acquire()
		shared.Must(t, plain.Resize(await.Context(t), 4097))
		x.size = 0 // what the path holds
		for _, c := range []*contender{b, x.contender("c", slotted)} {
			x.CaughtUp(c.client)
			var size *semaphore.SizeError
			if _, err := c.Acquire(await.Context(t)); !errors.As(err, &size) || size.Size != 4097 || size.Want != 4096 {
				t.Errorf("%s: %v", c.name, err)
			} else {
				shared.Says(t, err, "4097", "4096", "Slots")
			}
		}
		x.size = 4
		if !held.Valid() {
			t.Error("the permit that was held is lost")
		}
		shared.Must(t, b.Resize(await.Context(t), 4))
		p := b.acquire()
		if got := p.Slot().Number(); got != 1 {
			t.Errorf("slot %d", got)
		}
		x.release(p)
		x.release(held)
	})
}
