package line

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// later are the records that a later release may write in the place of one of this release.
var later = map[string]func(record string) string{
	"a line more at the end":     func(r string) string { return r + "more 1\n" },
	"a line more before the old": func(r string) string { return strings.Replace(r, "\n", "\nmore 1\n", 1) },
	"another way to write spans": func(r string) string { return r + "left 5..9\n" },
	"another number at the head": func(r string) string { return strings.Replace(r, recordHead, "zkrecipe line 2", 1) },
}

// A leader of a later release has a longer lease than one of this release that joins. It vanishes
// unseen.
func TestTheLeaseInARecordOfALaterReleaseIsWaitedFor(t *testing.T) {
	for name, write := range later {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := zktest.Start(t, zktest.Config{InMemory: true, Tick: 2 * time.Second, Latency: time.Millisecond, Logf: func(string, ...any) {}})
				const long = 3 * session.DefaultLease
				a := openWith(t, e, "a", session.Config{Timeout: 2 * long, Lease: long})
				b, admin := openWith(t, e, "b", session.Config{Timeout: 2 * long}), open(t, e, "admin")
				leader := join(t, a, Config{})
				lead(t, leader)
				if d := a.LeaseTime(); d != long {
					t.Fatalf("a lease of %v", d)
				}
				text := write(record{lease: long}.String())
				if _, err := admin.Set(t.Context(), "/e", []byte(text), -1); err != nil {
					t.Fatal(err)
				}
				vanish(t, e, "a", leader, admin)
				next := join(t, b, Config{})
				lead(t, next)
				if l := leader.hold.Lease(); l != nil {
					t.Errorf("it leads while the lease of the one before runs for %v more", l.Remaining())
				}
				if err := next.Leave(t.Context()); err != nil {
					t.Fatal(err)
				}
				if data, _, err := admin.Get(t.Context(), "/e"); err != nil || string(data) != text {
					t.Errorf("the record is %q, %v; it was %q", data, err, text)
				}
			})
		})
	}
}

// Candidates of the later release do not wait for longer than the record says.
func TestALongerLeaseThanInARecordOfALaterReleaseIsRefused(t *testing.T) {
	for name, write := range later {
		synctest.Test(t, func(t *testing.T) {
			e := zktest.Start(t, zktest.Config{InMemory: true, Latency: time.Millisecond, Logf: func(string, ...any) {}})
			s := open(t, e, "a")
			short := record{lease: s.LeaseTime() / 2}
			if err := s.EnsureNode(t.Context(), "/e", []byte(write(short.String())), nil); err != nil {
				t.Fatal(err)
			}
			_, err := Join(t.Context(), s, Config{Dir: "/e", Style: Latch, Clock: clock.System})
			if refused := (*recipe.LeaseError)(nil); !errors.As(err, &refused) || refused.Allowed != short.lease {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}
