package kerberos

import (
	"bytes"
	"strings"
	"testing"

	"github.com/jcmturner/gokrb5/v8/gssapi"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/types"
)

var sessionKey = types.EncryptionKey{KeyType: etypeID.AES256_CTS_HMAC_SHA1_96, KeyValue: bytes.Repeat([]byte{7}, 32)}

// offering returns what a server with that key sends when it has seen the ticket.
func offering(t testing.TB, key types.EncryptionKey, payload []byte) []byte {
	t.Helper()
	offer := gssapi.WrapToken{Flags: 1, EC: 12, Payload: payload}
	if err := offer.SetCheckSum(key, keyusage.GSSAPI_ACCEPTOR_SEAL); err != nil {
		t.Fatal(err)
	}
	token, err := offer.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// after returns an exchange that has sent its ticket.
func after(step int) *exchange {
	return &exchange{login: &Login{}, ticket: &ticket{key: sessionKey}, step: step}
}

func TestAnExchangeEndsWhenTheServerHasNoMoreToSay(t *testing.T) {
	x := after(1)
	x.login.presented(x.ticket)
	if token, done, err := x.Next(offering(t, sessionKey, []byte{7, 0, 0x10, 0})); len(token) == 0 || done || err != nil {
		t.Fatalf("%x, %v, %v", token, done, err)
	}
	if !x.ticket.proven || x.ticket.doubtful() {
		t.Error("the ticket counts as refused")
	}
	if token, done, err := x.Next(nil); len(token) != 0 || !done || err != nil {
		t.Errorf("%x, %v, %v", token, done, err)
	}
	if _, done, err := x.Next(nil); done || err == nil {
		t.Errorf("after the end: %v, %v", done, err)
	}
}

func TestWhatAServerMustNotSay(t *testing.T) {
	other := types.EncryptionKey{KeyType: sessionKey.KeyType, KeyValue: bytes.Repeat([]byte{8}, 32)}
	fromClient, err := gssapi.NewInitiatorWrapToken([]byte{1, 0, 0, 0}, sessionKey)
	if err != nil {
		t.Fatal(err)
	}
	reflected, err := fromClient.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	good := offering(t, sessionKey, []byte{1, 0, 0, 0})
	for name, c := range map[string]struct {
		step int
		said []byte
		want string
	}{
		"nothing, when it has to prove itself": {1, nil, "has not proved who it is"},
		"no bytes":                             {1, []byte{}, "shorter than header"},
		"the answer of mutual authentication":  {1, append([]byte{0x60, 0x30}, make([]byte, 60)...), "wrong Token ID"},
		"what another key has signed":          {1, offering(t, other, []byte{1, 0, 0, 0}), "does not have the key"},
		"what we have said":                    {1, reflected, "acceptor flag"},
		"half of it":                           {1, good[:len(good)-1], "does not have the key"},
		"a checksum longer than all":           {1, []byte{5, 4, 1, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, "checksum length"},
		"encryption only":                      {1, offering(t, sessionKey, []byte{4, 0, 0x10, 0}), "without a security layer"},
		"a long offer":                         {1, offering(t, sessionKey, bytes.Repeat([]byte{1}, 60_000)), "without a security layer"},
		"an empty offer":                       {1, offering(t, sessionKey, []byte{}), "without a security layer"},
		"more, when all is said":               {2, good, "goes on"},
	} {
		x := after(c.step)
		x.login.presented(x.ticket)
		_, done, err := x.Next(c.said)
		if done || err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 200 {
			t.Errorf("%s: %v, %v; want %q", name, done, err, c.want)
		}
		if x.ticket.proven {
			t.Errorf("%s: the ticket counts as accepted", name)
		}
	}
}
