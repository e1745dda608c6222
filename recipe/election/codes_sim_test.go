package election_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A candidate whose create is always answered with an error code says so: Run ends with it, or the
// EventFailed tells it in time.
func TestAnErrorCodeThatComesAgainAndAgainIsSaid(t *testing.T) {
	for code, says := range map[zktest.Code]string{
		-1: "error -1", -2: "error -2", -3: "error -3", -4: "error -4", -5: "error -5", -7: "error -7", -122: "error -122",
		-119: "read-only", -125: "quota", -127: "throttled", -9999: "error -9999",
		-6: "3.4 or newer", -8: "invalid", -102: "not authenticated", -108: "ephemeral", -114: "invalid ACL", -115: "authentication failed",
		-120: "localSessionsUpgradingEnabled", -124: "enforce.auth.schemes",
	} {
		t.Run(fmt.Sprint(int32(code)), func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				s.makePath()
				s.On(zktest.Match{Op: zktest.OpMulti, Host: "x"}, zktest.Fail(code))
				s.On(zktest.Match{Op: zktest.OpCreate, Host: "x"}, zktest.Fail(code))
				failed := make(chan error, 1000)
				el, err := election.New(s.Client("x"), stagePath, election.Config{OnEvent: func(e election.Event) {
					if e.Kind == election.EventFailed {
						failed <- e.Err
					}
				}})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 3*stageT)
				defer cancel()
				begun := time.Now()
				err = el.Run(ctx, untilTheEnd)
				var permanent *recipe.PermanentError
				if !errors.As(err, &permanent) {
					if len(failed) == 0 {
						t.Fatalf("nothing was said; Run returned %v", err)
					}
					if n := len(failed); n > 20 {
						t.Errorf("said %d times in %v", n, time.Since(begun))
					}
					err = <-failed
				}
				if !strings.Contains(err.Error(), says) {
					t.Errorf("it says %q; want %q", err, says)
				}
			})
		})
	}
}
