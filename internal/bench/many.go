package main

import (
	"context"
	"fmt"
	"path"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe/election"
)

// measureMany measures a sharded service: three processes with one client each, all of them
// candidates in each of many elections. They are three clients of this process.
func measureMany(l *lab) error {
	const rounds = 7
	m := many{lab: l, n: l.elections}
	for round := range rounds {
		if err := m.round(round == rounds-1); err != nil {
			return fmt.Errorf("%d elections: %w", m.n, err)
		}
	}
	t := table{
		title: fmt.Sprintf("One client in many elections, three such processes; medians of %d:", rounds),
		head: []string{"elections", "join, first/second/third, x floor", "close, x floor (least, most)", "x floor and reads", "close ms", "floor ms", "and reads, ms",
			"beats per D/4, leading/heir/waiting", "heap per waiting one, KB", "stack, KB", "goroutines"},
	}
	var join [3]string
	for i := range join {
		join[i] = ratio(m.joins[i].at(0.5), m.creates[i].at(0.5))
	}
	floor, reads := m.floors.at(0.5), m.reads.at(0.5)
	per := func(total float64) string { return fmt.Sprintf("%.1f", total/1024/float64(m.n)) }
	t.add(m.n, strings.Join(join[:], " / "),
		fmt.Sprintf("%s (%s, %s)", ratio(m.closes.at(0.5), floor), ratio(m.closes.at(0), floor), ratio(m.closes.max(), floor)), ratio(m.closes.at(0.5), reads),
		millis(m.closes.at(0.5)), millis(floor), millis(reads), m.beats,
		per(m.heap), per(m.stack), fmt.Sprintf("%.2f", m.routines/float64(m.n)))
	t.print(l.out)
	return nil
}

const manyTimeout, manyLease = longTimeout, longTimeout / 2

// many is what was measured of n elections.
type many struct {
	*lab
	n                     int
	paths                 []string
	joins, creates        [3]sample
	closes, floors, reads sample
	heap, stack, routines float64
	beats                 string
}

// round measures once what joining and closing take, and in the last round how often they beat.
func (m *many) round(last bool) error {
	f, closeBares, err := newManyFloor(m.lab, m.n)
	if err != nil {
		return err
	}
	defer closeBares()
	clients, closeClients, err := openAll(m.lab, 3, manyTimeout)
	if err != nil {
		return err
	}
	defer closeClients()
	if m.paths == nil { // later rounds find the records of the first
		if m.paths, err = f.paths("shards"); err != nil {
			return err
		}
	}
	var shards []*shard
	defer func() {
		for _, s := range shards {
			s.stop()
		}
	}()
	for i, c := range clients {
		if err := collect(&m.creates[i], func() (time.Duration, error) { return f.join(i) }); err != nil {
			return err
		}
		before := usage()
		s := newShard(m.lab, c, m.paths)
		shards = append(shards, s)
		if err := collect(&m.joins[i], s.join); err != nil {
			return err
		}
		if i == 0 {
			if err := s.awaitEntered(); err != nil {
				return err
			}
		}
		time.Sleep(manyLease / 4) // of answers under way
		after := usage()
		m.heap, m.stack = float64(after.HeapAlloc)-float64(before.HeapAlloc), float64(after.StackInuse)-float64(before.StackInuse)
		m.routines = float64(after.goroutines - before.goroutines)
	}
	if last {
		if m.beats, err = countBeats(m.lab, clients); err != nil {
			return err
		}
	}
	if err := collect(&m.floors, func() (time.Duration, error) { return f.close(0, false) }); err != nil {
		return err
	}
	if err := collect(&m.reads, func() (time.Duration, error) { return f.close(2, true) }); err != nil {
		return err
	}
	runtime.GC()
	begun := time.Now()
	go clients[0].Close()
	if err := shards[1].awaitEntered(); err != nil {
		return err
	}
	m.closes = append(m.closes, shards[1].last.Sub(begun))
	return nil
}

type use struct {
	runtime.MemStats
	goroutines int
}

func usage() (u use) {
	runtime.GC()
	runtime.GC() // what finalizers and pools held
	runtime.ReadMemStats(&u.MemStats)
	u.goroutines = runtime.NumGoroutine()
	return u
}

// countBeats tells how many heartbeats each client's session makes in a quarter of D.
func countBeats(l *lab, clients []*ours) (string, error) {
	const periods = 16
	var before [3]int64
	for i, c := range clients {
		before[i] = c.stamp.beats.Load()
	}
	begun := time.Now()
	time.Sleep(periods * manyLease / 4)
	counted := float64(time.Since(begun)) / float64(manyLease/4)
	var text string
	for i, c := range clients {
		text += fmt.Sprintf(" / %.2f", float64(c.stamp.beats.Load()-before[i])/counted)
	}
	return text[3:], l.ctx.Err()
}

// A shard is one process: a candidate in each election.
type shard struct {
	l       *lab
	client  *ours
	paths   []string
	running sync.WaitGroup
	end     context.CancelFunc
	ctx     context.Context
	joined  chan struct{}
	entered chan time.Time
	last    time.Time // when the last callback was entered
}

func newShard(l *lab, client *ours, paths []string) *shard {
	s := &shard{l: l, client: client, paths: paths,
		joined: make(chan struct{}, 10*len(paths)), entered: make(chan time.Time, 10*len(paths))}
	s.ctx, s.end = context.WithCancel(l.ctx)
	return s
}

func (s *shard) stop() {
	s.end()
	s.running.Wait()
}

// join enters all elections and returns how long it took until all stand in line.
func (s *shard) join() (time.Duration, error) {
	begun := time.Now()
	for _, path := range s.paths {
		el, err := election.New(s.client.Client, path, election.Config{ID: "candidate", OnEvent: onJoined(s.joined)})
		if err != nil {
			return 0, err
		}
		s.running.Go(func() {
			el.Run(s.ctx, func(ctx context.Context, _ *election.Term) error {
				s.entered <- time.Now()
				<-ctx.Done()
				return nil
			})
		})
	}
	for range s.paths {
		if _, err := receive(s.l, s.joined); err != nil {
			return 0, err
		}
	}
	return time.Since(begun), nil
}

// awaitEntered waits until all callbacks have been entered.
func (s *shard) awaitEntered() error {
	for range s.paths {
		at, err := receive(s.l, s.entered)
		if err != nil {
			return err
		}
		if at.After(s.last) {
			s.last = at
		}
	}
	return nil
}

// manyFloor is what ZooKeeper takes for as many znodes.
type manyFloor struct {
	l     *lab
	n     int
	by    []*bare
	nodes [3][]string // of each session
}

func newManyFloor(l *lab, n int) (*manyFloor, func(), error) {
	by, stop, err := dialBares(l, 3, manyTimeout)
	return &manyFloor{l: l, n: n, by: by}, stop, err
}

// pipelined makes n requests without waiting for answers in between. No client can be faster.
func pipelined(n int, request func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = request(i) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// paths makes n persistent znodes.
func (f *manyFloor) paths(what string) ([]string, error) {
	base := f.l.path(what)
	if _, err := f.by[0].Create(base, nil, 0, zk.WorldACL(zk.PermAll)); err != nil {
		return nil, err
	}
	paths := make([]string, f.n)
	err := pipelined(f.n, func(i int) (err error) {
		paths[i], err = f.by[0].Create(fmt.Sprintf("%s/%d", base, i), nil, 0, zk.WorldACL(zk.PermAll))
		return err
	})
	for _, b := range f.by { // to see them all
		if _, err := b.Sync(base); err != nil {
			return nil, err
		}
	}
	return paths, err
}

// join makes an ephemeral znode of the i-th session in each of n places, and returns how long that
// took.
func (f *manyFloor) join(i int) (time.Duration, error) {
	paths, err := f.paths("floor")
	if err != nil {
		return 0, err
	}
	b := f.by[i]
	f.nodes[i] = make([]string, f.n)
	runtime.GC() // here and below: the measurement must not pay for what was before
	begun := time.Now()
	err = pipelined(f.n, func(n int) (err error) {
		f.nodes[i][n], err = b.Create(paths[n]+"/_c_00000000-0000-4000-8000-000000000000-latch-", []byte("candidate"),
			zk.FlagEphemeral|zk.FlagSequence, zk.WorldACL(zk.PermAll))
		return err
	})
	return time.Since(begun), err
}

// close ends the i-th session. It returns how long it took until the second session had heard of
// the end of all its znodes. If read is set, the second session also makes a small read after each,
// as an heir must.
func (f *manyFloor) close(i int, read bool) (time.Duration, error) {
	heir, nodes := f.by[1], f.nodes[i]
	var heard sync.WaitGroup
	if _, err := heir.Sync("/"); err != nil {
		return 0, err
	}
	err := pipelined(f.n, func(i int) error {
		_, _, gone, err := heir.GetW(nodes[i])
		heard.Go(func() {
			<-gone
			if read {
				_, _, _ = heir.Get(path.Dir(nodes[i]))
			}
		})
		return err
	})
	if err != nil {
		return 0, err
	}
	runtime.GC()
	begun := time.Now()
	f.by[i].Close()
	heard.Wait()
	return time.Since(begun), nil
}
