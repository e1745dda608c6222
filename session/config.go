package session

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session/internal/dial"
	"github.com/zkrecipe/zkrecipe/session/internal/wire"
)

// Config configures a [Client]. The zero value works.
type Config struct {
	// Timeout is the session timeout to ask for, called T elsewhere: how long the ensemble keeps a
	// session while it does not hear from the client. The ensemble bounds it (2 to 20 ticks unless
	// configured otherwise). The timeout that it grants counts. Timeout does not decide how soon a
	// crashed leader is replaced: see Lease. Default 15 s, at least 400 ms, at most 1 h.
	Timeout time.Duration

	// Lease is how long a lease lasts, called D elsewhere. A leader that cannot reach the ensemble
	// for D has stopped. A crashed leader is replaced within 19/16 of D and a few round trips. A
	// shorter lease replaces a crashed leader sooner. A longer lease outlasts longer pauses and
	// changes of the ZooKeeper leader: choose it longer than twice the time that the ensemble needs
	// to elect its own leader. A session with a leader or an heir costs 4 quorum writes per D, for
	// up to some 3,000 places. With more places it needs several writes every D/4. All candidates
	// of an election should have the same D. A candidate whose D is longer than the election's
	// record allows is refused. Default 4 s, or half of Timeout if that is less; at least 200 ms,
	// at most half of Timeout.
	Lease time.Duration

	// Beats is the path of the directory for the sessions' heartbeats, below the chroot. All
	// clients of an election must have the same Beats. If it differs, a crashed leader is replaced
	// only when its session expires. It must not be "/", and no recipe can have the same path. If
	// the directory is missing, it is created. Clients need CREATE on it, and READ and WRITE on
	// what others create in it. Default "/zkrecipe/beats".
	Beats string

	// Dial makes the network connections, in place of TCP: for proxies and tests. It gets each
	// server as host:port, just as the connect string has it. It must return by the end of its
	// context. While at most 8 KiB of requests have no answer yet, Write must not block: the buffer
	// of a socket has room for that. Mostly the goroutine that makes a request writes it, and the
	// context of the request cannot end that write.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// TLS, if set, is used with every server. The certificate is verified for the server's name in
	// the connect string, unless ServerName is set. [Open] copies TLS: later changes have no
	// effect.
	TLS *tls.Config

	// TLSFiles names the files with the authorities and the client's own certificate. They are read
	// again for each connection. If any file is set, connections use TLS, even if the field TLS is
	// nil. The other settings in TLS still apply.
	TLSFiles TLSFiles

	// Auth has credentials. They are presented after each handshake, before anything else.
	Auth []Auth

	// SASL, if set, authenticates each connection after its handshake before anything else, and
	// again after each reconnect. A connection that is not authenticated is not used.
	SASL SASL

	// ACL is the ACL of created znodes, if a call names no other. Default: all permissions. They
	// are for the client's own credentials alone if it has any (Auth or SASL), else for everybody.
	// With SASL alone this default needs servers whose configuration names the
	// SASLAuthenticationProvider.
	ACL []zk.ACL

	// EphemeralBytes bounds the paths of the ephemeral znodes of one session, all together. When
	// the session ends, a server writes them into one transaction. If the ensemble cannot read that
	// transaction back, the ensemble loses its quorum and cannot start again. A place takes some 60
	// bytes and its directory's path. Default 1 MiB, half of what servers with default settings
	// read. Lower it if the servers' jute.maxbuffer is lower: it must not be larger than that. A
	// create beyond it is refused with [ErrTooManyEphemerals]. [Open] refuses a value without room
	// for a heartbeat and one place.
	EphemeralBytes int

	// Logger gets one line per transition, from a goroutine of its own: nothing waits for it. It
	// also gets the lines of the client's recipes, if they have no Logger of their own. If it is
	// slow, up to 1000 lines wait. Further lines are dropped, and counted in [Status.LinesDropped].
	// Default: no log.
	Logger *slog.Logger

	// Context, if set, is the parent of all contexts of the client. When it ends, the client closes
	// in the background, as by [Client.Close].
	Context context.Context
}

// Auth is a credential for one of ZooKeeper's authentication schemes. For "digest", the only one
// that needs no server plug-in, Credential is "user:password".
type Auth struct {
	Scheme     string
	Credential string
}

// Digest returns the credential of scheme "digest" for a user and a password.
func Digest(user, password string) Auth { return Auth{"digest", user + ":" + password} }

// String hides the credential.
func (a Auth) String() string { return a.Scheme + ":***" }

// GoString hides the credential.
func (a Auth) GoString() string { return a.String() }

const (
	defaultTimeout         = 15 * time.Second
	minTimeout, maxTimeout = 2 * minLease, time.Hour
	// DefaultLease is the default of Config.Lease.
	DefaultLease = 4 * time.Second
	minLease     = 200 * time.Millisecond
	defaultBeats = "/zkrecipe/beats"
)

// withDefaults returns a checked copy, for a client with that chroot.
func (c Config) withDefaults(chroot string) (Config, error) {
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	if c.Timeout < minTimeout || c.Timeout > maxTimeout {
		return c, fmt.Errorf("session: Config.Timeout is %v; want %v to %v, or 0 for %v", c.Timeout, minTimeout, maxTimeout, defaultTimeout)
	}
	c.Lease = cmp.Or(c.Lease, min(DefaultLease, c.Timeout/2))
	if c.Lease < minLease || c.Lease > c.Timeout/2 {
		return c, fmt.Errorf("session: Config.Lease is %v; want %v to %v, half of the session timeout, or 0 for %v",
			c.Lease, minLease, c.Timeout/2, min(DefaultLease, c.Timeout/2))
	}
	c.EphemeralBytes = cmp.Or(c.EphemeralBytes, defaultEphemeralBytes)
	c.Beats = cmp.Or(c.Beats, defaultBeats)
	if err := CheckPath(c.Beats); err != nil {
		return c, fmt.Errorf("session: Config.Beats: %w", err)
	}
	if strings.HasPrefix(c.Beats+"/", "/zookeeper/") && chroot == "" {
		return c, fmt.Errorf("session: Config.Beats: %w", badPath{fmt.Errorf(`path is %q, where the servers keep their own znodes; want another, or "" for %q`, c.Beats, defaultBeats)})
	}
	if c.Beats == "/" { // heartbeats and notices would be among everybody's znodes
		return c, fmt.Errorf("session: Config.Beats: %w", badPath{fmt.Errorf(`path is "/"; want one below it, or "" for %q`, defaultBeats)})
	}
	if least := leastEphemerals(chroot, c.Beats); c.EphemeralBytes < least {
		return c, fmt.Errorf("session: Config.EphemeralBytes is %d; want at least %d, for a heartbeat and a place, or 0 for %d",
			c.EphemeralBytes, least, defaultEphemeralBytes)
	}
	for i, a := range c.Auth {
		if a.Scheme == "" {
			return c, fmt.Errorf("session: Config.Auth[%d] has no scheme; want one such as \"digest\"", i)
		}
		if user, _, ok := strings.Cut(a.Credential, ":"); a.Scheme == "digest" && (!ok || user == "") {
			return c, fmt.Errorf("session: Config.Auth[%d].Credential is not of the form user:password", i)
		}
	}
	for i, a := range c.ACL {
		if a.Perms <= 0 || a.Perms > zk.PermAll || a.Scheme == "" {
			return c, fmt.Errorf("session: Config.ACL[%d] is %+v; want permissions 1 to %d and a scheme", i, a, zk.PermAll)
		}
	}
	if len(c.ACL) == 0 {
		c.ACL = zk.WorldACL(zk.PermAll)
		if len(c.Auth) > 0 || c.SASL != nil {
			c.ACL = zk.AuthACL(zk.PermAll)
		}
	}
	if c.Context == nil {
		c.Context = context.Background()
	}
	return c, nil
}

// asWhom names the credentials of the client, without anything secret.
func (c *Config) asWhom() string {
	var all []string
	for _, a := range c.Auth {
		text := fmt.Sprintf("the scheme %q", a.Scheme)
		if a.Scheme == "digest" {
			user, _, _ := strings.Cut(a.Credential, ":")
			text += fmt.Sprintf(" and the user %q", user)
		}
		all = append(all, text)
	}
	if c.SASL != nil {
		all = append(all, "SASL")
	}
	if c.TLSFiles.Certificate != "" || c.TLS != nil && (len(c.TLS.Certificates) > 0 || c.TLS.GetClientCertificate != nil) {
		all = append(all, "a certificate")
	}
	if len(all) == 0 {
		return "without credentials"
	}
	return "with " + strings.Join(all, ", ")
}

func (c *Config) wireAuth() []wire.Auth {
	auth := make([]wire.Auth, len(c.Auth))
	for i, a := range c.Auth {
		auth[i] = wire.Auth{Scheme: a.Scheme, Credential: []byte(a.Credential)}
	}
	return auth
}

// CheckPath reports what is wrong with a znode path: it must be absolute, without empty or relative
// parts, without a slash at its end, without characters that ZooKeeper forbids, and at most 64 KiB
// long. The error is a zk.ErrInvalidPath.
func CheckPath(path string) error {
	if len(path) > maxPath {
		return badPath{fmt.Errorf("path of %d bytes; want at most %d", len(path), maxPath)}
	}
	if err := dial.CheckPath(path); err != nil {
		return badPath{err}
	}
	return nil
}

// maxRecipePath leaves room for names of znodes below the path of a recipe.
const maxRecipePath = 4096

// CheckPath reports what is wrong with the path of a recipe. It checks what [CheckPath] checks.
// Beyond that, the path must not be "/" or [Config.Beats], and must not have more than 4096 bytes.
// The error matches zk.ErrInvalidPath. It also reports that the Client is nil or zero, so a recipe
// needs no other check of its client.
func (c *Client) CheckPath(path string) error {
	switch {
	case c == nil || c.Context() == nil:
		return errors.New("the client is nil or zero; want one from session.Open")
	case len(path) > maxRecipePath:
		return badPath{fmt.Errorf("path of %d bytes; want at most %d", len(path), maxRecipePath)}
	case path == "/":
		return badPath{errors.New(`path is "/"; want one below it, such as "/billing"`)}
	case path == c.cfg.Beats:
		return badPath{fmt.Errorf(`path %q is the directory of the heartbeats, session.Config.Beats; want another, such as "/billing"`, path)}
	}
	return CheckPath(path)
}

// badPath says what is wrong with a path.
type badPath struct{ error }

func (badPath) Unwrap() error { return zk.ErrInvalidPath }
