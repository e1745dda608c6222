package hold

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// VM is a server's JVM with this process as its debugger. Its methods may be called from any
// goroutine.
type VM struct {
	wire *wire

	mu   sync.Mutex       // guards held; kept while a breakpoint is set, because a thread may arrive before its number is known
	held map[uint32]*Held // by the number of the breakpoint
}

// Address is the usual way to dial: one TCP address.
func Address(addr string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", addr)
	}
}

// retryEvery is how long Attach waits: a JVM that has just lost its debugger needs a moment before
// it takes the next.
const retryEvery = 20 * time.Millisecond

// Attach connects with a JVM that listens for a debugger, by ctx. A JVM has one debugger at a time;
// Close lets the next one in.
func Attach(ctx context.Context, dial func(context.Context) (net.Conn, error)) (*VM, error) {
	for {
		v, err := attach(ctx, dial)
		if err == nil {
			return v, nil
		}
		select {
		case <-time.After(retryEvery):
		case <-ctx.Done():
			return nil, fmt.Errorf("hold: attach: %w (last: %w)", context.Cause(ctx), err)
		}
	}
}

func attach(ctx context.Context, dial func(context.Context) (net.Conn, error)) (*VM, error) {
	conn, err := dial(ctx)
	if err != nil {
		return nil, err
	}
	if err := shakeHands(ctx, conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	v := &VM{held: map[uint32]*Held{}}
	v.wire = newWire(conn, func(event []byte) { go v.happened(event) }) // ends soon: it waits for mu and one answer
	r, err := v.wire.call(ctx, idSizes, nil)
	for range 5 { // of fields, methods, objects, types, frames
		if err == nil && r.u32() != 8 {
			err = errors.New("hold: the JVM's ids are not of 8 bytes")
		}
	}
	if err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
}

// Close ends the debugging: all that is held goes on.
func (v *VM) Close() error { return v.wire.close() }

// Done is closed when the debugging has ended, by Close or because the server has.
func (v *VM) Done() <-chan struct{} { return v.wire.done }

// Held is a breakpoint and, as soon as one has arrived, the thread that stands there.
type Held struct {
	vm      *VM
	place   Place
	number  uint32
	arrived chan struct{} // closed when thread is known
	thread  uint64
}

// Hold has the next thread that comes to a place stop there. It returns at once; Wait waits for the
// thread. The error tells if the server has not loaded the class, or has no such place in it.
func (v *VM) Hold(ctx context.Context, p Place) (*Held, error) {
	at, err := v.find(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("hold: %s: %w", p.Name, err)
	}
	h := &Held{vm: v, place: p, arrived: make(chan struct{})}
	v.mu.Lock()
	defer v.mu.Unlock()
	r, err := v.wire.call(ctx, setEvent, breakpointOnce(at))
	if err != nil {
		return nil, fmt.Errorf("hold: %s: %w", p.Name, err)
	}
	h.number = r.u32()
	v.held[h.number] = h
	return h, nil
}

// Wait waits until a thread stands there, and returns its name.
func (h *Held) Wait(ctx context.Context) (thread string, err error) {
	select {
	case <-h.arrived:
	case <-h.vm.wire.done:
		return "", fmt.Errorf("hold: %s: %w", h.place.Name, h.vm.wire.err)
	case <-ctx.Done():
		return "", fmt.Errorf("hold: nobody came to %s: %w", h.place.Name, context.Cause(ctx))
	}
	r, err := h.vm.wire.call(ctx, threadName, u64(h.thread))
	if err != nil {
		return "", fmt.Errorf("hold: %s: %w", h.place.Name, err)
	}
	return r.str(), nil
}

// Arrived is closed when a thread stands there.
func (h *Held) Arrived() <-chan struct{} { return h.arrived }

// Release takes the breakpoint away and lets the thread go. It does no harm twice.
func (h *Held) Release(ctx context.Context) error {
	v := h.vm
	v.mu.Lock()
	mine := v.held[h.number] == h
	delete(v.held, h.number)
	v.mu.Unlock()
	if !mine {
		return nil
	}
	_, err := v.wire.call(ctx, clearEvent, append([]byte{kindBreakpoint}, u32(h.number)...))
	select {
	case <-h.arrived:
		_, resumed := v.wire.call(ctx, resumeThread, u64(h.thread))
		err = errors.Join(err, resumed)
	default: // happened lets go a thread that arrives from now on
	}
	return err
}

// happened handles what the JVM tells by itself.
func (v *VM) happened(event []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := reader{b: event}
	r.u8() // what is suspended: we have asked for the thread alone
	for range r.u32() {
		if r.u8() != kindBreakpoint {
			return // the VM has started or ends: nothing to do
		}
		number, thread := r.u32(), r.u64()
		r.skip(1 + 3*8) // where
		if h := v.held[number]; h != nil && !r.short {
			h.thread = thread
			close(h.arrived)
			continue
		}
		// Released meanwhile. If this fails the connection is over, which lets everybody go.
		ctx, cancel := context.WithTimeout(context.Background(), callWithin)
		_, _ = v.wire.call(ctx, resumeThread, u64(thread))
		cancel()
	}
}

// callWithin bounds calls that have no context of a caller's.
const callWithin = 10 * time.Second
