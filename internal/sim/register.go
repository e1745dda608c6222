package sim

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/updates"
	"github.com/zkrecipe/zkrecipe/session"
)

// A register is a znode that the holders of a lock, or of a semaphore of one, read and write by
// their Multi. Package updates judges what they have seen and done.
type register struct {
	mu   sync.Mutex // guards what follows
	now  int64      // grows with every beginning and every end
	ops  []updates.Op
	void bool // an administrator has deleted the whole path, so nothing is promised
}

// registerPath is the znode of the register of a lock or of a semaphore.
func registerPath(path string) string { return "/register" + path }

// holder is a lock.Held or a semaphore.Permit.
type holder interface {
	Valid() bool
	Multi(ctx context.Context, ops ...any) ([]zk.MultiResponse, error)
}

// use reads the register, lets some time pass, and then reads it again or writes another value.
// What a reader has read counts if it still holds the lock in the end. A write counts if it was
// carried out, whether the writer still holds the lock or not: that is what Multi promises. If use
// returns false, the outcome of the write is unknown. Then this holder must not write again:
// servers may carry out the former write after the next.
func (r *register) use(
	ctx context.Context, path string, h holder, read bool,
	get func(context.Context) (string, error), pass func(),
) (known bool) {
	op := updates.Op{Call: r.tick(), Read: read}
	var err error
	op.Found, err = get(ctx)
	pass()
	switch {
	case err != nil:
	case read:
		if op.Left, err = get(ctx); err == nil && h.Valid() {
			r.add(op)
		}
	default:
		op.Left = strconv.FormatInt(r.tick(), 10) // nobody else writes that
		_, err := h.Multi(ctx, &zk.SetDataRequest{
			Path: registerPath(path), Data: []byte(op.Left), Version: -1,
		})
		if outcome := session.OutcomeOf(err); outcome != session.OutcomeNotDone {
			op.Unknown = outcome == session.OutcomeUnknown
			r.add(op)
		}
	}
	return !op.Unknown
}

// tick is an instant.
func (r *register) tick() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now++
	return r.now
}

func (r *register) add(op updates.Op) {
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

// linearizable reports whether no write was lost.
func (r *register) linearizable() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.void || updates.Linearizable(r.ops)
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
// only Multi keeps it from writing. If it returns false, this holder must not use it again.
func (p *proc) useRegister(ctx context.Context, path string, h holder, read bool, pass func()) bool {
	get := func(ctx context.Context) (string, error) {
		s, err := p.client.Session(ctx)
		if err != nil {
			return "", err
		}
		data, _, err := s.Get(ctx, registerPath(path)) // it is empty at first
		return string(data), err
	}
	late, cancel := clock.WithTimeout(context.WithoutCancel(ctx), p.clock, longestPass+time.Second)
	defer cancel()
	return p.w.registers.at(path).use(late, path, h, read, get, pass)
}

// checkRegisters lets Porcupine judge.
func (w *world) checkRegisters() {
	for path := range w.registers.byPath {
		w.checkRegister(path)
	}
}

func (w *world) checkRegister(path string) {
	if r := w.registers.at(path); !r.linearizable() {
		w.check.report("linearizable",
			"the %d operations under %s have no order in which its register is a plain one",
			len(r.ops), path)
	}
}
