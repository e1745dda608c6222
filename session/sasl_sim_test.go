package session_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// onSASL runs f with servers that know ann, or with some that know nobody.
func onSASL(t *testing.T, users map[string]string, f func(t *testing.T, e *zktest.Ensemble)) {
	synctest.Test(t, func(t *testing.T) {
		f(t, zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Tick: simT / 2, Latency: time.Millisecond,
			Users: users, Logf: func(string, ...any) {}}))
	})
}

var ann = map[string]string{"ann": "ännchen"}

func asAnn(e *zktest.Ensemble, host string) session.Config {
	return session.Config{Timeout: simT, Dial: e.Host(host).Dial, SASL: session.SASLDigest("ann", ann["ann"])}
}

func TestAnExchangeWhoseAnswersAreLostIsBegunAgain(t *testing.T) {
	for nth := 1; nth <= 4; nth++ {
		for _, effect := range []zktest.Effect{zktest.LoseRequest, zktest.LoseReply, zktest.Fail(zktest.CodeAuthFailed)} {
			onSASL(t, ann, func(t *testing.T, e *zktest.Ensemble) {
				rule := e.On(zktest.Match{Op: zktest.OpSASL, Nth: nth}, effect)
				client := open(t, e.ConnectString(), asAnn(e, "a"))
				s := established(t, client)
				must(t, s.EnsurePath(t.Context(), "/own", nil))
				for range 5 {
					e.Host("a").Cut()
					await.Sleep(simT / 2)
					if _, _, err := s.Get(t.Context(), "/own"); err != nil {
						t.Fatalf("%v at %d: %v", effect, nth, err)
					}
				}
				if rule.Hits() != 1 {
					t.Errorf("%v at %d: %d hits", effect, nth, rule.Hits())
				}
				nobody := open(t, e.ConnectString(), session.Config{Timeout: simT, Dial: e.Host("b").Dial})
				if _, _, err := established(t, nobody).Get(t.Context(), "/own"); !errors.Is(err, zk.ErrNoAuth) {
					t.Errorf("everybody reads what is ann's: %v", err)
				}
			})
		}
	}
}

// Single refusals, as from servers before 3.9.3, are no reason to give up.
func TestOnlyRefusalsByAllServersEndAClient(t *testing.T) {
	onSASL(t, ann, func(t *testing.T, e *zktest.Ensemble) {
		var each []*zktest.Rule
		for i := range 3 {
			each = append(each, e.On(zktest.Match{Op: zktest.OpSASL, Server: i + 1}, zktest.Fail(zktest.CodeAuthFailed)))
		}
		cfg, log := asAnn(e, "a"), newLogbook(t)
		cfg.Logger = slog.New(log)
		client := open(t, e.ConnectString(), cfg)
		for _, rule := range each {
			<-rule.Fired()
		}
		await.Sleep(3 * time.Millisecond) // for the answer
		if err := context.Cause(client.Context()); err != nil {
			t.Fatalf("after a refusal by each, and no three by one: %v", err)
		}
		for _, rule := range each {
			rule.Remove()
		}
		established(t, client)
		refuses := e.On(zktest.Match{Op: zktest.OpSASL, Server: 1}, zktest.Fail(zktest.CodeAuthFailed))
		for refuses.Hits() < 2*saslRounds {
			e.Host("a").Cut()
			await.Sleep(simT / 2)
			established(t, client)
		}
		e.On(zktest.Match{Op: zktest.OpSASL}, zktest.Fail(zktest.CodeAuthFailed))
		e.Host("a").Cut()
		select {
		case <-client.Context().Done():
		case <-time.After(time.Hour):
			t.Fatal("it goes on")
		}
		err := context.Cause(client.Context())
		if !errors.Is(err, session.ErrAuthFailed) || !session.Permanent(err) || !strings.Contains(err.Error(), "JAAS") {
			t.Errorf("the client ends with %v", err)
		}
		over := log.await(0, "session over")
		for _, text := range []string{err.Error(), over.text} {
			if !strings.Contains(text, "no other attempt is made, and the client is closed") {
				t.Errorf("%q does not tell that this is the end", text)
			}
		}
	})
}

const saslRounds = 3

// If a server grants a session and then refuses the client, the session does not count as lost: it
// never was the client's. The client asks the next server at once.
func TestARefusedClientHasAskedEachServerNoMoreThanItMust(t *testing.T) {
	onSASL(t, ann, func(t *testing.T, e *zktest.Ensemble) {
		refuses := e.On(zktest.Match{Op: zktest.OpSASL}, zktest.Fail(zktest.CodeAuthFailed))
		client := open(t, e.ConnectString(), asAnn(e, "a"))
		<-client.Context().Done()
		if n := refuses.Hits(); n != 3*saslRounds {
			t.Errorf("%d refusals; want %d", n, 3*saslRounds)
		}
		if c := client.Status().Counts; c.Sessions != 0 || c.Lost != 0 {
			t.Errorf("%d sessions, %d of them lost; want none", c.Sessions, c.Lost)
		}
	})
}

// A server that asks for no proof must not be taken for one that has checked it.
func TestNobodyIsAnonymousByAccident(t *testing.T) {
	onSASL(t, nil, func(t *testing.T, e *zktest.Ensemble) {
		client := open(t, e.ConnectString(), asAnn(e, "a"))
		ctx, cancel := context.WithTimeout(t.Context(), 10*simT)
		defer cancel()
		for ctx.Err() == nil { // also while a server has granted a session, but not authenticated it
			asked, cancel := context.WithTimeout(ctx, simT/10)
			_, err := client.Session(asked)
			cancel()
			if err == nil {
				t.Fatal("a session that is not authenticated")
			}
		}
		if _, err := client.Session(ctx); err == nil || !strings.Contains(err.Error(), "no JAAS configuration") {
			t.Errorf("err = %v", err)
		}
	})
}

// An exchange that cannot begin, for example because a KDC does not answer, is tried again.
func TestAnExchangeThatCannotBeginIsTriedAgain(t *testing.T) {
	onSASL(t, ann, func(t *testing.T, e *zktest.Ensemble) {
		cfg := asAnn(e, "a")
		digest := cfg.SASL
		var calls atomic.Int32
		cfg.SASL = func(ctx context.Context, server string) (session.SASLExchange, error) {
			switch calls.Add(1) {
			case 1:
				return nil, errors.New("no ticket")
			case 2:
				<-ctx.Done() // it must end
				return nil, context.Cause(ctx)
			case 3:
				return nil, nil // a mistake
			}
			return digest(ctx, server)
		}
		client := open(t, e.ConnectString(), cfg)
		established(t, client)
		said := ""
		for _, s := range client.Status().Servers {
			if s.Err != nil {
				said += s.Err.Error() + "\n"
			}
		}
		if calls.Load() != 4 || strings.Count(said, "SASL: ") < 2 { // the third server's error ended with the success
			t.Errorf("%d calls; the servers' errors: %s", calls.Load(), said)
		}
	})
}

// The status tells what is wrong with the servers, even if they have granted a session before. None
// of these sessions is the client's yet, so the next one does not replace it.
func TestASessionThatIsNotAuthenticatedIsNotTheClients(t *testing.T) {
	onSASL(t, nil, func(t *testing.T, e *zktest.Ensemble) {
		cfg, log := asAnn(e, "a"), newLogbook(t)
		cfg.Logger = slog.New(log)
		client := open(t, e.ConnectString(), cfg)
		log.await(0, "no server can be used")
		await.Sleep(10 * simT)
		if text := log.String(); strings.Contains(text, "session over") || strings.Contains(text, "negotiated") {
			t.Errorf("a session was taken for the client's:\n%s", text)
		}
		for _, s := range client.Status().Servers {
			if s.Err == nil || !strings.Contains(s.Err.Error(), "no JAAS configuration") {
				t.Errorf("%s: %v", s.Addr, s.Err)
			}
		}
	})
}

// No line of the log, no error and no status contains a password, whether the password is right,
// wrong or not asked for.
func TestAPasswordIsInNoTextThatPeopleRead(t *testing.T) {
	for _, users := range []map[string]string{{"ann": "guess-me"}, {"ann": "other"}, nil} {
		onSASL(t, users, func(t *testing.T, e *zktest.Ensemble) {
			cfg, log := asAnn(e, "a"), newLogbook(t)
			cfg.SASL, cfg.Logger = session.SASLDigest("ann", "guess-me"), slog.New(log)
			cfg.Auth = []session.Auth{session.Digest("ann", "guess-me")}
			client := open(t, e.ConnectString(), cfg)
			ctx, cancel := context.WithTimeout(t.Context(), 5*simT)
			defer cancel()
			s, err := client.Session(ctx)
			if err == nil {
				_, err = s.Create(ctx, "/no/parent", nil, 0, nil)
			}
			e.Host("a").Cut()
			await.Sleep(simT)
			text := fmt.Sprintf("%v\n%+v\n%+v\n%#v\n%s", err, client.Status(), cfg, cfg, log)
			if err == nil || strings.Contains(text, "guess-me") {
				t.Errorf("a password is in\n%s", text)
			}
		})
	}
}
