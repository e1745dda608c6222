package semaphore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A request of Acquire is always answered with an error code that no retry can cure. Acquire ends,
// and says what can.
func TestAnErrorCodeThatNoRetryCuresEndsAcquire(t *testing.T) {
	for code, says := range map[zktest.Code]string{
		-6:   "ZooKeeper 3.4 or newer is needed",
		-8:   "use another path",
		-114: "use a scheme that the servers know",
		-115: "check Config.Auth and Config.SASL",
		-120: "set localSessionsUpgradingEnabled=true on the servers",
		-124: "enforce.auth.schemes and sessionRequireClientSASLAuth, and Config.SASL or Config.Auth",
	} {
		for name, c := range map[string]struct {
			path    string // of the requests that fail
			missing bool   // the path has not been made
			full    bool   // so Acquire has to join the line
			ops     []zktest.Op
		}{
			"it reads the record":         {path: "/leases", ops: []zktest.Op{zktest.OpGetData}},
			"it makes the path":           {path: "*", missing: true, ops: []zktest.Op{zktest.OpCreate, zktest.OpMulti}},
			"it looks for those who wait": {path: "/locks", ops: []zktest.Op{zktest.OpExists}},
			"it creates its permit":       {path: "/leases/*", ops: []zktest.Op{zktest.OpCreate, zktest.OpMulti}},
			"it joins the line":           {path: "/locks/*", full: true, ops: []zktest.Op{zktest.OpCreate, zktest.OpMulti}},
			"it lists the line":           {path: "/locks", full: true, ops: []zktest.Op{zktest.OpGetChildren2}},
			"it lists the permits":        {path: "/leases", ops: []zktest.Op{zktest.OpGetChildren2}},
		} {
			t.Run(fmt.Sprint(int32(code), ", ", name), func(t *testing.T) {
				onStage(t, 1, zktest.Config{}, func(t *testing.T, s *stage) {
					if !c.missing {
						p := s.process("a").acquire()
						if !c.full {
							s.release(p)
						}
					}
					x := s.process("x")
					s.Session(x.client)
					var rules []*zktest.Rule
					for _, op := range c.ops {
						rules = append(rules, s.On(zktest.Match{Op: op, Host: "x", Path: stagePath + c.path}, zktest.Fail(code)))
					}
					_, err := x.Acquire(s.Within(3 * stageT))
					hits := 0
					for _, r := range rules {
						hits += r.Hits()
					}
					if hits == 0 {
						t.Fatal("no request has failed")
					}
					var permanent *recipe.PermanentError
					if !errors.As(err, &permanent) || errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("Acquire returned %v, %T; want a PermanentError", err, err)
					}
					shared.Says(t, err, says, stagePath)
				})
			})
		}
	}
}
