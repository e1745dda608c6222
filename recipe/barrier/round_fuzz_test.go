package barrier

import (
	"slices"
	"strings"
	"testing"
)

// FuzzRound lets anybody write anything into "ready", and create anything beside it.
func FuzzRound(f *testing.F) {
	member := "_c_0f3b1c9e-7a52-8e1d-9a6b-2c8d4f5e6a7b-" + memberName + "0000000017"
	f.Add(header+member+"\n", member, 1)
	f.Add(header, "a b", 2)
	f.Add("", "0123456789abcdef0123456789abcdef", 1)
	f.Fuzz(func(t *testing.T, data, names string, n int) {
		members := strings.Fields(names)
		for _, name := range members {
			isMember(name)
		}
		if len(members) == 0 {
			return
		}
		r := parseRound([]byte(data))
		if !r.foreign && !slices.Equal(parseRound(r.encode()).names, r.names) {
			t.Errorf("%q is read as %q, and written as %q", data, r.names, r.encode())
		}
		own := members[0]
		if got := decide(own, members, &r, n); (got == actIn) != (r.foreign || slices.Contains(r.names, own) && len(r.names) == n) {
			t.Errorf("%q among %q, with %q: %v", own, members, data, got)
		}
	})
}
