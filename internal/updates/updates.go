// Package updates judges what the holders of a lock have read and written in one znode, the
// register of the lock. They read it as any znode, and write it by their Multi, in place of what
// they have read. Porcupine looks for an order of all that they did, each at an instant while it
// was under way, in which nobody writes between the read and the write of another. If there is one,
// no write was lost.
package updates

import (
	"slices"

	"github.com/anishathalye/porcupine"
)

// Op is what one holder did: it read the register, and read it again or wrote it. A write that was
// refused is none, and neither are two reads after which the reader did not hold the lock any more.
type Op struct {
	Call, Return int64 // when it began and ended
	Found        string
	Left         string // found again, or written; nobody else writes that
	Read         bool   // it has not written
	Unknown      bool   // nobody knows whether the write was carried out
}

// model is a register whose state is what was written last, at first "". A write succeeds if the
// state is still what the writer has read. Nobody writes between the two reads of a reader.
var model = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, input, _ any) (bool, any) {
		op := input.(Op)
		return op.Found == state && (!op.Read || op.Left == state), op.Left
	},
}

// Linearizable reports whether there is such an order.
func Linearizable(ops []Op) bool {
	var all []porcupine.Operation
	for _, op := range known(ops) {
		all = append(all, porcupine.Operation{Input: op, Call: op.Call, Return: op.Return})
	}
	return porcupine.CheckOperations(model, all)
}

// known returns the operations that are known to have been carried out. A write whose outcome is
// unknown was carried out, at any time since its beginning, if somebody has read what it wrote. If
// nobody has, it makes no difference to anybody.
func known(ops []Op) (all []Op) {
	read, last := map[string]bool{}, int64(0)
	for _, op := range ops {
		read[op.Found] = true
		read[op.Left] = read[op.Left] || op.Read
		last = max(last, op.Call, op.Return)
	}
	all = slices.DeleteFunc(slices.Clone(ops), func(op Op) bool {
		return op.Unknown && !read[op.Left]
	})
	for i := range all {
		if all[i].Unknown {
			all[i].Return = last + 1
		}
	}
	return all
}
