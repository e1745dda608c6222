// Package kerberos authenticates the sessions of a program to ZooKeeper servers by Kerberos, with
// the SASL mechanism GSSAPI (RFC 4752):
//
//	login, err := kerberos.New(kerberos.Config{Principal: "billing@EXAMPLE.COM", Keytab: "/etc/billing.keytab"})
//	...
//	defer login.Close()
//	client, err := session.Open("zk1:2181,zk2:2181", session.Config{SASL: login.SASL})
//
// It is a module of its own, so that only programs that use it depend on
// github.com/jcmturner/gokrb5.
//
// Each connection is authenticated by a service ticket for zookeeper/HOST. HOST is the name in the
// connect string. A ticket is kept until it ends, even while the KDC cannot be reached. Requests to
// the KDC run in the background, so a session does not wait longer for the KDC than for a server.
// The server is authenticated, too, because only a server with the key of its principal can answer.
// If the key of a server was changed, the server refuses a ticket for the former key. Then another
// ticket is fetched. While the KDC issues none, the refused ticket is presented once more, because
// servers before 3.9.3 sometimes refuse a valid ticket. The connection is neither encrypted nor
// signed. Use TLS, too.
package kerberos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"

	"github.com/zkrecipe/zkrecipe/session"
)

// Config says which principal logs in, and how.
type Config struct {
	// Keytab is the file that holds the keys of Principal. Either Keytab or Cache has to be set.
	// The file is read again when it has changed, so that keys can be replaced without a restart.
	Keytab string
	// Principal is user@REALM. The realm may be left out if Conf has a default realm.
	Principal string
	// Cache is a file with tickets, as kinit writes it. Then Principal is not needed. The file is
	// read again when it has changed, so that another program may renew it. While a changed Cache
	// or Keytab cannot be read, what was read before stays in use.
	Cache string
	// Conf is the file with Kerberos' configuration. Files that it includes are not read. Conf is
	// read again for each ticket. Default: the environment's KRB5_CONFIG, or /etc/krb5.conf.
	Conf string
	// Service is the first part of the servers' principals. Default "zookeeper".
	Service string
	// Host returns the second part of a server's principal for its host in the connect string.
	// Default: the same host. It must not block.
	Host func(host string) string
}

// Login is a principal that is logged in. Its methods may be called from any goroutine.
type Login struct {
	cfg Config

	mu       sync.Mutex // guards what follows; held for moments only
	who      *identity
	read     os.FileInfo        // of the file from which who was read
	unread   error              // why the present file cannot be read
	supplies map[string]*supply // by the servers' principals
	closed   bool
	work     sync.WaitGroup
}

// New reads the files that cfg names. It does not ask the KDC.
func New(cfg Config) (*Login, error) {
	if (cfg.Keytab == "") == (cfg.Cache == "") {
		return nil, fmt.Errorf("kerberos: Config.Keytab is %q and Config.Cache is %q; want one of them", cfg.Keytab, cfg.Cache)
	}
	if cfg.Keytab != "" && cfg.Principal == "" {
		return nil, errors.New("kerberos: Config.Principal is empty; want one of those in the keytab, as user@REALM")
	}
	if cfg.Conf == "" {
		cfg.Conf = os.Getenv("KRB5_CONFIG")
	}
	if cfg.Conf == "" {
		cfg.Conf = "/etc/krb5.conf"
	}
	if cfg.Service == "" {
		cfg.Service = "zookeeper"
	}
	if cfg.Host == nil {
		cfg.Host = func(host string) string { return host }
	}
	conf, err := readConf(cfg.Conf)
	if err != nil {
		return nil, err
	}
	if cfg.Keytab != "" && !strings.Contains(cfg.Principal, "@") {
		cfg.Principal += "@" + conf.LibDefaults.DefaultRealm
	}
	if user, realm, _ := strings.Cut(cfg.Principal, "@"); cfg.Keytab != "" && (user == "" || realm == "") {
		return nil, fmt.Errorf("kerberos: Config.Principal is %q; want user@REALM", cfg.Principal)
	}
	l := &Login{cfg: cfg, supplies: map[string]*supply{}}
	if err := l.load(); err != nil {
		return nil, err
	}
	return l, nil
}

// SASL begins the authentication of one connection: it is a [session.SASL].
func (l *Login) SASL(ctx context.Context, server string) (session.SASLExchange, error) {
	host, _, err := net.SplitHostPort(server)
	if err != nil {
		return nil, fmt.Errorf("kerberos: server %q: %w", server, err)
	}
	name := l.cfg.Service + "/" + l.cfg.Host(host)
	t, f, err := l.look(name)
	if err != nil {
		return nil, err
	}
	if f != nil {
		f.await(ctx, t)
		switch over := f.over(); {
		case over && f.err == nil:
			t = f.ticket
		case t != nil: // the former one
		case over:
			return nil, fmt.Errorf("kerberos: no ticket for %s: %w", name, f.err)
		default:
			return nil, fmt.Errorf("kerberos: no ticket for %s yet, the KDC has not answered: %w", name, context.Cause(ctx))
		}
	}
	return &exchange{login: l, ticket: t}, nil
}

// Close drops the tickets. Connections that are authenticated stay authenticated. Close waits for
// requests to the KDC that are under way.
func (l *Login) Close() {
	l.mu.Lock()
	l.closed, l.who, l.supplies = true, nil, nil
	l.mu.Unlock()
	l.work.Wait()
}
