package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// leaving is a place with a record beside it, which is set when the place is given up.
func leaving(t *testing.T, b *bubble, dir string) (path string, said *zk.SetDataRequest) {
	t.Helper()
	must(t, b.s.EnsurePath(t.Context(), dir, nil))
	path, err := b.s.CreateProtected(t.Context(), dir, "n-", nil, nil)
	must(t, err)
	return path, &zk.SetDataRequest{Path: dir, Data: []byte("left"), Version: -1}
}

// told returns a directory's record, and how many places are in it.
func (b *bubble) told(dir string) (record string, places int) {
	for _, n := range b.Nodes() {
		if n.Path == dir {
			record = string(n.Data)
		}
		if strings.HasPrefix(n.Path, dir+"/") {
			places++
		}
	}
	return record, places
}

// What a removal does if its operation is refused, or if an answer is lost.
func TestARemovalCarriesItsOperations(t *testing.T) {
	multi := zktest.Match{Op: zktest.OpMulti, Host: "a", Nth: 1}
	for name, c := range map[string]struct {
		fault func(b *bubble, path string, said *zk.SetDataRequest)
		want  string // of the record
	}{
		"in one":               {func(*bubble, string, *zk.SetDataRequest) {}, "left"},
		"of a wrong version":   {func(b *bubble, path string, said *zk.SetDataRequest) { said.Version = 9 }, ""},
		"on a missing znode":   {func(b *bubble, path string, said *zk.SetDataRequest) { said.Path = "/missing" }, ""},
		"of a bad path":        {func(b *bubble, path string, said *zk.SetDataRequest) { said.Path = "bad" }, ""},
		"too large":            {func(b *bubble, path string, said *zk.SetDataRequest) { said.Data = make([]byte, 2<<20) }, ""},
		"after a lost answer":  {func(b *bubble, path string, said *zk.SetDataRequest) { b.On(multi, zktest.LoseReply) }, "left"},
		"after a lost request": {func(b *bubble, path string, said *zk.SetDataRequest) { b.On(multi, zktest.LoseRequest) }, "left"},
		"throttled":            {func(b *bubble, path string, said *zk.SetDataRequest) { b.On(multi, zktest.Fail(-127)) }, "left"},
		"of what is gone": {func(b *bubble, path string, said *zk.SetDataRequest) {
			must(b.T, b.s.Delete(b.T.Context(), path, -1))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bubble) {
				path, said := leaving(t, b, "/e")
				c.fault(b, path, said)
				if err := b.s.EnsureDeleted(t.Context(), path, said); err != nil {
					t.Error(err)
				}
				if record, places := b.told("/e"); record != c.want || places != 0 {
					t.Errorf("the record says %q, want %q; %d places are left", record, c.want, places)
				}
				path, said = leaving(t, b, "/f")
				said.Path, said.Version = "/f", -1
				gone := make(chan struct{})
				b.s.DeleteInBackground(path, func() { close(gone) }, said)
				<-gone
				if record, places := b.told("/f"); record != "left" || places != 0 {
					t.Errorf("in the background: the record says %q; %d places are left", record, places)
				}
			})
		})
	}
}

// The operation is carried out with the deletion, or not at all.
func TestTheRecordOfAPlaceThatIsStillThereIsNotSet(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		admin := b.Admin()
		_, err := admin.Create(t.Context(), "/e", nil, 0, zk.WorldACL(zk.PermAll&^zk.PermDelete))
		must(t, err)
		path, said := leaving(t, b, "/e")
		err = b.s.EnsureDeleted(t.Context(), path, said)
		if record, places := b.told("/e"); !errors.Is(err, zk.ErrNoAuth) || record != "" || places != 1 {
			t.Errorf("%v; the record says %q, %d places", err, record, places)
		}
		// In the background no caller would learn of that. So the session ends, and the place is
		// deleted with it.
		gone := make(chan struct{})
		b.s.DeleteInBackground(path, func() { close(gone) }, said)
		<-gone
		if err := b.ended(); !errors.Is(err, session.ErrStray) || !errors.Is(err, zk.ErrNoAuth) {
			t.Errorf("the session ended with %v", err)
		}
		if n := b.client.Status().Counts.Lost; errors.Is(b.ended(), session.ErrClosed) || n != 1 {
			t.Errorf("it counts as closed by its user: %v, %d lost", b.ended(), n)
		}
	})
}

func TestManyRemovalsCarryTheirOperations(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		const n = 100
		type place struct {
			path string
			said *zk.SetDataRequest
		}
		var all []place
		for i := range n {
			path, said := leaving(t, b, fmt.Sprintf("/%d", i))
			all = append(all, place{path, said})
		}
		all[50].said.Version = 9 // refused: all are tried alone then
		for round := range 2 {
			b.Commits.Reset()
			b.host.Hold()
			errs := make(chan error, n)
			for i, p := range all {
				go func() { errs <- b.s.EnsureDeleted(t.Context(), p.path, p.said) }()
				if i == 0 {
					synctest.Wait()
				}
			}
			synctest.Wait()
			b.host.Heal()
			for range n {
				must(t, <-errs)
			}
			for i := range n {
				want := "left"
				if i == 50 && round == 0 {
					want = ""
				}
				if record, places := b.told(fmt.Sprintf("/%d", i)); record != want || places != 0 {
					t.Errorf("round %d: the record of %d says %q; %d places are left", round, i, record, places)
				}
			}
			if multis := b.Commits.Len(); round == 1 && multis != 2 {
				t.Errorf("%d transactions, want the first one's and that of the others", multis)
			}
			for i := range all {
				all[i].path, all[i].said = leaving(t, b, fmt.Sprintf("/%d", i))
			}
		}
	})
}

// The answer to the first attempt was lost, and the second could not be made. The znode may be
// gone.
func TestADeletionThatWasTriedOnceMayHaveHappened(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		_, err := b.s.Create(t.Context(), "/x", nil, 0, nil)
		must(t, err)
		lost := b.On(zktest.Match{Op: zktest.OpDelete, Session: b.s.ID(), Nth: 1}, zktest.LoseReply)
		defer lost.Remove()
		go func() {
			<-lost.Fired()
			b.host.Drop()
		}()
		ctx, cancel := context.WithTimeout(t.Context(), simT/2)
		defer cancel()
		if err := b.s.EnsureDeleted(ctx, "/x"); session.OutcomeOf(err) != session.OutcomeUnknown {
			t.Errorf("%v: outcome %v; want unknown", err, session.OutcomeOf(err))
		}
	})
}
