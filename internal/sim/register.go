package sim

import (
	"sync"

	"github.com/anishathalye/porcupine"
)

// A register is a number that the holders of a lock, or of a semaphore of one, read and write under
// it. It is not in ZooKeeper and looks at no token, so only the lock protects it. Porcupine judges
// what the holders have seen: is there an order of all that they did, each at an instant while it
// was under way, in which the register is a plain number?
type register struct {
	mu   sync.Mutex // guards what follows
	now  int64      // grows with every beginning and every end
	x    int64
	ops  []porcupine.Operation
	void bool // an administrator has deleted the whole path, so nothing is promised
}

// seen is what a holder has found at the beginning and at the end.
type seen struct{ first, last int64 }

// use reads the register, lets some time pass, and then reads it again or writes the next number.
// One that does not hold the lock all the while has done nothing.
func (r *register) use(valid func() bool, read bool, pass func()) {
	begin, first, ok := r.begin(valid)
	pass()
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !valid() {
		return
	}
	op := porcupine.Operation{Input: read, Call: begin, Output: seen{first, r.x}}
	if !read {
		op.Output = seen{first, first + 1}
		r.x = first + 1
	}
	r.now++
	op.Return = r.now
	r.ops = append(r.ops, op)
}

func (r *register) begin(valid func() bool) (begin, first int64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now++
	return r.now, r.x, valid()
}

// expel says that nothing is promised any more.
func (r *register) expel() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.void = true
}

// number is a register to which one writes the next number at a time, and which nobody reads while
// it changes.
var number = porcupine.Model{
	Init: func() any { return int64(0) },
	Step: func(state, input, output any) (bool, any) {
		now, read, s := state.(int64), input.(bool), output.(seen)
		return s.first == now && (!read || s.last == now), s.last
	},
}

// linearizable reports whether there is such an order.
func (r *register) linearizable() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.void || porcupine.CheckOperations(number, r.ops)
}

// registers are those of all paths.
type registers struct {
	mu     sync.Mutex // guards byPath
	byPath map[string]*register
}

func (rs *registers) at(path string) *register {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.byPath[path] == nil {
		rs.byPath[path] = &register{}
	}
	return rs.byPath[path]
}

// checkRegisters lets Porcupine judge.
func (w *world) checkRegisters() {
	for path, r := range w.registers.byPath {
		if !r.linearizable() {
			w.check.report("linearizable", "the %d operations under %s have no order in which its register is a plain number", len(r.ops), path)
		}
	}
}
