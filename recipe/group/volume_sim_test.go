package group_test

import (
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/session"
)

// Members of a process are listed, lose their listings together in an outage, and fail to be listed
// again. What the process says does not grow with its members.
func TestManyMembersSayAFewLinesInAnOutage(t *testing.T) {
	const many, outage = 150, 10 * time.Minute
	onStage(t, 1, func(t *testing.T, s *stage) {
		log := shared.NewVolume()
		client := s.Open("a", session.Config{Logger: slog.New(log)})
		members := make([]*group.Member, many)
		var all sync.WaitGroup
		for i := range members {
			all.Go(func() {
				var err error
				members[i], err = join(s.Within(patience), client, dir, group.Config{ID: fmt.Sprint(i)})
				must(t, err)
			})
		}
		all.Wait()
		s.Host("a").Drop()
		await.Sleep(outage)
		client.Close()
		t.Log(log)
		if n := float64(log.All()) / outage.Seconds(); n > 1 {
			t.Errorf("%.1f lines per second", n)
		}
		told := map[string]int{}
		for _, m := range members {
			st := m.Status()
			told["listed"] += int(st.Listings)
			told["not listed"] += int(st.Failed) // those without a session, too
			told["membership over"]++
			for _, n := range st.Ended {
				told["unlisted"] += int(n)
			}
		}
		for kind, n := range told {
			counted := log.Counted(kind)
			if kind == "not listed" {
				counted += log.Counted("no session")
			}
			if n < many || counted != n {
				t.Errorf("%s: %d lines were written or counted, of %d", kind, counted, n)
			}
		}
	})
}
