package example

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
)

func TestTheIDIsTheHostsAndTheProcessUnlessOneIsGiven(t *testing.T) {
	if got := ID("alice"); got != "alice" {
		t.Errorf("%q; want what was given", got)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := ID(""), fmt.Sprintf("%s-%d", host, os.Getpid()); got != want {
		t.Errorf("%q; want %q", got, want)
	}
}

func TestCredentialsAreReadAndMistakesToldWithoutThePassword(t *testing.T) {
	read := func(args ...string) (session.Config, error) {
		p := New("example", "/example", time.Second, 0)
		err := p.Parse(args)
		return p.Session, err
	}
	if got, err := read(); got.Auth != nil || got.SASL != nil || got.TLSFiles != (session.TLSFiles{}) || err != nil {
		t.Errorf("without flags: %+v, %v; want nothing", got, err)
	}
	got, err := read("-sasl", "digest:alice:se:cret", "-auth", "digest:bob:se:cret", "-ca", "a", "-cert", "c", "-key", "k")
	if err != nil || got.SASL == nil || !reflect.DeepEqual(got.Auth, []session.Auth{session.Digest("bob", "se:cret")}) ||
		got.TLSFiles != (session.TLSFiles{Authorities: "a", Certificate: "c", Key: "k"}) {
		t.Errorf("with all flags: %+v, %v", got, err)
	}
	for value, part := range map[string]string{
		"kerberos:alice:secret": `"kerberos"`,
		"digest:alice":          `"alice"`,
		"digest:alice:":         `"alice"`,
		"digest::secret":        `user ""`,
	} {
		for _, name := range []string{"-auth", "-sasl"} {
			_, err := read(name, value)
			if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s %s: %v; want an error with %s and without the password", name, value, err, part)
			}
		}
	}
}
