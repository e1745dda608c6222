package stage

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

var (
	pathsFor sync.Map // by testing.TB
	pathRuns atomic.Int64
)

// Path returns a path of a test's own, right below the root, and another one each time that the
// test runs. Nobody has made it.
func Path(t testing.TB) string {
	path, _ := pathsFor.LoadOrStore(t, fmt.Sprintf("/%s-%d", strings.NewReplacer("/", "-", "#", "-").Replace(t.Name()), pathRuns.Add(1)))
	return path.(string)
}
