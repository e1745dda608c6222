package peers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/need"
)

// Clients of each library take a lock or a semaphore in turn.
func TestClientsOfOtherLocksRestAfterEachHandOver(t *testing.T) {
	for _, c := range []struct {
		kind    LockKind
		permits int
	}{{CuratorMutex, 1}, {CuratorSemaphore, 3}, {KazooSemaphore, 3}} {
		for _, k := range []LockKind{c.kind, c.kind.Newest()} {
			t.Run(string(k), func(t *testing.T) {
				need.That(t, func() error { return LockAvailable(t.Context(), k) })
				t.Parallel()
				rests(bounded(t), t, k, shared(t).ConnectString(), c.permits)
			})
		}
	}
}

// rests lets five clients take it without a rest, and with one. Then they take it less often than
// the rests allow, which is far less often than without.
func rests(ctx context.Context, t *testing.T, k LockKind, connect string, permits int) {
	t.Helper()
	for _, most := range []int{0, 8} { // the load is so many rests long; without rests if 0
		var got Locked
		for length := 2 * time.Second; got.Acquired == 0; length *= 2 { // longer on a busy machine
			l := Load{Connect: connect, Path: fmt.Sprintf("/%s-%d-%v", t.Name(), most, length),
				Clients: 5, For: length, WarmUp: time.Second, Permits: permits}
			if most > 0 {
				l.Rest = length / time.Duration(most)
			}
			var err error
			if got, err = hosts.Lock(ctx, k, l); err != nil {
				t.Fatal(err)
			}
			t.Logf("a rest of %v: %+v", l.Rest, got)
		}
		// On a busy machine the first permits are taken after the warm-up, without a rest.
		limit := most + permits - 1
		if got.Failed > 0 || got.HandOver <= 0 || most > 0 && got.Acquired > limit {
			t.Errorf("%+v; want no failure, and with rests at most %d acquisitions", got, limit)
		}
	}
}

// The processes are shells. The second one is ready late, and the third one breaks.
func TestProcessesBeginWhenAllAreReady(t *testing.T) {
	argv := []string{"sh", "-c", `
		case $1 in
		second,third,first) sleep 0.3; touch "$0/late" ;;
		third,first,second) echo it is broken >&2; exit 1 ;;
		esac
		echo ready
		read -r line
		[ -e "$0/late" ] && echo '{"acquired":'$3',"failed":1,"handover":9}'
	`}
	for n, want := range map[int]Locked{1: {5, 1, 9}, 2: {10, 2, 0}} {
		dir := t.TempDir()
		if n == 1 {
			if err := os.WriteFile(filepath.Join(dir, "late"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		l := Load{Connect: "first,second,third", Path: "/lock", Clients: 5, Processes: n}
		if got, err := RunLock(bounded(t), append(argv, dir), l); err != nil || got != want {
			t.Errorf("%d processes: %+v, %v; want %+v", n, got, err, want)
		}
	}
	l := Load{Connect: "first,second,third", Path: "/lock", Clients: 5, Processes: 3}
	got, err := RunLock(bounded(t), append(argv, t.TempDir()), l)
	if err == nil || !strings.Contains(err.Error(), "it is broken") {
		t.Errorf("with a process that breaks: %+v, %v", got, err)
	}
}

func TestALoadIsReadAsItIsTold(t *testing.T) {
	l := Load{Connect: "a,b,c", Path: "/lock", Clients: 7, Permits: 4,
		For: time.Second, WarmUp: 2 * time.Second, Rest: 3 * time.Millisecond}
	want := l
	want.Connect = "b,c,a"
	if got, err := ParseLoad(l.args(4)); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for _, args := range [][]string{nil, {"a", "/lock", "1", "2", "3", "4", "x"}} {
		if got, err := ParseLoad(args); err == nil {
			t.Errorf("%q is %+v; want an error", args, got)
		}
	}
}
