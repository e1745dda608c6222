package zktest

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
)

// saslRealm and saslURI are what every ZooKeeper server calls itself in DIGEST-MD5.
const (
	saslRealm = "zk-sasl-md5"
	saslURI   = "zookeeper/zk-sasl-md5"
)

// sasl answers one token of a SASL exchange, out of order as [server.auth] does. Without
// [Config.Users] it behaves as a server without a JAAS configuration: it sends no token and refuses
// nobody.
func (s *server) sasl(r *request, d *decoder, size int) {
	c := r.conn
	token := string(d.buffer())
	if d.bad {
		c.close()
		return
	}
	s.e.count(OpSASL)
	info := Request{Server: s.id, Host: c.host.name(), Session: c.session, Op: OpSASL, Xid: r.xid, Bytes: size}
	s.e.observe(info)
	verdict := s.e.judge(info)
	if verdict.loseRequest(c) {
		return
	}
	var w encoder
	switch {
	case verdict.code != CodeOK:
		c.reply(r.xid, 0, verdict.code, nil)
		c.close()
		return
	case s.e.cfg.Users == nil:
		w.int32(-1)
	case c.nonce == "":
		c.nonce = fmt.Sprintf("%016x", int64(s.e.random(1<<62)))
		w.string(fmt.Sprintf("realm=%q,nonce=%q,charset=utf-8,algorithm=md5-sess", saslRealm, c.nonce))
	default:
		user, proof, ok := s.e.cfg.checkDigest(c.nonce, token)
		if !ok {
			c.reply(r.xid, 0, CodeAuthFailed, nil)
			c.close()
			return
		}
		c.nonce = ""
		c.ids = append(c.ids, identity{"sasl", user})
		w.string("rspauth=" + proof)
	}
	if !verdict.loseReply(c) {
		c.reply(r.xid, 0, CodeOK, w.b)
	}
}

var saslPair = regexp.MustCompile(`([a-z-]+)=("(?:[^"\\]|\\.)*"|[^,]*)`)

// checkDigest checks a client's response (RFC 2831), and returns the answer that proves that the
// server knows the password.
func (cfg Config) checkDigest(nonce, response string) (user, proof string, ok bool) {
	said := map[string]string{}
	for _, m := range saslPair.FindAllStringSubmatch(response, -1) {
		value := m[2]
		if strings.HasPrefix(value, `"`) {
			value = regexp.MustCompile(`\\(.)`).ReplaceAllString(value[1:len(value)-1], "$1")
		}
		said[m[1]] = value
	}
	user = said["username"]
	password, known := cfg.Users[user]
	if !known || said["nonce"] != nonce || said["realm"] != saslRealm || said["digest-uri"] != saslURI || said["qop"] != "auth" {
		return "", "", false
	}
	hash := func(text string) string { sum := md5.Sum([]byte(text)); return string(sum[:]) }
	hexed := func(text string) string { return hex.EncodeToString([]byte(hash(text))) }
	ha1 := hexed(hash(latin(user)+":"+saslRealm+":"+latin(password)) + ":" + nonce + ":" + said["cnonce"])
	answer := func(method string) string {
		return hexed(strings.Join([]string{ha1, nonce, said["nc"], said["cnonce"], said["qop"], hexed(method + ":" + saslURI)}, ":"))
	}
	return user, answer(""), said["response"] == answer("AUTHENTICATE")
}

// latin returns text in ISO 8859-1, if it can be.
func latin(text string) string {
	var b []byte
	for _, r := range text {
		if r > 0xff {
			return text
		}
		b = append(b, byte(r))
	}
	return string(b)
}
