package kerberos_test

import (
	"context"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/iana/patype"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/zkrecipe/zkrecipe/session/sasl/kerberos"
)

// impostor starts a server that answers in place of the KDC of TEST. It returns krb5.conf, and a
// keytab of ann's.
func impostor(t *testing.T, answer func(net.Conn)) (conf, keys string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				answer(conn)
			})
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	dir := t.TempDir()
	conf, keys = filepath.Join(dir, "krb5.conf"), filepath.Join(dir, "keytab")
	kt := keytab.New()
	if err := kt.AddEntry("ann", "TEST", "secret", time.Now(), 1, etypeID.AES256_CTS_HMAC_SHA1_96); err != nil {
		t.Fatal(err)
	}
	text, err := kt.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string][]byte{
		keys: text,
		conf: fmt.Appendf(nil, "[libdefaults]\ndefault_realm = TEST\nudp_preference_limit = 1\n[realms]\nTEST = {\nkdc = %s\n}\n", l.Addr()),
	} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return conf, keys
}

// framed returns an answer in its form over TCP.
func framed(text string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(text)))) + text
}

// preauth returns a KDC's demand for preauthentication, with an empty list of encryption types.
func preauth(t *testing.T) string {
	t.Helper()
	wants, err := asn1.Marshal(types.PADataSequence{{PADataType: patype.PA_ETYPE_INFO2, PADataValue: []byte{0x30, 0x00}}})
	if err != nil {
		t.Fatal(err)
	}
	kdc := types.PrincipalName{NameType: nametype.KRB_NT_SRV_INST, NameString: []string{"krbtgt", "TEST"}}
	refusal := messages.NewKRBError(kdc, "TEST", errorcode.KDC_ERR_PREAUTH_REQUIRED, "")
	refusal.EData = wants
	text, err := refusal.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// If the answer of a KDC is bad, the request ends with an error, and another request may follow.
func TestAKDCCannotHarmTheProcess(t *testing.T) {
	for name, c := range map[string]struct{ answer, want string }{
		"closes":                {"", "the KDC cannot be reached"},
		"half a length":         {"\x00\x00", "the KDC cannot be reached"},
		"no bytes":              {framed(""), "the KDC cannot be reached"},
		"half an answer":        {framed("\x6b\x80\x00\x00")[:6], "the KDC cannot be reached"},
		"not Kerberos":          {framed("HTTP/1.1 400 Bad Request\r\n\r\n"), "no ticket"},
		"an empty sequence":     {framed("\x6b\x02\x30\x00"), "no ticket"},
		"a length without end":  {framed("\x7e\x84\xff\xff\xff\xff"), "no ticket"},
		"a refusal of nothing":  {framed("\x7e\x02\x30\x00"), "no ticket"},
		"preauthentication":     {framed("\x7e\x0a\x30\x08\xa0\x03\x02\x01\x05\xa6\x01\x00"), "no ticket"},
		"no encryption types":   {framed(preauth(t)), "cannot be understood"}, // here the library panics
		"an answer of another":  {framed("\x6d\x02\x30\x00"), "no ticket"},
		"a great deal of zeros": {framed(strings.Repeat("\x00", 1<<20)), "no ticket"},
	} {
		t.Run(name, func(t *testing.T) {
			conf, keys := impostor(t, func(conn net.Conn) {
				io.ReadAtLeast(conn, make([]byte, 4<<10), 4)
				io.WriteString(conn, c.answer)
			})
			l := login(t, kerberos.Config{Principal: "ann", Keytab: keys, Conf: conf})
			for range 2 {
				if _, err := l.SASL(within(t, 3*time.Minute), "localhost:2181"); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("err = %v; want %q", err, c.want)
				}
			}
		})
	}
}

// A session does not wait longer for a silent KDC than for a server. The request goes on, and
// others wait for the same request.
func TestASilentKDCDelaysNobody(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 100)
	conf, keys := impostor(t, func(conn net.Conn) {
		asked <- struct{}{}
		io.Copy(io.Discard, conn)
	})
	l := login(t, kerberos.Config{Principal: "ann", Keytab: keys, Conf: conf})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 3)
	for range cap(ended) {
		go func() {
			_, err := l.SASL(ctx, "localhost:2181")
			ended <- err
		}()
	}
	<-asked
	cancel()
	for range cap(ended) {
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "the KDC has not answered") {
			t.Errorf("err = %v", err)
		}
	}
	if n := len(asked); n != 0 {
		t.Errorf("the KDC was asked %d times", n+1)
	}
}
