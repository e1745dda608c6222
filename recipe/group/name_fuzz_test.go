package group

import (
	"bytes"
	"testing"
)

// FuzzMember lets anybody create anything in a group: names of three libraries, with any data.
func FuzzMember(f *testing.F) {
	f.Add("a", []byte("x"))
	f.Add("0123456789abcdef0123456789abcdef"+partySuffix, []byte("a"))
	f.Add("0123456789abcdef0123456789abcdef-a-b", []byte("a-b"))
	f.Add("_c_0f3b1c9e-7a52-4e1d-9a6b-2c8d4f5e6a7b-a", []byte(nil))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		decode(name, data)
		// What we write ourselves is read as it was written, where the ID is not another style's
		// name.
		for _, s := range []Style{StyleNamed, StyleParty, StyleShallow} {
			own := s.name(name)
			if styleOf(own) != s || s == StyleNamed && protectedName.MatchString(own) {
				continue
			}
			id, payload := decode(own, s.encode(name, data))
			kept := s != StyleParty && (s != StyleShallow || string(data) != name)
			if id != name || kept && !bytes.Equal(payload, data) {
				t.Errorf("%s: %q with %q is read as %q with %q", s, name, data, id, payload)
			}
		}
	})
}
