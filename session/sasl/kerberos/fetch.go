package kerberos

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// A fetch is one request for a ticket.
type fetch struct {
	of     *identity
	done   chan struct{} // closed when the other fields are set and the supply has the ticket
	ticket *ticket
	err    error
}

// begin starts a request for a ticket for a server. The library's requests to a KDC cannot be
// cancelled, and a request takes seconds if the KDC does not answer. So they are made in the
// background, one at a time for each server. The caller holds l.mu.
func (l *Login) begin(name string, s *supply) {
	who, unread := l.who, l.unread
	f := &fetch{of: who, done: make(chan struct{})}
	s.fetch = f
	l.work.Go(func() {
		defer close(f.done)
		f.err = guard(func() (err error) { f.ticket, err = l.ask(who, name); return err })
		if f.err = explain(f.err); f.err != nil && unread != nil {
			f.err = fmt.Errorf("%w; %w", f.err, unread)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if f.err == nil && s.fetch == f {
			s.ticket = f.ticket
		}
	})
}

func (f *fetch) over() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// ask asks the KDC for a ticket. It makes a new client of the library each time. A client that is
// kept would renew tickets on a goroutine of its own, and a panic there because of an answer would
// end the process. A client also changes the configuration that it gets.
func (l *Login) ask(who *identity, name string) (*ticket, error) {
	conf, err := readConf(l.cfg.Conf)
	if err != nil {
		return nil, err
	}
	krb := client.NewWithKeytab("", "", keytab.New(), conf, client.DisablePAFXFAST(true)) // servers of Active Directory do not accept FAST
	krb.Credentials = who.creds
	defer krb.Destroy() // it may keep tickets for other realms
	by, err := who.login(krb, conf)
	if err != nil {
		return nil, err
	}
	server, realm := types.NewPrincipalName(nametype.KRB_NT_PRINCIPAL, name), who.creds.Domain()
	if its := conf.ResolveRealm(server.NameString[len(server.NameString)-1]); its != "" && its != realm {
		if by, err = by.grant(krb, granter(its), realm); err != nil {
			return nil, err
		}
		realm = its
	}
	its, err := by.grant(krb, server, realm)
	if err != nil {
		return nil, err
	}
	return &ticket{of: who, ticket: its.ticket, key: its.key, end: its.end}, nil
}

var errEnded = errors.New("the tickets in the cache have ended: run kinit")

// login returns the ticket-granting ticket.
func (who *identity) login(krb *client.Client, conf *config.Config) (*granting, error) {
	if who.first != nil {
		if time.Now().After(who.first.end) {
			return nil, errEnded
		}
		return who.first, nil
	}
	realm := who.creds.Domain()
	req, err := messages.NewASReqForTGT(realm, conf, who.creds.CName())
	if err != nil {
		return nil, err
	}
	rep, err := krb.ASExchange(realm, req, 0)
	if err != nil {
		return nil, err
	}
	return &granting{rep.Ticket, rep.DecryptedEncPart.Key, rep.DecryptedEncPart.EndTime}, nil
}

// grant asks the KDC of a realm for a ticket for a server of that realm.
func (g *granting) grant(krb *client.Client, server types.PrincipalName, realm string) (*granting, error) {
	_, rep, err := krb.TGSREQGenerateAndExchange(server, realm, g.ticket, g.key, false)
	if err != nil {
		return nil, err
	}
	return &granting{rep.Ticket, rep.DecryptedEncPart.Key, rep.DecryptedEncPart.EndTime}, nil
}

// explain adds to an error what to look at. Only the text of the library's errors tells the reason.
func explain(err error) error {
	if err == nil {
		return nil
	}
	for _, h := range hints {
		if strings.Contains(err.Error(), h.text) {
			return fmt.Errorf("%s: %w", h.hint, err)
		}
	}
	return err
}

var hints = []struct{ text, hint string }{
	{"KRB_AP_ERR_SKEW", skew},
	{"clock skew with KDC too large", skew},
	{"KDC_ERR_S_PRINCIPAL_UNKNOWN", "the KDC does not know this server by the name in the connect string: see Config.Host and Config.Service"},
	{"KDC_ERR_C_PRINCIPAL_UNKNOWN", "the KDC does not know Config.Principal"},
	{"KDC_ERR_PREAUTH_FAILED", oldKeys},
	{"client password/keytab incorrect", oldKeys},
	{"matching key not found in keytab", oldKeys},
	{"Networking_Error", "the KDC cannot be reached: see the realm's kdc in krb5.conf"},
}

const (
	skew    = "the clocks of this machine and of the KDC differ too much, by more than 5 minutes unless krb5.conf has a clockskew"
	oldKeys = "the keytab does not have the key that the KDC has for Config.Principal: an old one, another principal's, or another encryption type"
)
