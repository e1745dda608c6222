package hold

import (
	"bytes"
	"testing"
)

// Every kind of instruction has its length: after all of them in a row the call is found, and there
// alone.
func TestACallIsFoundAmongAllInstructions(t *testing.T) {
	var code []byte
	add := func(b ...byte) { code = append(code, b...) }
	for op := 0; op <= 0xc9; op++ {
		if n := int(lengths[op] - '0'); n > 0 && (op < 0xb6 || op > 0xb9) {
			add(append([]byte{byte(op)}, bytes.Repeat([]byte{0xb6}, n-1)...)...)
		}
	}
	align := func() {
		for len(code)%4 != 0 {
			add(0)
		}
	}
	add(0xc4, 0x84, 0xb6, 0xb6, 0xb6, 0xb6) // wide iinc
	add(0xc4, 0x15, 0xb6, 0xb6)             // wide iload
	for range 4 {                           // a switch at every alignment
		add(0xaa)
		align()
		add(0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1) // -1 to 1
		add(bytes.Repeat([]byte{0xb6}, 12)...)
		add(0xab)
		align()
		add(0, 0, 0, 0, 0, 0, 0, 2)
		add(bytes.Repeat([]byte{0xb6}, 16)...)
		add(0)
	}
	for op := byte(0xb6); op <= 0xb9; op++ {
		want := len(code)
		whole := append(bytes.Clone(code), op, 0, 7, 1, 0, 0xb1)
		at, err := callsIn(whole, func(constant uint16) bool { return constant == 7 })
		if err != nil || len(at) != 1 || at[0] != want {
			t.Errorf("%#x is found at %v, %v; want %d", op, at, err, want)
		}
	}
	if _, err := callsIn(append(code, 0xff), never); err == nil {
		t.Error("an unknown instruction is none")
	}
	if _, err := callsIn([]byte{0xaa, 0, 0}, never); err == nil {
		t.Error("half a switch is none")
	}
}

func never(uint16) bool { return false }

func TestConstantsAreRead(t *testing.T) {
	b := []byte{
		5, 0, 0, 0, 0, 0, 0, 0, 1, // 1 and 2: a long
		1, 0, 4, 'p', 'i', 'n', 'g', // 3
		1, 0, 3, '(', ')', 'V', // 4
		12, 0, 3, 0, 4, // 5: name and type
		7, 0, 3, // 6: a class
		10, 0, 6, 0, 5, // 7: a method
	}
	p, err := parsePool(8, b)
	if err != nil || p.called(7) != "ping" {
		t.Errorf("%+v, %v: the method is %q", p, err, p.called(7))
	}
	if _, err := parsePool(8, b[:len(b)-1]); err == nil {
		t.Error("constants that are cut short are none")
	}
	if _, err := parsePool(2, []byte{99}); err == nil {
		t.Error("an unknown constant is none")
	}
}
