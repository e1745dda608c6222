package election_test

import (
	"context"
	"errors"
	"testing"

	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestTheLeadershipPassesDownTheLine(t *testing.T) {
	onBoth(t, func(t *testing.T, e shared.Servers) {
		path := pathFor(t)
		var all []*candidate
		for _, id := range []string{"a", "b", "c"} {
			c := run(t, open(t, e, session.Config{}), path, id, election.Config{})
			c.events.wait(election.EventJoined, 1)
			all = append(all, c)
		}
		last := int64(0)
		for i, c := range all {
			term := c.term()
			if !term.Valid() || term.Context().Err() != nil {
				t.Errorf("%s leads without a valid term", c.events.who)
			}
			if term.Token() <= last {
				t.Errorf("token %d after %d", term.Token(), last)
			}
			last = term.Token()
			if i+1 < len(all) {
				all[i+1].events.wait(election.EventHeir, 1)
			}
			c.stop()
			if term.Valid() || !errors.Is(context.Cause(term.Context()), recipe.ReasonCancelled) {
				t.Errorf("%s: valid %v, cause %v after it has left", c.events.who, term.Valid(), context.Cause(term.Context()))
			}
			if !errors.Is(c.err, context.Canceled) {
				t.Errorf("Run returned %v", c.err)
			}
		}
		empty(t, all[0].client, path)
	})
}
