package election_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A candidate whose create is always answered with an error code says so. If no retry can cure
// that, Run ends and says what can. Else an EventFailed tells it in time, and Run goes on.
func TestAnErrorCodeThatComesAgainAndAgainIsSaid(t *testing.T) {
	const ends, goesOn = true, false
	for code, want := range map[zktest.Code]struct {
		ends bool
		says string
	}{
		-1: {goesOn, "error -1"}, -2: {goesOn, "error -2"}, -3: {goesOn, "error -3"}, -4: {goesOn, "error -4"},
		-5: {goesOn, "error -5"}, -7: {goesOn, "error -7"}, -122: {goesOn, "error -122"}, -9999: {goesOn, "error -9999"},
		-119: {goesOn, "read-only"}, -125: {goesOn, "quota"}, -127: {goesOn, "throttled"},
		-6:   {ends, "ZooKeeper 3.4 or newer is needed"},
		-8:   {ends, "use another path"},
		-102: {ends, "it takes CREATE on its parent"},
		-108: {ends, "use a path that is not below an ephemeral znode"},
		-114: {ends, "use a scheme that the servers know"},
		-115: {ends, "check Config.Auth and Config.SASL"},
		-120: {ends, "set localSessionsUpgradingEnabled=true on the servers"},
		-124: {ends, "enforce.auth.schemes and sessionRequireClientSASLAuth, and Config.SASL or Config.Auth"},
	} {
		t.Run(fmt.Sprint(int32(code)), func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				if code == zktest.CodeNoAuth { // a rule's answer to a multi does not say which operation is refused
					shared.Must(t, s.Admin().EnsurePath(t.Context(), stagePath, zk.WorldACL(zk.PermRead)))
				} else {
					s.makePath()
					s.On(zktest.Match{Op: zktest.OpMulti, Host: "x"}, zktest.Fail(code))
					s.On(zktest.Match{Op: zktest.OpCreate, Host: "x"}, zktest.Fail(code))
				}
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
				ended := errors.As(err, &permanent)
				if ended != want.ends {
					t.Errorf("Run returned %v; want a PermanentError: %v", err, want.ends)
				}
				if !ended {
					if len(failed) == 0 {
						t.Fatalf("nothing was said; Run returned %v", err)
					}
					if n := len(failed); n > 20 {
						t.Errorf("said %d times in %v", n, time.Since(begun))
					}
					err = <-failed
				}
				if !strings.Contains(err.Error(), want.says) {
					t.Errorf("it says %q; want %q", err, want.says)
				}
			})
		})
	}
}
