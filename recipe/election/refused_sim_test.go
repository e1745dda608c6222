package election_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A server that demands authentication answers every request with this code.
func TestAnEnsembleThatDemandsAuthenticationIsAPermanentErrorThatNamesTheCure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := zktest.Start(t, zktest.Config{InMemory: true, Logf: func(string, ...any) {}})
		for _, op := range []zktest.Op{zktest.OpCreate, zktest.OpMulti, zktest.OpGetData, zktest.OpExists} {
			e.On(zktest.Match{Op: op}, zktest.Fail(-124))
		}
		client, err := session.Open(e.ConnectString(), session.Config{Dial: e.Host("a").Dial})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		el, err := election.New(client, "/e", election.Config{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err = el.Run(ctx, func(context.Context, *election.Term) error { return nil })
		var permanent *election.PermanentError
		if !errors.As(err, &permanent) || !strings.Contains(err.Error(), "enforce.auth.schemes") {
			t.Errorf("err = %v", err)
		}
	})
}
