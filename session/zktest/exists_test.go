package zktest_test

import (
	"testing"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// As in FinalRequestProcessor of 3.9.5: if the znode exists, its ACL is checked before a watch is
// left.
func TestExistsNeedsRead(t *testing.T) {
	secret := acls{{31 &^ 1, "world", "anyone"}, {1, "digest", "joe:x"}}
	for _, servers := range []int{1, 3} {
		inBubble(t, zktest.Config{Servers: servers}, func(t *testing.T, b *bench) {
			a := b.on("a", 1)
			a.createACL("/secret", secret)
			a.createACL("/shown", open)
			a.exists("/secret", true)
			b.want("err=-102")
			if w := b.e.Watches(); len(w) != 0 {
				t.Errorf("a refused request has left %v", w)
			}
			a.exists("/shown", true)
			b.want("err=0")
			a.exists("/missing", true)
			b.want("err=-101")
			if w := b.e.Watches(); len(w) != 2 {
				t.Errorf("watches %v, want two", w)
			}
			a.exists("/sec\x00ret", false)
			b.want("err=-8")
		})
	}
}

func TestExistsIsFreeOnOldServers(t *testing.T) {
	inBubble(t, zktest.Config{Release: zktest.Release380}, func(t *testing.T, b *bench) {
		a := b.on("a", 1)
		a.createACL("/secret", acls{{30, "world", "anyone"}})
		a.exists("/secret", true)
		b.want("err=0")
		a.get("/secret", false)
		b.want("err=-102")
		if w := b.e.Watches(); len(w) != 1 {
			t.Errorf("watches %v, want one", w)
		}
	})
}
