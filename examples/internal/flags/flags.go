// Package flags reads the values of flags that several examples have.
package flags

import (
	"fmt"
	"os"
	"strings"

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
	if value == "" {
		return nil, nil
	}
	scheme, rest, _ := strings.Cut(value, ":")
	user, password, _ := strings.Cut(rest, ":")
	if scheme != "digest" || user == "" || password == "" {
		return nil, fmt.Errorf("-auth has scheme %q and user %q; want digest:user:password", scheme, user)
	}
	return []session.Auth{session.Digest(user, password)}, nil
}
