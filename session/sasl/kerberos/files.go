package kerberos

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/keytab"
)

// load reads the keytab or the ticket cache if it has changed. The error is why there are no
// credentials at all. Where only the new file cannot be read, l.unread is set. The caller holds l.mu,
// or is the only one that knows l.
func (l *Login) load() error {
	if l.closed {
		return errors.New("kerberos: closed")
	}
	file := cmp.Or(l.cfg.Keytab, l.cfg.Cache)
	info, err := os.Stat(file)
	if err == nil && l.krb != nil && info.ModTime().Equal(l.read) {
		l.unread = nil
		return nil
	}
	var krb *client.Client
	if err == nil {
		krb, err = l.fromFile(file)
	}
	switch {
	case err == nil:
		l.retire(l.krb)
		l.krb, l.read, l.unread = krb, info.ModTime(), nil
	case l.krb == nil:
		return fmt.Errorf("kerberos: %s %s: %w", l.kind(), file, err)
	default:
		l.unread = fmt.Errorf("the %s %s cannot be read as it is now: %w", l.kind(), file, err)
	}
	return nil
}

func (l *Login) kind() string {
	if l.cfg.Keytab != "" {
		return "keytab"
	}
	return "ticket cache"
}

// fromFile returns a client of the library. A file that is being written may be cut short.
func (l *Login) fromFile(file string) (krb *client.Client, err error) {
	err = guard(func() error {
		if l.cfg.Keytab != "" {
			krb, err = l.fromKeytab(file)
		} else {
			krb, err = l.fromCache(file)
		}
		return err
	})
	return krb, err
}

// settings: servers of Active Directory do not take FAST, and others do without it.
var settings = []func(*client.Settings){client.DisablePAFXFAST(true)}

func (l *Login) fromKeytab(file string) (*client.Client, error) {
	keys, err := keytab.Load(file)
	if err != nil {
		return nil, err
	}
	user, realm, found := strings.Cut(l.cfg.Principal, "@")
	if !found {
		realm = l.conf.LibDefaults.DefaultRealm
	}
	if user == "" || realm == "" {
		return nil, fmt.Errorf("Config.Principal is %q; want user@REALM", l.cfg.Principal)
	}
	return client.NewWithKeytab(user, realm, keys, l.conf, settings...), nil
}

func (l *Login) fromCache(file string) (*client.Client, error) {
	tickets, err := credentials.LoadCCache(file)
	if err != nil {
		return nil, err
	}
	return client.NewFromCCache(tickets, l.conf, settings...)
}

// retire ends the renewals of a client that is not used any more, when its questions have been
// answered. The caller holds l.mu.
func (l *Login) retire(krb *client.Client) {
	if krb == nil {
		return
	}
	var asked []*fetch
	for _, f := range l.pending {
		asked = append(asked, f)
	}
	l.work.Go(func() {
		for _, f := range asked {
			<-f.done
		}
		krb.Destroy()
	})
}

// guard turns a panic of the library, over bytes that it does not expect, into an error.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("cannot be understood: %v", r)
		}
	}()
	return f()
}
