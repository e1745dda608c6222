package stage

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe"
)

// A Loss is how a lock or a permit can be lost while its work stops.
type Loss struct {
	// DrainTimeout is for the configuration; 0 is the default.
	DrainTimeout time.Duration
	// Lose causes the loss of what the process on that host holds with that znode. It is nil if the
	// loss needs only time.
	Lose func(s *Stage, host, node string)
	// Reasons are the reasons that may be reported.
	Reasons []recipe.Reason
}

// Losses are all Losses, by name.
var Losses = map[string]Loss{
	"its znode is deleted": {
		Lose:    func(s *Stage, _, node string) { Must(s.T, s.Admin().Delete(s.T.Context(), node, -1)) },
		Reasons: []recipe.Reason{recipe.ReasonNodeDeleted},
	},
	"its session is ended": {
		Lose:    func(s *Stage, host, _ string) { s.Expire(host) },
		Reasons: []recipe.Reason{recipe.ReasonNodeDeleted, recipe.ReasonSessionLost},
	},
	"it is cut off": {
		Lose:    func(s *Stage, host, _ string) { s.Host(host).Drop() },
		Reasons: []recipe.Reason{recipe.ReasonLeaseExpired},
	},
	"it takes too long": {DrainTimeout: 3 * D, Reasons: []recipe.Reason{recipe.ReasonCancelled}},
}

// Told demands that err has one of the reasons.
func (l Loss) Told(t testing.TB, err error) {
	t.Helper()
	if !slices.ContainsFunc(l.Reasons, func(r recipe.Reason) bool { return errors.Is(err, r) }) {
		t.Errorf("error %v; want one of %v", err, l.Reasons)
	}
}
