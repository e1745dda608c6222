package recipeprom_test

import (
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestTheFiguresOfThoseWhoWaitBehindAPersistentZnode(t *testing.T) {
	simulate(t, func(t *testing.T, e *zktest.Ensemble) {
		p := start(t, e, "a")
		defer p.client.Close()
		l := must(lock.New(p.client, "/l", lock.Config{}))
		sem := must(semaphore.New(p.client, "/s", 1, semaphore.Config{}))
		p.metrics.Add("work", l, sem)
		held, permit := must(l.Acquire(t.Context())), must(sem.Acquire(t.Context()))
		p.want(0, "lock_blocked")
		p.want(0, "semaphore_blocked")
		s := must(p.client.Session(t.Context()))
		planted := []string{
			must(s.Create(t.Context(), "/l/lock-", nil, zk.FlagSequence, nil)),
			must(s.Create(t.Context(), "/s/leases/lease-", nil, zk.FlagSequence, nil)),
		}
		locked, permitted := make(chan *lock.Held, 1), make(chan *semaphore.Permit, 1)
		go func() { locked <- must(l.Acquire(t.Context())) }()
		go func() { permitted <- must(sem.Acquire(t.Context())) }()
		await.Sleep(D)
		held.Release(t.Context())
		permit.Release(t.Context())
		await.Sleep(D)
		p.want(1, "lock_blocked")
		p.want(1, "semaphore_blocked")
		for _, path := range planted {
			if err := s.Delete(t.Context(), path, -1); err != nil {
				t.Error(err)
			}
		}
		(<-locked).Release(t.Context())
		(<-permitted).Release(t.Context())
		p.want(0, "lock_blocked")
		p.want(0, "semaphore_blocked")
	})
}
