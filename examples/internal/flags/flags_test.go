package flags

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

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
	if got, err := Auth(""); got != nil || err != nil {
		t.Errorf("without a value: %v, %v; want nothing", got, err)
	}
	if got, err := SASL(""); got != nil || err != nil {
		t.Errorf("-sasl without a value: %v; want nothing", err)
	}
	if got, err := SASL("digest:alice:se:cret"); got == nil || err != nil {
		t.Errorf("-sasl: %v; want alice's", err)
	}
	want := []session.Auth{session.Digest("alice", "se:cret")}
	if got, err := Auth("digest:alice:se:cret"); !reflect.DeepEqual(got, want) || err != nil {
		t.Errorf("%v, %v; want alice's credentials", got, err)
	}
	for value, part := range map[string]string{
		"kerberos:alice:secret": `"kerberos"`,
		"digest:alice":          `"alice"`,
		"digest:alice:":         `"alice"`,
		"digest::secret":        `user ""`,
	} {
		if sasl, err := SASL(value); sasl != nil || err == nil || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "secret") {
			t.Errorf("-sasl %s: %v; want an error with %s and without the password", value, err, part)
		}
		got, err := Auth(value)
		if got != nil || err == nil || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, %v; want an error with %s and without the password", value, got, err, part)
		}
	}
}
