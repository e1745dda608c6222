package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/examples/internal/cable"
	"github.com/zkrecipe/zkrecipe/examples/internal/example"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/watch"
)

// worker is one process of the service: a member of the group, which works at the jobs that are
// handed out to it, and a candidate, which hands them out if it leads. All that is on one client.
type worker struct {
	id     string
	path   string
	jobs   []string
	client *session.Client
	cable  *cable.Cable
	group  *group.Group
	member *group.Member
	board  *board

	leading atomic.Bool
	stop    context.CancelFunc
	done    sync.WaitGroup
}

// start starts a worker; it is listed when start returns.
func start(ctx context.Context, p *program, id string, b *board) (*worker, error) {
	w := &worker{id: id, path: p.Path, jobs: p.jobs(), cable: &cable.Cable{}, board: b}
	var err error
	if w.client, err = w.cable.Client(p.Program); err != nil {
		return nil, err
	}
	if err := w.begin(ctx); err != nil {
		w.client.Close()
		return nil, err
	}
	return w, nil
}

func (w *worker) begin(ctx context.Context) error {
	s, err := w.client.Session(ctx)
	if err == nil {
		err = s.EnsurePath(ctx, w.assignments(), nil)
	}
	if err != nil {
		return err
	}
	if w.group, err = group.New(w.client, w.path+"/workers", group.Config{ID: w.id}); err != nil {
		return err
	}
	if w.member, err = w.group.Join(ctx); err != nil {
		return err
	}
	el, err := election.New(w.client, w.path+"/dispatcher", election.Config{ID: w.id})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	w.stop = stop
	w.done.Go(func() { el.Run(running, w.dispatch) })
	w.done.Go(func() { w.follow(running) })
	return nil
}

func (w *worker) assignments() string { return w.path + "/assignments" }

// close ends the worker in order.
func (w *worker) close() {
	w.stop()
	w.done.Wait()
	w.client.Close()
}

// dispatch hands out the jobs for as long as it leads. A late write of a former leader is refused:
// the transaction checks that it still leads.
func (w *worker) dispatch(ctx context.Context, term *election.Term) error {
	w.leading.Store(true)
	defer w.leading.Store(false)
	example.Say("%s hands out the jobs", w.id)
	s, err := w.client.Session(ctx)
	if err != nil {
		return err
	}
	list := w.group.Watch()
	defer list.Close()
	for {
		now, err := list.Next(ctx)
		if err != nil {
			return err
		}
		var members []int64
		for _, e := range now.Members {
			members = append(members, e.Token)
		}
		data, stat, err := s.Get(ctx, w.assignments())
		if err != nil {
			return err
		}
		next := plan(w.jobs, decode(data), members)
		if next.same(decode(data)) {
			continue
		}
		if _, err := term.Multi(ctx, &zk.SetDataRequest{Path: w.assignments(), Data: next.encode(), Version: stat.Version}); err != nil {
			return err // stand again, and read again
		}
	}
}

// follow works at what is handed out to this worker.
func (w *worker) follow(ctx context.Context) {
	var jobs sync.WaitGroup
	defer jobs.Wait()
	working := map[string]context.CancelFunc{}
	for ctx.Err() == nil {
		s, err := w.client.Session(ctx)
		if err != nil {
			return
		}
		node := watch.NewNode(s, w.assignments())
		for {
			now, err := node.Next(ctx)
			if err != nil {
				break
			}
			listing, err := w.member.Listing(ctx)
			if err != nil {
				break
			}
			mine := decode(now.Data)
			for job, stop := range working {
				if mine[job] != listing.Token() {
					stop()
					delete(working, job)
				}
			}
			for job, token := range mine {
				if token == listing.Token() && working[job] == nil {
					jobCtx, stop := context.WithCancel(ctx)
					working[job] = stop
					jobs.Go(func() { w.keep(jobCtx, job) })
				}
			}
		}
		node.Stop()
	}
	for _, stop := range working {
		stop()
	}
}

// keep works at one job until it is taken away. The lock keeps two from working at it: the former
// worker releases it, or its lease ends.
func (w *worker) keep(ctx context.Context, job string) {
	for ctx.Err() == nil {
		l, err := lock.New(w.client, w.path+"/locks/"+job, lock.Config{ID: w.id})
		if err != nil {
			return
		}
		held, err := l.Acquire(ctx)
		if errors.Is(err, session.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		w.board.begin(job, w.id, held)
		select { // the work
		case <-ctx.Done():
		case <-held.Context().Done():
		}
		w.board.end(job, w.id)
		bounded, cancel := context.WithTimeout(context.Background(), time.Second)
		held.Release(bounded)
		cancel()
	}
}
