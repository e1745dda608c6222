package history

import (
	"slices"

	"github.com/zkrecipe/zkrecipe/internal/updates"
)

// use notes what a holder has done with the register of its lock. If a process is killed, it may
// not tell the outcome of its write. Then the outcome is unknown.
func (c *checker) use(path string, l Line) {
	op := updates.Op{
		Call: l.Began, Return: l.T, Found: l.Found, Left: l.Left,
		Read: l.Event == "read", Unknown: l.Event == "writing" || l.Outcome == "unknown",
	}
	if l.Event == "wrote" {
		c.ops[path] = slices.DeleteFunc(c.ops[path], func(announced updates.Op) bool {
			return !announced.Read && announced.Left == l.Left
		})
	}
	if l.Outcome != "refused" {
		c.ops[path] = append(c.ops[path], op)
	}
}

// judgeRegisters demands that no write of a register was lost. If an administrator deletes a path,
// its register is not protected for one lease, and what was lost then cannot be told from what is
// lost later.
func (c *checker) judgeRegisters() {
	if len(c.erased) > 0 {
		return
	}
	for path, ops := range c.ops {
		if n := len(ops); !updates.Linearizable(ops) {
			c.violate(ops[n-1].Return, LostUpdate,
				"the %d operations on the register of %q have no order in which it is a plain one",
				n, path)
		}
	}
}
