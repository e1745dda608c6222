package cache_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
)

func TestACacheLoadsATreeAndFollowsIt(t *testing.T) {
	inBubble(t, 3, func(b *bubble) {
		b.create("/a", "1")
		b.create("/a/b", "2")
		b.create("/a/b/c", "3")
		c := b.cache("/a", cache.Config{})
		b.told(c, "created /a 1", "created /a/b 2", "created /a/b/c 3")
		b.set("/a/b", "4")
		b.create("/a/d", "5")
		b.remove("/a/b/c")
		await.Sleep(time.Second)
		synctest.Wait()
		got := map[string]bool{b.next(c): true, b.next(c): true, b.next(c): true}
		for _, want := range []string{"changed /a/b 4", "created /a/d 5", "deleted /a/b/c"} {
			if !got[want] {
				t.Errorf("not told: %s; got %v", want, got)
			}
		}
		b.quiet(c)
		b.want(c, "/a")
		b.offline(func() {
			b.set("/a/d", "6")
			b.create("/a/d/e", "7")
			b.remove("/a/b")
			await.Sleep(time.Second)
		})
		b.want(c, "/a")
	})
}
