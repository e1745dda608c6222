package recipe_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/rounds"
	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/barrier"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/recipe/latch"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/recipe/value"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
	"github.com/zkrecipe/zkrecipe/watch"
)

// created answers creates with other paths.
func created(other func(path string) string) lie {
	change := func(body []byte) []byte { return appendText(nil, other(string(body[4:]))) }
	return func(op zktest.Op, _, body []byte, code *int32) []byte {
		switch {
		case *code != 0:
			return nil
		case op == zktest.OpCreate:
			return change(body)
		}
		return results(func(all []result) []result {
			for i, r := range all {
				if zktest.Op(r.kind) == zktest.OpCreate {
					all[i].body = change(r.body)
				}
			}
			return all
		})(op, nil, body, code)
	}
}

// results answers multis with other results.
func results(other func([]result) []result) lie {
	return func(op zktest.Op, _, body []byte, code *int32) []byte {
		if op != zktest.OpMulti || *code != 0 {
			return nil
		}
		return appendResults(nil, other(resultsOf(body)))
	}
}

// allOf answers a multi with this one result for each operation.
func allOf(one result) lie {
	return results(func(all []result) []result {
		for i := range all {
			all[i] = one
		}
		return all
	})
}

// listed answers lists of children with these names.
func listed(names ...string) lie {
	return func(op zktest.Op, _, body []byte, code *int32) []byte {
		if op != zktest.OpGetChildren2 || *code != 0 {
			return nil
		}
		list := appendInts(nil, int32(len(names)))
		for _, name := range names {
			list = appendText(list, name)
		}
		return append(list, body[len(body)-statSize:]...)
	}
}

// holds answers each read with these data.
func holds(data string) lie {
	return func(op zktest.Op, _, body []byte, code *int32) []byte {
		if op != zktest.OpGetData || *code != 0 {
			return nil
		}
		return append(appendText(nil, data), body[len(body)-statSize:]...)
	}
}

// stats fills each Stat with the byte b, where the Stat is alone or at the end of an answer.
func stats(b byte) lie {
	lying := bytes.Repeat([]byte{b}, statSize)
	return func(op zktest.Op, _, body []byte, code *int32) []byte {
		switch op {
		case zktest.OpExists, zktest.OpGetData, zktest.OpGetChildren2, zktest.OpSetData:
			if *code == 0 && len(body) >= statSize {
				return append(body[:len(body)-statSize:len(body)-statSize], lying...)
			}
		}
		return results(func(all []result) []result {
			for i, r := range all {
				if zktest.Op(r.kind) == zktest.OpSetData {
					all[i].body = lying
				}
			}
			return all
		})(op, nil, body, code)
	}
}

// refuses answers with an error, also if the request was carried out.
func refuses(with int32) lie {
	return func(_ zktest.Op, _, _ []byte, code *int32) []byte { *code = with; return []byte{} }
}

// succeeds answers without an error if the request was refused. The body is empty, or full of
// zeros.
func succeeds(size int) lie {
	return func(_ zktest.Op, _, _ []byte, code *int32) []byte {
		if *code == 0 {
			return nil
		}
		*code = 0
		return make([]byte, size)
	}
}

type namedLie struct {
	name string
	lie  lie
}

// lies are all kinds of wrong answers.
func lies() []namedLie {
	noNode := result{errorResult, appendInts(nil, -101)}
	all := []namedLie{
		{"a short path", created(func(string) string { return "/x" })},
		{"no path", created(func(string) string { return "" })},
		{"the path of a child", created(func(path string) string { return path + "/x" })},
		{"the path of a sibling", created(func(path string) string { return path + "x" })},
		{"a path cut short", created(func(path string) string { return path[:len(path)-1] })},
		{"another number", created(func(path string) string { return path[:max(len(path)-10, 0)] + "2147483647" })},
		{"a negative number", created(func(path string) string { return path[:max(len(path)-10, 0)] + "-2147483648" })},

		{"no results", results(func([]result) []result { return nil })},
		{"a result less", results(func(all []result) []result { return all[:len(all)-1] })},
		{"a result more", results(func(all []result) []result { return append(all, noNode) })},
		{"results the other way", results(func(all []result) []result { all[0], all[len(all)-1] = all[len(all)-1], all[0]; return all })},
		{"results of checks", allOf(result{int32(zktest.OpCheck), nil})},
		{"results of sets", allOf(result{int32(zktest.OpSetData), make([]byte, statSize)})},
		{"results of creates", allOf(result{int32(zktest.OpCreate), appendText(nil, "/x")})},
		{"results refused for no", allOf(result{errorResult, appendInts(nil, 0)})},
		{"results all not there", allOf(noNode)},
		{"results all of version", allOf(result{errorResult, appendInts(nil, -103)})},
		{"results all there", allOf(result{errorResult, appendInts(nil, -110)})},
		{"the first is not there", results(func(all []result) []result { all[0] = noNode; return all })},
		{"the last is not there", results(func(all []result) []result { all[len(all)-1] = noNode; return all })},
		{"a result of another kind", results(func(all []result) []result { all[0].kind = 99; return all })},

		{"a name of nothing", listed("")},
		{"a name with a slash", listed("a/b")},
		{"a name with a zero", listed("\x00")},
		{"no names", listed()},
		{"one name twice", listed("lock-0000000001", "lock-0000000001")},
		{"names of nobody", listed("lock-0000000001", "lock--2147483648", "_c_", "_c_-lock-0000000002", ".", "..")},

		{"no data", holds("")},
		{"strange data", holds("\xff\xfe\x00")},
		{"a long lease", holds("2562047h47m16.854775807s")},
		{"a line's record", holds("zkrecipe line 1\nlease 2562047h47m16.854775807s\nsettled 2147483647\n")},
		{"a semaphore's record", holds("zkrecipe semaphore 1\nsize 1\nlease 2562047h47m16.854775807s\nsettled 2147483647\nslots 0:0\n")},
		{"a revoked heartbeat", holds("revoked 0")},

		{"stats of zeros", stats(0)},
		{"stats of ones", stats(0xff)},
		{"stats of large numbers", stats(0x7f)},
		{"stats of negative numbers", stats(0x80)},

		{"success without a body", succeeds(0)},
		{"success with a body", succeeds(200)},
		{"a body cut short", func(_ zktest.Op, _, body []byte, _ *int32) []byte { return body[:len(body)/2] }},
	}
	for _, code := range []int32{-1, -2, -4, -8, -101, -102, -103, -108, -110, -111, -112, -114, -115, -118, -119, -122, -124, -9999, 7} {
		all = append(all, namedLie{fmt.Sprintf("error %d", code), refuses(code)})
	}
	return all
}

// tryAll uses every recipe at the same time, in a place where others hold everything for a while,
// until ctx ends.
func tryAll(ctx context.Context, client *session.Client) {
	var all sync.WaitGroup
	use := func(f func()) {
		all.Go(func() {
			for ctx.Err() == nil {
				f()
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
	el, _ := election.New(client, "/election", election.Config{})
	use(func() {
		_, _ = el.Candidates(ctx)
		if term, err := el.Campaign(ctx); err == nil {
			_ = term.Release(ctx)
		}
	})
	l, _ := lock.New(client, "/lock", lock.Config{})
	use(func() {
		_, _ = l.Contenders(ctx)
		if held, err := l.Acquire(ctx); err == nil {
			_, _ = held.Multi(ctx)
			_ = held.Release(ctx)
		}
	})
	for path, slots := range map[string]bool{"/semaphore": false, "/slots": true} {
		sem, _ := semaphore.New(client, path, 2, semaphore.Config{Slots: slots})
		use(func() {
			_ = sem.Resize(ctx, 2)
			_, _ = sem.Holders(ctx)
			if permit, err := sem.AcquireN(ctx, 2); err == nil {
				_ = permit.Release(ctx)
			}
		})
	}
	g, _ := group.New(client, "/group", group.Config{})
	members := g.Watch()
	defer members.Close()
	use(func() {
		if m, err := g.Join(ctx); err == nil {
			_ = m.Set(ctx, []byte("x"))
			_ = m.Leave(ctx)
		}
	})
	v, _ := value.New(client, "/value", value.Config{})
	use(func() {
		now, _ := v.Get(ctx)
		_, _ = v.CompareAndSet(ctx, now, []byte("x"))
	})
	counter, _ := value.NewCounter(client, "/counter", value.CounterConfig{})
	use(func() { _, _ = counter.Add(ctx, 1) })
	double, _ := barrier.NewDouble(client, "/double", 1, barrier.Config{})
	use(func() {
		if in, err := double.Enter(ctx); err == nil {
			_ = in.Leave(ctx)
		}
	})
	single, _ := barrier.New(client, "/barrier", barrier.Config{})
	use(func() {
		_ = single.Raise(ctx)
		_ = single.Lower(ctx)
		_ = single.Wait(ctx)
	})
	ready, _ := latch.New(client, "/latch", 2, latch.Config{})
	use(func() { _ = ready.CountDown(ctx, "me"); _, _ = ready.Count(ctx) })
	for _, path := range []string{"/", "/lock"} {
		c, _ := cache.New(client, path, cache.Config{})
		defer c.Close()
		use(func() { _ = c.Wait(ctx); _ = c.Fresh(ctx) })
	}
	use(func() {
		if s, err := client.Session(ctx); err == nil {
			_ = watch.Gone(ctx, s, "/lock/none")
		}
	})
	all.Wait()
}

// A server that gives wrong answers, always or sometimes, can keep the recipes from their work. It
// cannot crash them. It cannot keep their calls, or the client's Close, from returning.
func TestNoServersLieIsTooMuchForARecipe(t *testing.T) {
	for i, l := range lies() {
		if i%rounds.Stride(3) != 0 {
			continue
		}
		t.Run("always "+l.name, func(t *testing.T) { lieTo(t, "", l.lie, 100, nil) })
		if !testing.Short() && i%(3*rounds.Stride(3)) == 0 { // these take longest
			t.Run("at times "+l.name, func(t *testing.T) { lieTo(t, "/app", l.lie, 5, nil) })
		}
	}
}

func TestNoEventIsTooMuchForARecipe(t *testing.T) {
	for i, path := range []string{"x", "", "//", "/lock", "/lock/", "\x00"} {
		for j, kind := range []int32{1, 2, 3, 4, 7} {
			if (i+j)%rounds.Stride(3) != 0 {
				continue
			}
			t.Run(fmt.Sprintf("%q %d", path, kind), func(t *testing.T) { lieTo(t, "", nil, 0, eventOf(kind, path)) })
		}
	}
}

func lieTo(t *testing.T, chroot string, l lie, share int, event []byte) {
	stage.On(t, zktest.Config{Servers: 1}, func(s *stage.Stage) {
		honest := stage.Open(s.T, s.ConnectString()+chroot, session.Config{Dial: s.Host("honest").Dial})
		release := useAll(s.T, honest)
		client := stage.Open(s.T, s.ConnectString()+chroot, session.Config{
			Timeout: stage.T, Dial: lyingDial(s.Host("deceived").Dial, l, share, event),
		})
		var trying sync.WaitGroup
		trying.Go(func() { tryAll(s.Within(3*time.Second), client) })
		await.Sleep(time.Second)
		release()
		trying.Wait()
		_ = client.Close()
		_ = honest.Close()
	})
}
