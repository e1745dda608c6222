package semaphore

import (
	"reflect"
	"testing"
)

// FuzzTable lets anybody write anything into a semaphore's table.
func FuzzTable(f *testing.F) {
	f.Add(tableHead+"\n0 a\n17 b\n", "a", 2, 3)
	f.Add(tableHead+"\n", "", 1, 1)
	f.Add(tableHead+"\n4095 x y\n", "x", 4096, 4096)
	f.Fuzz(func(t *testing.T, data, name string, want, size int) {
		x, err := parseTable([]byte(data))
		if err != nil {
			return
		}
		if again, err := parseTable([]byte(x.String())); err != nil || !reflect.DeepEqual(again, x) {
			t.Errorf("%q is written as %q, which is read as %v, %v", data, x, again, err)
		}
		if name == "" || size < 1 || size > maxSize || want < 1 {
			return
		}
		after, slots, ok := x.take(name, want, size, func(string) bool { return false })
		if ok != (len(slots) == want) || len(slots) > size {
			t.Errorf("%d of %d slots of %v: %v, %v", want, size, x, slots, ok)
		}
		for i, owner := range x {
			if after[i] != owner {
				t.Errorf("slot %d is taken from %q, who may still have it, by %q", i, owner, after[i])
			}
		}
	})
}
