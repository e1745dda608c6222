package value

import "testing"

// FuzzNumber lets other programs write anything into a counter's znode.
func FuzzNumber(f *testing.F) {
	f.Add([]byte("42"), int64(1))
	f.Add([]byte("-9223372036854775808"), int64(-1))
	f.Add([]byte("\x00\x00\x00\x2a"), int64(1)<<31)
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff"), int64(0))
	f.Add([]byte("+1_0"), int64(0))
	f.Fuzz(func(t *testing.T, data []byte, n int64) {
		for _, e := range []Encoding{EncodingDecimal, EncodingInt64, EncodingInt32} {
			if got, ok := e.decode(data); ok {
				if again, ok := e.decode(e.encode(got)); !ok || again != got {
					t.Errorf("%v: %q is %d, which is written as %q", e, data, got, e.encode(got))
				}
			}
			if e.fits(n) {
				if got, ok := e.decode(e.encode(n)); !ok || got != n {
					t.Errorf("%v: %d is read as %d, %v", e, n, got, ok)
				}
			}
		}
	})
}
