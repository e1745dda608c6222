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

// Auth returns what -auth says, digest:user:password, or no credentials where that is "". It
// is not for flag.Func, which tells a value that is wrong: this one may hold a password, and
// the error is without it.
func Auth(value string) ([]session.Auth, error) {
	user, password, err := digest("auth", value)
	if user == "" || err != nil {
		return nil, err
	}
	return []session.Auth{session.Digest(user, password)}, nil
}

// SASL returns what -sasl says, digest:user:password, or nil where that is "". It keeps the
// password out of errors as Auth does.
func SASL(value string) (session.SASL, error) {
	user, password, err := digest("sasl", value)
	if user == "" || err != nil {
		return nil, err
	}
	return session.SASLDigest(user, password), nil
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
