package kerberos

import (
	"fmt"
	"strings"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// A fetch is one question to the KDC.
type fetch struct {
	done   chan struct{} // closed when the rest is set
	ticket messages.Ticket
	key    types.EncryptionKey
	as     *client.Client // whom the ticket names, and nothing else: the library may clear its own
	err    error
}

// fetch gets a service ticket, which the library keeps until it ends. Its questions to the KDC have
// no end of their own, so they are asked once at a time, in the background.
func (l *Login) fetch(name string) (*fetch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.load(); err != nil {
		return nil, err
	}
	if f := l.pending[name]; f != nil {
		return f, nil
	}
	krb, unread := l.krb, l.unread
	f := &fetch{done: make(chan struct{}), as: &client.Client{Credentials: krb.Credentials}}
	l.pending[name] = f
	l.work.Go(func() {
		f.err = guard(func() (err error) {
			if err = krb.AffirmLogin(); err == nil {
				f.ticket, f.key, err = krb.GetServiceTicket(name)
			}
			return err
		})
		if f.err = explain(f.err); f.err != nil && unread != nil {
			f.err = fmt.Errorf("%w; %w", f.err, unread)
		}
		l.mu.Lock()
		delete(l.pending, name)
		l.mu.Unlock()
		close(f.done)
	})
	return f, nil
}

// explain adds what to look at. The library has no other sign of it than the text.
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
	{"no user credentials available", "the tickets in the cache have ended: run kinit"},
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
