// Package flags reads the values of flags that several examples have.
package flags

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
)

// ID returns what -id says, or the host's name and the process id where that is "".
func ID(value string) string {
	if value != "" {
		return value
	}
	host, err := os.Hostname()
	if err != nil {
		host = "candidate"
	}
	return fmt.Sprintf("%s-%d", host, os.Getpid())
}

// Access is what the flags -auth, -sasl, -ca, -cert and -key say: who the program is to the
// servers, and how it knows them.
type Access struct {
	auth, sasl string
	files      session.TLSFiles
}

// Define defines the flags.
func (a *Access) Define(f *flag.FlagSet) {
	// Not by flag.Func, which tells a value that is wrong: it may hold a password.
	f.StringVar(&a.auth, "auth", "", "`digest:user:password`; znodes are then for that user alone")
	f.StringVar(&a.sasl, "sasl", "", "`digest:user:password` of the servers' JAAS configuration; znodes are then for that user alone")
	f.StringVar(&a.files.Authorities, "ca", "", "speak TLS with servers whose certificates come from the authorities in this PEM `file`")
	f.StringVar(&a.files.Certificate, "cert", "", "the own certificate for TLS, a PEM `file`; with -key")
	f.StringVar(&a.files.Key, "key", "", "the key of -cert, a PEM `file`")
}

// Check says what is wrong with the flags, without a password.
func (a *Access) Check() error { return a.Apply(&session.Config{}) }

// Open opens a client with what the flags say.
func (a *Access) Open(connect string, cfg session.Config) (*session.Client, error) {
	if err := a.Apply(&cfg); err != nil {
		return nil, err
	}
	return session.Open(connect, cfg)
}

// Apply sets in cfg what the flags say.
func (a *Access) Apply(cfg *session.Config) error {
	user, password, err := digest("auth", a.auth)
	if err != nil {
		return err
	}
	if user != "" {
		cfg.Auth = []session.Auth{session.Digest(user, password)}
	}
	if user, password, err = digest("sasl", a.sasl); err != nil {
		return err
	}
	if user != "" {
		cfg.SASL = session.SASLDigest(user, password)
	}
	cfg.TLSFiles = a.files
	return nil
}

func digest(name, value string) (user, password string, err error) {
	if value == "" {
		return "", "", nil
	}
	scheme, rest, _ := strings.Cut(value, ":")
	user, password, _ = strings.Cut(rest, ":")
	if scheme != "digest" || user == "" || password == "" {
		return "", "", fmt.Errorf("-%s has scheme %q and user %q; want digest:user:password", name, scheme, user)
	}
	return user, password, nil
}

// Times are what the flags -timeout and -lease say.
type Times struct {
	Timeout, Lease time.Duration // T and D of the sessions
}

// Define defines the flags; t holds their defaults.
func (t *Times) Define(f *flag.FlagSet) {
	f.DurationVar(&t.Timeout, "timeout", t.Timeout, "session timeout to ask for")
	f.DurationVar(&t.Lease, "lease", t.Lease, "how long a lease lasts: about the time until a crashed leader is replaced")
}

// The least that makes sense: with less, a busy machine alone ends sessions and leases.
const (
	minTimeout = 500 * time.Millisecond
	minLease   = 200 * time.Millisecond
)

// Check says what is wrong with the flags. A lease that was not asked for is half of a
// shorter timeout.
func (t *Times) Check(f *flag.FlagSet, maxTimeout time.Duration) error {
	asked := false
	f.Visit(func(f *flag.Flag) { asked = asked || f.Name == "lease" })
	if !asked {
		t.Lease = min(t.Lease, t.Timeout/2)
	}
	if t.Timeout < minTimeout || t.Timeout > maxTimeout {
		return fmt.Errorf("-timeout is %v; want %v to %v", t.Timeout, minTimeout, maxTimeout)
	}
	if t.Lease < minLease || t.Lease > t.Timeout/2 {
		return fmt.Errorf("-lease is %v; want %v to half of -timeout, which is %v", t.Lease, minLease, t.Timeout/2)
	}
	return nil
}

// Args are the flags for another process.
func (t Times) Args() []string {
	return []string{"-timeout", t.Timeout.String(), "-lease", t.Lease.String()}
}
