package recipehttp

import (
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe"
)

// A later version may have more states of a claim.
func TestAClaimInAStateThatIsNotKnownIsJudged(t *testing.T) {
	st := recipe.Status{Claims: []recipe.Claim{{State: recipe.ClaimState(99)}, {State: recipe.ClaimHeld}}}
	if v := (HealthConfig{}).claims(st, time.Now()); !v.ok || v.line != "1 held, 0 waiting, 0 ending" {
		t.Errorf("%+v", v)
	}
}
