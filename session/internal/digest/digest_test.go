package digest

import (
	"strings"
	"testing"
)

// The example of RFC 2831, section 4.
func TestTheExampleOfTheStandard(t *testing.T) {
	x := &Exchange{user: "chris", password: "secret", uri: "imap/elwood.innosoft.com", cnonce: "OA6MHXh6VqTrRk", state: challenged}
	token, done, err := x.Next([]byte(`realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8`))
	if err != nil || done {
		t.Fatal(done, err)
	}
	if !strings.Contains(string(token), "response=d388dad90d4bbd760a152321f2143af7,") {
		t.Errorf("%s", token)
	}
	if _, done, err := x.Next([]byte("rspauth=ea40f60335c427b5527b84dbabcdfffd")); err != nil || !done {
		t.Error(done, err)
	}
}

func start(t *testing.T, user, password string) *Exchange {
	t.Helper()
	x, err := New(user, password)
	if err != nil {
		t.Fatal(err)
	}
	if token, done, err := x.Next(nil); len(token) != 0 || done || err != nil {
		t.Fatal(token, done, err)
	}
	return x
}

const challenge = `realm="r",nonce="n",charset=utf-8,algorithm=md5-sess`

func TestWhatAServerMustNotSay(t *testing.T) {
	for what, said := range map[string]string{
		"no nonce":      `realm="r",algorithm=md5-sess`,
		"algorithm":     `nonce="n",algorithm=md5`,
		"auth":          `nonce="n",algorithm=md5-sess,qop="auth-int,auth-conf"`,
		"twice":         `nonce="n",nonce="m",algorithm=md5-sess`,
		"not key=value": `nonsense`,
		"quote":         `nonce="n`,
	} {
		if _, _, err := start(t, "u", "p").Next([]byte(said)); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v; want %q in it", said, err, what)
		}
	}
	if _, _, err := start(t, "u", "p").Next(nil); err == nil || !strings.Contains(err.Error(), "JAAS") {
		t.Errorf("no challenge: %v", err)
	}
	if _, err := New("", "p"); err == nil {
		t.Error("no user")
	}
}

// A server's text becomes a part of a log line, and of Status.
func TestTheErrorIsShortHoweverLongTheChallenge(t *testing.T) {
	long := strings.Repeat("x", 60_000)
	for _, said := range []string{long, `nonce="` + long, `nonce="n",algorithm=` + long, `nonce="n",algorithm=md5-sess,qop=` + long, long + "=1," + long + "=2"} {
		if _, _, err := start(t, "u", "p").Next([]byte(said)); err == nil || len(err.Error()) > 300 {
			t.Errorf("%.20q...: an error of %d bytes", said, len(err.Error()))
		}
	}
}

// A server that does not know the password must not be accepted.
func TestAServerHasToProveThatItKnowsThePassword(t *testing.T) {
	for _, final := range []string{"", "rspauth=", "rspauth=0123456789abcdef0123456789abcdef", "x"} {
		x := start(t, "u", "p")
		if _, _, err := x.Next([]byte(challenge)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := x.Next([]byte(final)); err == nil {
			t.Errorf("%q is accepted", final)
		}
	}
}

func TestNamesAreQuotedAndEncoded(t *testing.T) {
	x := start(t, `a"b\c`, "p")
	token, _, err := x.Next([]byte(challenge))
	if err != nil || !strings.Contains(string(token), `username="a\"b\\c",`) {
		t.Errorf("%s, %v", token, err)
	}
	if got := encode("é"); got != "\xe9" {
		t.Errorf("%x", got)
	}
	if got := encode("€"); got != "€" {
		t.Errorf("%x", got)
	}
}

func FuzzChallenge(f *testing.F) {
	f.Add([]byte(challenge), []byte("rspauth=00"))
	f.Add([]byte(`realm="a\"b", realm=c,nonce="n",qop=auth , algorithm=md5-sess,,`), []byte(nil))
	f.Fuzz(func(t *testing.T, first, last []byte) {
		x, err := New("user", "password")
		if err != nil {
			t.Fatal(err)
		}
		for _, said := range [][]byte{nil, first, last} {
			_, done, err := x.Next(said)
			if done && err == nil {
				t.Fatal("a server that does not know the password is accepted")
			}
			if err != nil {
				return
			}
		}
	})
}
