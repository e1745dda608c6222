package value_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/zkrecipe/zkrecipe/recipe/value"
)

// A history is what callers have seen of one counter, for Porcupine to judge: is there an order of
// all calls, each at an instant while it was under way, in which the counter is a plain number?
type history struct {
	mu  sync.Mutex // guards what follows
	now int64      // grows with every call and every return
	ops []porcupine.Operation
}

type call struct {
	kind     string // "add", "cas", "get"; "even": an addition to an even number, which others refuse
	from, to int64  // of add and even: what is added, in to
}

// errOdd is what an Update that adds to even numbers says of others.
var errOdd = errors.New("an odd number")

type outcome struct {
	count   int64
	unknown bool // it may have been carried out, at any time from the call on
	refused bool // a CompareAndSet, or an Update, that has found count
}

func (o outcome) String() string {
	return fmt.Sprintf("%d unknown=%v refused=%v", o.count, o.unknown, o.refused)
}

// record makes a call and notes its result. A call that was not carried out at all is left out.
func (h *history) record(client int, in call, f func() (int64, error)) error {
	h.mu.Lock()
	h.now++
	called := h.now
	h.mu.Unlock()
	count, err := f()
	out := outcome{count: count}
	c := conflict(err)
	switch {
	case c != nil:
		out = outcome{count: c.Count, refused: true}
	case err == errOdd:
		out.refused = true
	case isUnknown(err):
		out = outcome{unknown: true}
	case err != nil:
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now++
	op := porcupine.Operation{ClientId: client, Input: in, Call: called, Output: out, Return: h.now}
	if out.unknown {
		op.ClientId, op.Return = 1000+len(h.ops), math.MaxInt64 // the client goes on before it returns
	}
	h.ops = append(h.ops, op)
	return err
}

// register is a counter that many add to. Where an outcome is unknown there are two ways to go on.
var register = (&porcupine.NondeterministicModel{
	Init: func() []any { return []any{int64(0)} },
	Step: func(state, input, output any) (next []any) {
		now, in, out := state.(int64), input.(call), output.(outcome)
		done, fits := now, false
		switch in.kind {
		case "add":
			done, fits = now+in.to, out.count == now+in.to
		case "cas":
			if fits = now == in.from && !out.refused || now != in.from && out.refused && out.count == now; now == in.from {
				done = in.to
			}
		case "even":
			if fits = now%2 != 0 && out.refused && out.count == now; now%2 == 0 {
				done, fits = now+in.to, !out.refused && out.count == now+in.to
			}
		case "get":
			fits = out.count == now
		}
		switch {
		case out.unknown && done != now:
			return []any{now, done}
		case out.unknown || fits:
			return []any{done}
		}
		return nil
	},
	Equal: func(a, b any) bool { return a == b },
}).ToModel()

func (h *history) linearizable() bool { return porcupine.CheckOperations(register, h.ops) }

// unknown counts the outcomes that are.
func (h *history) unknown() (n int) {
	for _, op := range h.ops {
		if op.Output.(outcome).unknown {
			n++
		}
	}
	return n
}

// sum checks the number at the end, if all calls are additions: it is the sum of all of them, with
// or without each one whose outcome is unknown.
func (h *history) sum(t *testing.T, end int64) {
	t.Helper()
	var sure, perhaps int64
	var seen []int64
	for _, op := range h.ops {
		in, out := op.Input.(call), op.Output.(outcome)
		if out.unknown {
			perhaps += in.to
			continue
		}
		sure += in.to
		seen = append(seen, out.count)
	}
	if end < sure || end > sure+perhaps {
		t.Errorf("the counter is %d at the end; %d was added for sure, %d more perhaps", end, sure, perhaps)
	}
	slices.Sort(seen)
	if again := len(seen) - len(slices.Compact(seen)); again > 0 {
		t.Errorf("%d results were returned twice", again)
	}
}

func TestPorcupineSeesWhatIsWrong(t *testing.T) {
	add := call{"add", 0, 1}
	op := func(client int, in call, begin, end int64, out outcome) porcupine.Operation {
		return porcupine.Operation{ClientId: client, Input: in, Call: begin, Output: out, Return: end}
	}
	for name, c := range map[string]struct {
		ops  []porcupine.Operation
		good bool
	}{
		"in turn":               {[]porcupine.Operation{op(0, add, 1, 2, outcome{count: 1}), op(1, add, 3, 4, outcome{count: 2})}, true},
		"one counts twice":      {[]porcupine.Operation{op(0, add, 1, 2, outcome{count: 1}), op(1, add, 3, 4, outcome{count: 3})}, false},
		"an unknown one counts": {[]porcupine.Operation{op(0, add, 1, math.MaxInt64, outcome{unknown: true}), op(1, add, 3, 4, outcome{count: 2})}, true},
		"an unknown one does not": {[]porcupine.Operation{op(0, add, 1, math.MaxInt64, outcome{unknown: true}),
			op(1, add, 3, 4, outcome{count: 1})}, true},
		"an old number": {[]porcupine.Operation{op(0, add, 1, 2, outcome{count: 1}), op(1, call{kind: "get"}, 3, 4, outcome{count: 0})}, false},
		"a conflict that is none": {[]porcupine.Operation{op(0, call{"cas", 0, 5}, 1, 2, outcome{count: 5, refused: true}),
			op(1, call{kind: "get"}, 3, 4, outcome{count: 5})}, false},
		"an Update that is refused": {[]porcupine.Operation{op(0, add, 1, 2, outcome{count: 1}),
			op(1, call{"even", 0, 1}, 3, 4, outcome{count: 1, refused: true})}, true},
		"an Update that an old number refuses": {[]porcupine.Operation{op(0, call{"add", 0, 2}, 1, 2, outcome{count: 2}),
			op(1, call{"even", 0, 1}, 3, 4, outcome{count: 1, refused: true})}, false},
	} {
		if got := (&history{ops: c.ops}).linearizable(); got != c.good {
			t.Errorf("%s: linearizable = %v", name, got)
		}
	}
}

// worker makes calls of one client's, and records them.
type worker struct {
	id int
	n  *value.Counter
	v  *value.Value // of the same znode
	h  *history
}

// even adds to an even number.
func (w worker) even(t *testing.T, add int64) (int64, error) {
	now, err := w.v.Update(within(t), func(old []byte) ([]byte, error) {
		n, _ := strconv.ParseInt(string(old), 10, 64) // no data are 0
		if n%2 != 0 {
			return nil, errOdd
		}
		return strconv.AppendInt(nil, n+add, 10), nil
	})
	n, _ := strconv.ParseInt(string(now.Data), 10, 64)
	return n, err
}

// work makes so many calls, chosen by random.
func (w worker) work(t *testing.T, calls int, random func(n int) int) {
	last := int64(0)
	for range calls {
		var err error
		switch random(6) {
		case 0:
			err = w.h.record(w.id, call{kind: "get"}, func() (int64, error) { n, err := w.n.Get(within(t)); last = n; return n, err })
		case 1:
			in := call{"cas", last, last + 10}
			err = w.h.record(w.id, in, func() (int64, error) { return in.to, w.n.CompareAndSet(within(t), in.from, in.to) })
			if c := conflict(err); c != nil {
				last = c.Count
			}
		case 2:
			in := call{"even", 0, int64(1 + random(3))}
			err = w.h.record(w.id, in, func() (int64, error) { n, err := w.even(t, in.to); last = n; return n, err })
		default:
			in := call{"add", 0, int64(1 + random(3))}
			err = w.h.record(w.id, in, func() (int64, error) { n, err := w.n.Add(within(t), in.to); last = n; return n, err })
		}
		if err != nil && conflict(err) == nil && err != errOdd && !isUnknown(err) {
			t.Errorf("worker %d: %v", w.id, err)
			return
		}
	}
}
