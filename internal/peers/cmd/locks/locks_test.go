package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/peers"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == asClients { // a process of a test
		main()
		return
	}
	m.Run()
}

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
				l.For, l.WarmUp = time.Second, time.Second
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
				begin := time.Now().Add(l.WarmUp)
				got := takeInTurn(t.Context(), l, clients)
				close(all)
				// The first ends at any time after begin, with no rest before it.
				want := int(l.For / (l.Rest + takes))
				if got.HandOver != takes || got.Failed > 0 ||
					got.Acquired < want-1 || got.Acquired > want+1 {
					t.Errorf("%+v; want about %d of %v", got, want, takes)
				}
				if n := judge(t, l, begin, all); got.Acquired != n {
					t.Errorf("%d are counted; there were %d", got.Acquired, n)
				}
			})
		})
	}
}

// judge reads what has happened, and returns how many acquisitions count.
func judge(t *testing.T, l peers.Load, begin time.Time, all <-chan moment) (n int) {
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
			if last.After(begin) && last.Before(begin.Add(l.For)) {
				n++
			}
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
	return n
}

// Each hand-over takes two messages at least, the deletion of a znode and its event, and each of
// these is delayed.
func TestProcessesShareALockBehindADelay(t *testing.T) {
	const delay = 10 * time.Millisecond
	e := zktest.Start(t)
	for which := range openers {
		rows, done, err := delayed([]row{{which, e.ConnectString(), own(which)}}, delay)
		if err != nil {
			t.Fatal(err)
		}
		defer done()
		var got peers.Locked
		l := peers.Load{Connect: rows[0].connect, Clients: 1, Processes: 3,
			WarmUp: time.Second / 2, For: time.Second, Permits: 1}
		for ; got.Acquired == 0; l.For *= 2 { // longer on a busy machine
			l.Path = fmt.Sprintf("/%s-%v", which, l.For)
			if got, err = rows[0].take(t.Context(), l); err != nil {
				t.Fatal(err)
			}
			most := int(l.For / (2 * delay))
			if got.Failed > 0 || got.HandOver != 0 || got.Acquired > most {
				t.Errorf("%s for %v: %+v; want no failure, no time, and at most %d",
					which, l.For, got, most)
			}
		}
	}
}

func TestAttemptsThatFailAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := peers.Load{For: time.Second, WarmUp: time.Second, Permits: 1}
		got := takeInTurn(t.Context(), l, []acquirer{
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
		{table{base: "b", processes: true}, "floor", "| 7 | floor | 9 | 0.04 | 0 |\n"},
		{table{base: "b", processes: true}, "a", "| 7 | a | 100 | 0.50 | 2 |\n"},
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
		{table{of: "processes", base: "a", processes: true, delay: time.Millisecond}, `
A lock that processes share and release at once, each message delayed by 1ms:

| processes | who | acquisitions/s | times a | failed |
|---:|---|---:|---:|---:|
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
