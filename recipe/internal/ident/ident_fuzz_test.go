package ident

import (
	"bytes"
	"testing"
)

// FuzzDecode lets anybody write anything into a contender's znode.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("host-a\n10.0.0.7"))
	f.Add([]byte("\n\n"))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, znode []byte) {
		id, data := Decode(znode)
		if again := Encode(id, data); !bytes.Equal(again, znode) && !bytes.Equal(again, bytes.TrimSuffix(znode, []byte("\n"))) {
			t.Errorf("%q is read as %q and %q", znode, id, data)
		}
	})
}
