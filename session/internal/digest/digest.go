// Package digest is the client's side of the SASL mechanism DIGEST-MD5 (RFC 2831), as far as
// ZooKeeper's servers use it: quality of protection "auth", the service "zookeeper".
package digest

import (
	"bytes"
	"crypto/md5"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// uri is the service and the host in the name that all ZooKeeper servers use, independent of their
// host names (org.apache.zookeeper.util.SecurityUtils).
const uri = "zookeeper/zk-sasl-md5"

// Exchange is one authentication.
type Exchange struct {
	user, password string
	uri            string
	cnonce         string
	state          state
	proof          string // what the server has to answer last
}

type state int

const (
	initial state = iota
	challenged
	responded
	finished
)

// New begins an authentication.
func New(user, password string) (*Exchange, error) {
	if user == "" {
		return nil, errors.New("DIGEST-MD5: no user")
	}
	random := make([]byte, 16)
	rand.Read(random) // never fails
	return &Exchange{user: user, password: password, uri: uri, cnonce: hex.EncodeToString(random)}, nil
}

// Next takes the server's message and returns the answer to it.
func (x *Exchange) Next(challenge []byte) (token []byte, done bool, err error) {
	switch x.state {
	case initial:
		x.state = challenged
		return []byte{}, false, nil // the server sends the challenge when it is asked to
	case challenged:
		x.state = responded
		token, err = x.respond(challenge)
		return token, false, err
	case responded:
		x.state = finished
		return nil, true, x.verify(challenge)
	}
	return nil, false, errors.New("DIGEST-MD5: the exchange is over")
}

// respond answers the server's challenge.
func (x *Exchange) respond(challenge []byte) ([]byte, error) {
	if challenge == nil {
		return nil, errors.New("DIGEST-MD5: the server sent no challenge: it has no JAAS configuration, or lets clients in that it does not know")
	}
	said, err := parse(challenge)
	if err != nil {
		return nil, err
	}
	nonce, realm := said["nonce"], said["realm"]
	switch {
	case nonce == "":
		return nil, errors.New("DIGEST-MD5: the challenge has no nonce")
	case said["algorithm"] != "md5-sess":
		return nil, fmt.Errorf("DIGEST-MD5: the challenge asks for the algorithm %.40q; want md5-sess", said["algorithm"])
	case said["qop"] != "" && !offers(said["qop"], "auth"):
		return nil, fmt.Errorf("DIGEST-MD5: the server offers qop %.40q; want auth", said["qop"])
	}
	const nc = "00000001"
	secret := sum(encode(x.user), ":", encode(realm), ":", encode(x.password))
	ha1 := hexsum(string(secret), ":", nonce, ":", x.cnonce)
	answer := func(method string) string {
		return hexsum(ha1, ":", nonce, ":", nc, ":", x.cnonce, ":auth:", hexsum(method, ":", x.uri))
	}
	x.proof = answer("")
	var b strings.Builder
	if said["charset"] == "utf-8" {
		b.WriteString("charset=utf-8,")
	}
	fmt.Fprintf(&b, "username=%s,realm=%s,nonce=%s,nc=%s,cnonce=%s,digest-uri=%s,maxbuf=65536,response=%s,qop=auth",
		quote(x.user), quote(realm), quote(nonce), nc, quote(x.cnonce), quote(x.uri), answer("AUTHENTICATE"))
	return []byte(b.String()), nil
}

// verify checks that the server knows the password, too.
func (x *Exchange) verify(final []byte) error {
	said, err := parse(final)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(said["rspauth"]), []byte(x.proof)) != 1 {
		return errors.New("DIGEST-MD5: the server has not proved that it knows the password")
	}
	return nil
}

func sum(parts ...string) []byte {
	h := md5.Sum([]byte(strings.Join(parts, "")))
	return h[:]
}

func hexsum(parts ...string) string { return hex.EncodeToString(sum(parts...)) }

// encode returns the form of text that is hashed: ISO 8859-1 if that has all its characters, else
// UTF-8.
func encode(text string) string {
	latin := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			return text
		}
		latin = append(latin, byte(r))
	}
	return string(latin)
}

func quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

func offers(list, want string) bool {
	for word := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(word) == want {
			return true
		}
	}
	return false
}

// parse reads a list of key=value, values quoted or not.
func parse(text []byte) (map[string]string, error) {
	said := map[string]string{}
	for rest := text; ; {
		rest = bytes.TrimLeft(rest, " \t\r\n,")
		if len(rest) == 0 {
			return said, nil
		}
		key, after, ok := bytes.Cut(rest, []byte("="))
		if !ok {
			return nil, fmt.Errorf("DIGEST-MD5: %.40q is not key=value", rest)
		}
		value, left, err := parseValue(bytes.TrimLeft(after, " \t"))
		if err != nil {
			return nil, err
		}
		name := strings.ToLower(string(bytes.TrimSpace(key)))
		if _, twice := said[name]; twice && name != "realm" { // of several realms, the first
			return nil, fmt.Errorf("DIGEST-MD5: %.40q is there twice", name)
		} else if !twice {
			said[name] = value
		}
		rest = left
	}
}

func parseValue(text []byte) (value string, rest []byte, err error) {
	if len(text) == 0 || text[0] != '"' {
		i := bytes.IndexByte(text, ',')
		if i < 0 {
			i = len(text)
		}
		return string(bytes.TrimSpace(text[:i])), text[i:], nil
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '"':
			return b.String(), text[i+1:], nil
		case text[i] == '\\' && i+1 < len(text):
			i++
		}
		b.WriteByte(text[i])
	}
	return "", nil, fmt.Errorf("DIGEST-MD5: %.40q does not end with a quote", text)
}
