package main

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/peers"
)

// moment is when a client has acquired a permit, or released it.
type moment struct {
	client   int
	acquired bool
	at       time.Time
}

// Clients of a lock, and of a semaphore, that need 3 ms to acquire it: the time is that of each
// hand-over, with a rest or without. The permits are released in the order in which they were
// acquired, each a rest after the last acquisition.
func TestEachHandOverBeginsARestAfterTheOneBeforeIt(t *testing.T) {
	const takes = 3 * time.Millisecond
	for name, l := range map[string]peers.Load{
		"lock":             {Clients: 4, Permits: 1},
		"lock, rested":     {Clients: 4, Permits: 1, Rest: 20 * time.Millisecond},
		"alone, rested":    {Clients: 1, Permits: 1, Rest: 20 * time.Millisecond},
		"semaphore":        {Clients: 7, Permits: 3},
		"semaphore rested": {Clients: 7, Permits: 3, Rest: 20 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l.For = time.Second
				free := make(chan struct{}, l.Permits)
				for i := range l.Permits { // at different moments, so that there is an order
					time.AfterFunc(time.Duration(i)*time.Millisecond, func() { free <- struct{}{} })
				}
				all := make(chan moment, 10000)
				var clients []acquirer
				for i := range l.Clients {
					clients = append(clients, func(context.Context) (func(context.Context) error, error) {
						<-free
						time.Sleep(takes)
						all <- moment{i, true, time.Now()}
						return func(context.Context) error {
							all <- moment{i, false, time.Now()}
							free <- struct{}{}
							return nil
						}, nil
					})
				}
				begin := time.Now().Add(l.WarmUp())
				got := takeInTurn(t.Context(), l, clients)
				close(all)
				// The first is over after begin, and the last does not count if it ends with the end.
				want := int(l.For / (l.Rest + takes))
				if got.HandOver != takes || got.Failed > 0 || got.Acquired < want-2 || got.Acquired > want {
					t.Errorf("%+v; want about %d of %v", got, want, takes)
				}
				judge(t, l, begin, all)
			})
		})
	}
}

// judge reads what has happened.
func judge(t *testing.T, l peers.Load, begin time.Time, all <-chan moment) {
	t.Helper()
	var holders []int
	var last time.Time // an acquisition
	for m := range all {
		switch {
		case m.acquired:
			if holders = append(holders, m.client); len(holders) > l.Permits {
				t.Fatalf("%d hold %d permits", len(holders), l.Permits)
			}
			last = m.at
		case !m.at.Before(begin.Add(l.For)): // now all leave
			holders = slices.DeleteFunc(holders, func(i int) bool { return i == m.client })
		case holders[0] != m.client:
			t.Fatalf("%d has released its permit before %d", m.client, holders[0])
		case last.After(begin) && m.at.Sub(last) != l.Rest, !last.After(begin) && m.at != last:
			t.Fatalf("%d has released its permit %v after the last acquisition", m.client, m.at.Sub(last))
		default:
			holders = holders[1:]
		}
	}
}

func TestAttemptsThatFailAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := takeInTurn(t.Context(), peers.Load{For: time.Second, Permits: 1}, []acquirer{
			func(context.Context) (func(context.Context) error, error) {
				time.Sleep(100 * time.Millisecond)
				return nil, errors.New("busy")
			}})
		if got != (peers.Locked{Failed: 20}) { // in the first second, too
			t.Errorf("%+v", got)
		}
	})
}

func TestALineHasMediansAndTheirRatios(t *testing.T) {
	rows := []row{{name: "floor"}, {name: "a"}, {name: "b"}}
	ms := func(all ...int) (took []time.Duration) {
		for _, n := range all {
			took = append(took, time.Duration(n)*time.Millisecond)
		}
		return took
	}
	results := map[string]*result{
		"floor": {rates: []float64{9, 9, 9}, took: ms(9, 1, 2), acquired: 30},
		"a":     {rates: []float64{100, 50, 900}, took: ms(3, 99, 1), acquired: 300, failed: 2},
		"b":     {rates: []float64{200, 200, 200}, took: ms(6, 6, 6), acquired: 600},
	}
	for _, c := range []struct {
		t    table
		name string
		want string
	}{
		{table{base: "b"}, "floor", "| 7 | floor | | | 2.00 | 1.00 | 0.33 | 0 |\n"},
		{table{base: "b"}, "a", "| 7 | a | 100 | 0.50 | 3.00 | 1.50 | 0.50 | 2 |\n"},
		{table{base: "b", rest: 1}, "floor", "| 7 | floor | 30 | 2.00 | 1.00 | 0.33 | 0 |\n"},
		{table{base: "a", rest: 1}, "b", "| 7 | b | 600 | 6.00 | 3.00 | 2.00 | 0 |\n"},
	} {
		c.t.rows = rows
		if got := c.t.line(7, c.name, results); got != c.want {
			t.Errorf("%+v\n%swant\n%s", c.t, got, c.want)
		}
	}
	for _, c := range []struct {
		t    table
		want string
	}{
		{table{of: "clients", base: "a"}, `
A lock that each holder releases at once:

| clients | who | acquisitions/s | times a | release to acquired, p50, ms | of the floor | times a | failed |
|---:|---|---:|---:|---:|---:|---:|---:|
`},
		{table{of: "waiting", base: "a", rest: 20 * time.Millisecond, permits: 10}, `
A semaphore of 10 permits, each hand-over of one 20ms after the one before it:

| waiting | who | hand-overs | release to acquired, p50, ms | of the floor | times a | failed |
|---:|---|---:|---:|---:|---:|---:|
`},
	} {
		if got := c.t.head(); got != c.want {
			t.Errorf("%s; want\n%s", got, c.want)
		}
	}
}

func TestNumbersAreRead(t *testing.T) {
	for text, want := range map[string][]int{"": nil, "7": {7}, "1,20,300": {1, 20, 300}} {
		if got, err := numbers(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"x", "0", "-1", "1,", "1;2"} {
		if got, err := numbers(text); err == nil {
			t.Errorf("%q is %v; want an error", text, got)
		}
	}
}
