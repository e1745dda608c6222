package peers

import (
	"fmt"
	"slices"
	"testing"
)

// A process in many elections tells of each that it leads, and the next process leads all of them
// when it is killed.
func TestAProcessOfEveryKindLeadsManyElections(t *testing.T) {
	for _, k := range []Kind{LeaderLatch, LeaderSelector, Kazoo, ZkLock, OursLatch} {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			f := newField(t, k)
			const elections = 5
			var want []string
			for i := range elections {
				want = append(want, fmt.Sprintf("%s/%d", f.path, i))
			}
			leads := func(p *Peer) {
				t.Helper()
				var all []string
				for range elections {
					all = append(all, f.wait(p, "elected").Node)
				}
				if slices.Sort(all); !slices.Equal(all, want) {
					t.Errorf("%s leads %v; want %v", p.ID, all, want)
				}
			}
			first := f.start(k, Config{Elections: elections})
			leads(first)
			second := f.start(k, Config{Elections: elections})
			first.Kill()
			leads(second)
		})
	}
}
