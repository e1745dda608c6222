package kerberos

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// An identity is the principal that logs in, from the keytab or the ticket cache.
type identity struct {
	creds *credentials.Credentials
	first *granting // from the ticket cache; nil with a keytab: then the KDC issues one
}

// is reports whether two identities are of one principal. Then tickets for the identity of the
// former file are valid for that of the new file, too.
func (who *identity) is(other *identity) bool {
	a, b := who.creds, other.creds
	return a.Domain() == b.Domain() && a.CName().Equal(b.CName())
}

// A granting is a ticket-granting ticket, or a ticket that the KDC has issued for one.
type granting struct {
	ticket messages.Ticket
	key    types.EncryptionKey
	end    time.Time
}

// load reads the keytab or the ticket cache if it has changed. It returns an error if there is no
// identity at all. If there is one, and the changed file cannot be read, it sets l.unread. The
// caller holds l.mu, or no other goroutine knows l yet.
func (l *Login) load() error {
	if l.closed {
		return errors.New("kerberos: closed")
	}
	file := cmp.Or(l.cfg.Keytab, l.cfg.Cache)
	info, err := os.Stat(file)
	if err == nil && l.who != nil && sameFile(info, l.read) {
		l.unread = nil
		return nil
	}
	var who *identity
	if err == nil {
		who, err = l.readIdentity(file)
	}
	switch {
	case err == nil:
		l.who, l.read, l.unread = who, info, nil
	case l.who == nil:
		return fmt.Errorf("kerberos: %s %s: %w", l.kind(), file, err)
	default:
		l.unread = fmt.Errorf("the %s %s cannot be read as it is now: %w", l.kind(), file, err)
	}
	return nil
}

// sameFile reports whether a file has not changed. It also notices that a file was replaced by
// another one with the same time.
func sameFile(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

func (l *Login) kind() string {
	if l.cfg.Keytab != "" {
		return "keytab"
	}
	return "ticket cache"
}

// readIdentity reads a file that may be cut short, because somebody is writing it.
func (l *Login) readIdentity(file string) (who *identity, err error) {
	err = guard(func() error {
		if l.cfg.Keytab != "" {
			who, err = fromKeytab(file, l.cfg.Principal)
		} else {
			who, err = fromCache(file)
		}
		return err
	})
	return who, err
}

func fromKeytab(file, principal string) (*identity, error) {
	keys, err := keytab.Load(file)
	if err != nil {
		return nil, err
	}
	user, realm, _ := strings.Cut(principal, "@")
	return &identity{creds: credentials.New(user, realm).WithKeytab(keys)}, nil
}

func fromCache(file string) (*identity, error) {
	cache, err := credentials.LoadCCache(file)
	if err != nil {
		return nil, err
	}
	entry, ok := cache.GetEntry(granter(cache.GetClientRealm()))
	if !ok {
		return nil, errors.New("no ticket-granting ticket is in it")
	}
	first := &granting{key: entry.Key, end: entry.EndTime}
	if err := first.ticket.Unmarshal(entry.Ticket); err != nil {
		return nil, err
	}
	return &identity{creds: cache.GetClientCredentials(), first: first}, nil
}

// granter returns the principal of a realm's ticket-granting service.
func granter(realm string) types.PrincipalName {
	return types.PrincipalName{NameType: nametype.KRB_NT_SRV_INST, NameString: []string{"krbtgt", realm}}
}

// readConf reads Kerberos' configuration. It ignores settings for Kerberos 4.
func readConf(file string) (*config.Config, error) {
	conf, err := config.Load(file)
	if _, old := err.(config.UnsupportedDirective); err != nil && !old {
		return nil, fmt.Errorf("kerberos: %s: %w", file, err)
	}
	return conf, nil
}

// guard calls f. If the library panics because of bytes that it does not expect, guard returns an
// error.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("cannot be understood: %v", r)
		}
	}()
	return f()
}
