// Package ident has the IDs of contenders of a recipe, and the data of their znodes.
package ident

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/go-zookeeper/zk"
)

// MaxData is how long data may be: a request may have 1 MiB.
const MaxData = 1_000_000

const maxID = 256

// ID returns the Config.ID of a recipe, checked together with the Config.Data. For none it returns
// the default: host name, process id and a random part.
func ID(id string, data []byte) (string, error) {
	switch {
	case len(id) > maxID:
		return id, fmt.Errorf("Config.ID is %d bytes long; want at most %d", len(id), maxID)
	case !utf8.ValidString(id) || strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return id, fmt.Errorf("Config.ID is %q; want UTF-8 without control characters", id)
	case len(data) > MaxData:
		return id, fmt.Errorf("Config.Data is %d bytes long; want at most %d", len(data), MaxData)
	}
	return cmp.Or(id, anyID()), nil
}

// anyID is an ID for a process that has none: host name, process id and a random part.
func anyID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s-%d-%s", host, os.Getpid(), strings.ToLower(rand.Text()[:6]))
}

// ACL returns the Config.ACL of a recipe, checked; one without entries is nil, which means the
// session's.
func ACL(acl []zk.ACL) ([]zk.ACL, error) {
	for i, a := range acl {
		if a.Perms <= 0 || a.Perms > zk.PermAll || a.Scheme == "" {
			return nil, fmt.Errorf("Config.ACL[%d] is %+v; want permissions 1 to %d and a scheme", i, a, zk.PermAll)
		}
	}
	if len(acl) == 0 {
		return nil, nil
	}
	return acl, nil
}

// Encode puts ID and data into a znode: the ID alone, as Curator's Participant has it, or ID,
// newline, data.
func Encode(id string, data []byte) []byte {
	if len(data) == 0 {
		return []byte(id)
	}
	return append([]byte(id+"\n"), data...)
}

// Decode is the reverse.
func Decode(znode []byte) (id string, data []byte) {
	id, rest, found := strings.Cut(string(znode), "\n")
	if !found {
		return id, nil
	}
	return id, []byte(rest)
}
