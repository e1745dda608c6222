package kerberos

import (
	"bytes"
	"testing"

	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// FuzzOffer lets a server send arbitrary bytes in place of its offer of layers. Only an offer that
// is made with the key is accepted.
func FuzzOffer(f *testing.F) {
	payload := []byte{7, 0, 0x10, 0}
	good := offering(f, sessionKey, payload)
	x := after(1)
	if _, err := x.choose(good); err != nil {
		f.Fatalf("the offer of the holder of the key: %v", err)
	}
	f.Add(good)
	f.Add(good[:16])
	f.Add([]byte{5, 4, 1, 0xff, 0xff, 0xff, 0, 0})
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, challenge []byte) {
		_, err := x.choose(challenge)
		if err == nil && !bytes.Contains(challenge, payload) {
			t.Errorf("%x is accepted as an offer of the server's", challenge)
		}
	})
}

// FuzzKDC parses arbitrary bytes as answers of a KDC, or of a host between. In a program, a panic
// would become an error of the request. A parser that hangs would not.
func FuzzKDC(f *testing.F) {
	f.Add([]byte{0x7e, 0x03, 1, 2, 3}) // KRB-ERROR
	f.Add([]byte{0x6b, 0x80, 0, 0})    // AS-REP
	f.Add([]byte{0x6d, 0x84, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, answer []byte) {
		var refusal messages.KRBError
		if refusal.Unmarshal(answer) == nil {
			_ = explain(refusal)
			var wants types.PADataSequence
			_ = wants.Unmarshal(refusal.EData)
		}
		_ = new(messages.ASRep).Unmarshal(answer)
		_ = new(messages.TGSRep).Unmarshal(answer)
	})
}
