package kerberos

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// withTicket returns a login whose KDC has that address, and a ticket that it has for
// zookeeper/localhost.
func withTicket(t *testing.T, kdc string) (*Login, *ticket) {
	t.Helper()
	dir := t.TempDir()
	writeKeytab(t, dir+"/keytab", "ann")
	conf := fmt.Sprintf("[libdefaults]\ndefault_realm = TEST\nudp_preference_limit = 1\n[realms]\nTEST = {\nkdc = %s\n}\n", kdc)
	if err := os.WriteFile(dir+"/krb5.conf", []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := New(Config{Keytab: dir + "/keytab", Principal: "ann", Conf: dir + "/krb5.conf"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	server := types.NewPrincipalName(nametype.KRB_NT_PRINCIPAL, "zookeeper/localhost")
	ticket := &ticket{of: l.who, ticket: messages.Ticket{Realm: "TEST", SName: server}, key: sessionKey, end: time.Now().Add(8 * time.Hour)}
	l.supplies["zookeeper/localhost"] = &supply{ticket: ticket}
	return l, ticket
}

func writeKeytab(t *testing.T, file, user string) {
	t.Helper()
	keys := keytab.New()
	if err := keys.AddEntry(user, "TEST", "secret", time.Now(), 1, etypeID.AES256_CTS_HMAC_SHA1_96); err != nil {
		t.Fatal(err)
	}
	data, err := keys.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// nowhere is a KDC's address at which nobody listens.
const nowhere = "127.0.0.1:1"

// A step is the result of one connection.
type step func(t *testing.T, x *exchange)

func cut(t *testing.T, x *exchange) {
	t.Helper()
	if _, _, err := x.Next(nil); err != nil {
		t.Fatal(err)
	}
}

func refusal(t *testing.T, x *exchange) {
	t.Helper()
	cut(t, x)
	x.Refused()
}

func success(t *testing.T, x *exchange) {
	t.Helper()
	cut(t, x)
	if _, _, err := x.Next(offering(t, sessionKey, []byte{1, 0, 0, 0})); err != nil {
		t.Fatal(err)
	}
}

// A ticket is valid for hours. While the KDC cannot be reached, there is no other ticket.
func TestWhatATicketSurvivesWhileTheKDCIsAway(t *testing.T) {
	for name, c := range map[string]struct {
		steps []step
		gone  bool
	}{
		"nothing":                           {},
		"connections that are cut":          {[]step{success, cut, cut, cut, cut}, false},
		"the same, before the first answer": {[]step{cut, cut, cut, cut}, false},
		"one refusal":                       {[]step{success, refusal}, false},
		"refusals now and then":             {[]step{success, refusal, success, refusal, cut, success, refusal}, false},
		"two refusals":                      {[]step{success, refusal, refusal}, true},
		"two refusals of one that no server has accepted": {[]step{refusal, cut, refusal}, true},
	} {
		t.Run(name, func(t *testing.T) {
			l, kept := withTicket(t, nowhere)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			for i, step := range c.steps {
				x, err := l.SASL(ctx, "localhost:2181")
				if err != nil {
					t.Fatalf("at %d: %v", i+1, err)
				}
				step(t, x.(*exchange))
			}
			x, err := l.SASL(ctx, "localhost:2181")
			switch {
			case c.gone && (err == nil || !strings.Contains(err.Error(), "the KDC cannot be reached")):
				t.Errorf("the ticket is presented again: %v", err)
			case !c.gone && (err != nil || x.(*exchange).ticket != kept):
				t.Errorf("the ticket is gone: %v", err)
			}
		})
	}
}

// Two connections may present one ticket at the same time. The later answer counts.
func TestATicketThatIsAcceptedAfterAllServesAgain(t *testing.T) {
	l, kept := withTicket(t, nowhere)
	late := &exchange{login: l, ticket: kept}
	cut(t, late)
	for range maxRefusals {
		refusal(t, &exchange{login: l, ticket: kept})
	}
	if _, err := l.SASL(t.Context(), "localhost:2181"); err == nil {
		t.Error("a ticket that was refused is presented again")
	}
	if _, _, err := late.Next(offering(t, sessionKey, []byte{1, 0, 0, 0})); err != nil {
		t.Fatal(err)
	}
	if x, err := l.SASL(t.Context(), "localhost:2181"); err != nil || x.(*exchange).ticket != kept {
		t.Error(err)
	}
}

// A session has little time to connect. A KDC that does not answer takes only half of it.
func TestASilentKDCLeavesTimeForTheTicketThatIsThere(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		if conn, err := silent.Accept(); err == nil {
			defer conn.Close()
			<-t.Context().Done()
		}
	}()
	l, kept := withTicket(t, silent.Addr().String())
	t.Cleanup(func() { silent.Close(); <-asked })
	success(t, &exchange{login: l, ticket: kept})
	cut(t, &exchange{login: l, ticket: kept})
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	x, err := l.SASL(ctx, "localhost:2181")
	if err != nil || x.(*exchange).ticket != kept || ctx.Err() != nil {
		t.Errorf("%v; the time is over: %v", err, ctx.Err())
	}
}

// The file is replaced, as if by a program that renews tickets every hour.
func TestATicketOutlivesTheFileOfItsPrincipal(t *testing.T) {
	l, kept := withTicket(t, nowhere)
	for i, user := range []string{"ann", "bob"} {
		if user == "bob" {
			l.cfg.Principal = "bob@TEST" // as a ticket cache may change it
		}
		writeKeytab(t, l.cfg.Keytab, user)
		at := time.Now().Add(time.Duration(i+1) * time.Second)
		if err := os.Chtimes(l.cfg.Keytab, at, at); err != nil {
			t.Fatal(err)
		}
		x, err := l.SASL(t.Context(), "localhost:2181")
		if user == "ann" && (err != nil || x.(*exchange).ticket != kept) {
			t.Errorf("the ticket is gone: %v", err)
		}
		if user == "bob" && err == nil {
			t.Error("another's ticket is presented")
		}
	}
}
