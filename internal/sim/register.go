package sim

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/session"
)

// A register is a znode that the holders of a lock, or of a semaphore of one, read and write. They
// read it as any znode, and write it by their Multi, in place of what they have read. Porcupine
// judges what the holders have seen: is there an order of all that they did, each at an instant
// while it was under way, in which nobody writes between the read and the write of another?
type register struct {
	mu   sync.Mutex // guards what follows
	now  int64      // grows with every beginning and every end
	ops  []porcupine.Operation
	void bool // an administrator has deleted the whole path, so nothing is promised
}

// registerPath is the znode of the register of a lock or of a semaphore.
func registerPath(path string) string { return "/register" + path }

// seen is what a holder has found, and what it has found then or left behind.
type seen struct {
	first, last int64
	unknown     bool // whether the write was carried out
}

// holder is a lock.Held or a semaphore.Permit.
type holder interface {
	Valid() bool
	Multi(ctx context.Context, ops ...any) ([]zk.MultiResponse, error)
}

// use reads the register, lets some time pass, and then reads it again or writes another number.
// What a reader has read counts if it still holds the lock in the end. A write counts if it was
// carried out, whether the writer still holds the lock or not: that is what Multi promises.
func (r *register) use(ctx context.Context, path string, h holder, read bool, get func(context.Context) (int64, error), pass func()) {
	called := r.tick()
	first, err := get(ctx)
	pass()
	switch {
	case err != nil:
	case read:
		if last, err := get(ctx); err == nil && h.Valid() {
			r.add(porcupine.Operation{Input: read, Call: called, Output: seen{first: first, last: last}})
		}
	default:
		number := r.tick() // nobody else writes that
		_, err := h.Multi(ctx, &zk.SetDataRequest{Path: registerPath(path), Data: []byte(strconv.FormatInt(number, 10)), Version: -1})
		if outcome := session.OutcomeOf(err); outcome != session.OutcomeNotDone {
			r.add(porcupine.Operation{Input: read, Call: called, Output: seen{first, number, outcome == session.OutcomeUnknown}})
		}
	}
}

// tick is an instant.
func (r *register) tick() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now++
	return r.now
}

func (r *register) add(op porcupine.Operation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now++
	op.Return = r.now
	r.ops = append(r.ops, op)
}

// expel says that nothing is promised any more.
func (r *register) expel() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.void = true
}

// number is the model of a register. A write succeeds if the number is still the one that the
// writer has read. Nobody writes between the two reads of a reader.
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
	return r.void || porcupine.CheckOperations(number, r.known())
}

// known returns the operations that are known to have been carried out. A write whose outcome is
// unknown was carried out, at any time since its beginning, if somebody has read its number. If
// nobody has, it makes no difference to anybody.
func (r *register) known() (all []porcupine.Operation) {
	read := map[int64]bool{}
	for _, op := range r.ops {
		s := op.Output.(seen)
		read[s.first] = true
		read[s.last] = read[s.last] || op.Input.(bool)
	}
	for _, op := range r.ops {
		if s := op.Output.(seen); s.unknown {
			if !read[s.last] {
				continue
			}
			op.Return = r.now + 1
		}
		all = append(all, op)
	}
	return all
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

// longestPass is how long a holder lets pass at most while it uses a register.
const longestPass = 3 * time.Second

// useRegister lets a holder use the register of what it holds. It goes on when that is over: then
// only Multi keeps it from writing.
func (p *proc) useRegister(ctx context.Context, path string, h holder, read bool, pass func()) {
	get := func(ctx context.Context) (int64, error) {
		s, err := p.client.Session(ctx)
		if err != nil {
			return 0, err
		}
		data, _, err := s.Get(ctx, registerPath(path))
		n, _ := strconv.ParseInt("0"+string(data), 10, 64) // it is empty at first
		return n, err
	}
	late, cancel := clock.WithTimeout(context.WithoutCancel(ctx), p.clock, longestPass+time.Second)
	defer cancel()
	p.w.registers.at(path).use(late, path, h, read, get, pass)
}

// checkRegisters lets Porcupine judge.
func (w *world) checkRegisters() {
	for path := range w.registers.byPath {
		w.checkRegister(path)
	}
}

func (w *world) checkRegister(path string) {
	if r := w.registers.at(path); !r.linearizable() {
		w.check.report("linearizable", "the %d operations under %s have no order in which its register is a plain number", len(r.ops), path)
	}
}
