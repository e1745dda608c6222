package hold

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// location is an instruction, as JDWP names it.
type location struct {
	tag                  byte // a class or an interface
	class, method, index uint64
}

// find looks a place up in the class as the JVM has loaded it.
func (v *VM) find(ctx context.Context, p Place) (at location, err error) {
	signature := "L" + strings.ReplaceAll(p.Class, ".", "/") + ";"
	r, err := v.wire.call(ctx, classesBySignature, append(u32(uint32(len(signature))), signature...))
	if err != nil {
		return at, err
	}
	if n := r.u32(); n != 1 {
		return at, fmt.Errorf("the class %s is loaded %d times, want once (a server loads a class when it needs it)", p.Class, n)
	}
	at.tag, at.class = r.u8(), r.u64()
	methods, err := v.methods(ctx, at.class, p.Method)
	if err != nil {
		return at, err
	}
	if p.Call == "" && len(methods) == 1 {
		at.method = methods[0]
		return at, nil
	}
	names, err := v.names(ctx, at.class)
	if err != nil {
		return at, err
	}
	found := 0
	for _, m := range methods {
		r, err := v.wire.call(ctx, bytecodes, append(u64(at.class), u64(m)...))
		if err != nil {
			return at, err
		}
		calls, err := callsIn([]byte(r.str()), func(constant uint16) bool { return names.called(constant) == p.Call })
		if err != nil {
			return at, fmt.Errorf("%s of %s: %w", p.Method, p.Class, err)
		}
		for _, index := range calls {
			at.method, at.index = m, uint64(index)
			found++
		}
	}
	if found != 1 {
		return at, fmt.Errorf("%d methods %s of %s call %q %d times, want once", len(methods), p.Method, p.Class, p.Call, found)
	}
	return at, nil
}

// methods returns those of a class that have a name and code.
func (v *VM) methods(ctx context.Context, class uint64, name string) (ids []uint64, err error) {
	r, err := v.wire.call(ctx, methodsOf, u64(class))
	if err != nil {
		return nil, err
	}
	const native, abstract = 0x100, 0x400
	for range r.u32() {
		id, itsName := r.u64(), r.str()
		r.skip(int(r.u32())) // the signature
		if flags := r.u32(); itsName == name && flags&(native|abstract) == 0 {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// pool is a class's table of constants, as far as it tells which methods are called.
type pool struct {
	text   map[uint16]string // names
	second map[uint16]uint16 // of an entry that is made of two others, the second
	first  map[uint16]uint16
}

// called returns the name of the method that an instruction calls by its constant.
func (p *pool) called(constant uint16) string { return p.text[p.first[p.second[constant]]] }

func (v *VM) names(ctx context.Context, class uint64) (*pool, error) {
	r, err := v.wire.call(ctx, constantPool, u64(class))
	if err != nil {
		return nil, err
	}
	count := r.u32()
	return parsePool(count, []byte(r.str()))
}

// parsePool reads the constants 1 to count-1 as a class file holds them.
func parsePool(count uint32, b []byte) (*pool, error) {
	p := &pool{map[uint16]string{}, map[uint16]uint16{}, map[uint16]uint16{}}
	r := reader{b: b}
	for i := uint32(1); i < count; i++ {
		switch tag := r.u8(); tag {
		case 1: // a text
			p.text[uint16(i)] = string(r.take(int(r.u16())))
		case 9, 10, 11, 12, 17, 18: // fields, methods, and their names with types: two others
			p.first[uint16(i)], p.second[uint16(i)] = r.u16(), r.u16()
		case 3, 4:
			r.skip(4)
		case 5, 6: // long and double take two places
			r.skip(8)
			i++
		case 7, 8, 16, 19, 20:
			r.skip(2)
		case 15:
			r.skip(3)
		default:
			return nil, fmt.Errorf("constant %d has tag %d", i, tag)
		}
	}
	if r.short {
		return nil, errors.New("the constants are cut short")
	}
	return p, nil
}

// callsIn returns where in the code a method is called whose constant is meant.
func callsIn(code []byte, meant func(uint16) bool) (at []int, err error) {
	for pc := 0; pc < len(code); {
		n := length(code, pc)
		if n <= 0 || pc+n > len(code) {
			return nil, fmt.Errorf("instruction %#x at %d is not known", code[pc], pc)
		}
		const invokeVirtual, invokeInterface = 0xb6, 0xb9
		if op := code[pc]; op >= invokeVirtual && op <= invokeInterface && meant(binary.BigEndian.Uint16(code[pc+1:])) {
			at = append(at, pc)
		}
		pc += n
	}
	return at, nil
}

// length returns the length of the instruction at pc, 0 if there is none.
func length(code []byte, pc int) int {
	const tableSwitch, lookupSwitch, wide, iinc = 0xaa, 0xab, 0xc4, 0x84
	op := code[pc]
	args := (pc + 4) &^ 3 // those of a switch are aligned
	word := func(i int) int {
		r := reader{b: code[min(len(code), args+4*i):]}
		return int(int32(r.u32()))
	}
	switch {
	case op == tableSwitch: // default, low, high, and an offset for each
		return args + 4*(3+word(2)-word(1)+1) - pc
	case op == lookupSwitch: // default, number of pairs, and those
		return args + 4*(2+2*word(1)) - pc
	case op == wide && pc+1 < len(code) && code[pc+1] == iinc:
		return 6
	case op == wide:
		return 4
	case op > 0xc9:
		return 0
	}
	return int(lengths[op] - '0')
}

// lengths are those of the instructions 0x00 to 0xc9, 16 in a line; 0 where it depends.
const lengths = "" +
	"1111111111111111" + // 00 constants
	"2323322222111111" + // 10 constants, loads
	"1111111111111111" + // 20 loads
	"1111112222211111" + // 30 loads, stores
	"1111111111111111" + // 40 stores
	"1111111111111111" + // 50 stores, stack
	"1111111111111111" + // 60 arithmetic
	"1111111111111111" + // 70 arithmetic
	"1111311111111111" + // 80 arithmetic, iinc, conversions
	"1111111113333333" + // 90 comparisons, jumps
	"3333333332001111" + // a0 jumps, ret, switches, returns
	"1133333335532311" + // b0 returns, fields, calls, new, throw
	"3311043355" //         c0 casts, monitors, wide, arrays, null checks, far jumps
