package recipe_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/recipetest"
)

func TestAnElectionAndALockAtOnePathWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := recipetest.NewClient(t)
		l, el := must(lock.New(client, "/a", lock.Config{})), must(election.New(client, "/a", election.Config{}))
		held := must(l.Acquire(t.Context()))
		elected := make(chan *election.Term)
		go func() { elected <- must(el.Campaign(t.Context())) }()
		await.Sleep(time.Minute)
		select {
		case <-elected:
			t.Error("elected while the lock is held")
		default:
		}
		held.Release(t.Context())
		term := <-elected
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := l.Acquire(ctx); err == nil {
			t.Error("acquired while a term is valid")
		}
		term.Release(t.Context())
	})
}
